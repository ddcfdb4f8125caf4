// Package hash is the hash type: fields with values.
//
// Fields lie dense in a slice. Up to [MaxListpackFields] short fields they keep
// the order in which they came, as Redis' listpack does; beyond, a removed
// field's place is taken by the last one. A map from names to places is made
// where there are too many to look through. So a random field costs O(1), and
// [Value.Scan], which walks from the end to the start, returns every field that
// is there throughout.
package hash

import (
	"strings"
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of hashes.
var Type = &object.Type{ID: object.Hash, Name: "hash", New: func() object.Object { return New() }}

// Redis' defaults of hash-max-listpack-entries and hash-max-listpack-value.
const (
	MaxListpackFields = 512
	MaxListpackBytes  = 64
)

// Value is a hash. The slices that its methods return are valid until it is
// changed, and at most while its key's shard is held.
type Value struct {
	fields []field
	index  map[string]int32 // place by name; nil while there are few
	bytes  int              // of names and values
	table  bool             // has outgrown a listpack, for good
}

type field struct {
	name  string
	value []byte
}

const (
	fieldSize = int(unsafe.Sizeof(field{}))
	valueSize = int(unsafe.Sizeof(Value{}))
	indexCost = 40 // of a field in the map, with its room to grow

	// linear is how many fields are looked through without an index: as fast as
	// a map lookup there.
	linear = 16
)

// New makes an empty hash.
func New() *Value { return &Value{} }

// Len is the number of fields.
func (v *Value) Len() int { return len(v.fields) }

// At is the field at place i, 0 to Len()-1.
func (v *Value) At(i int) (name string, value []byte) { return v.fields[i].name, v.fields[i].value }

// Get is the value of a field.
func (v *Value) Get(name []byte) ([]byte, bool) {
	return v.GetString(unsafe.String(unsafe.SliceData(name), len(name)))
}

// GetString is Get for a name that is a string.
func (v *Value) GetString(name string) ([]byte, bool) {
	if i := v.find(name); i >= 0 {
		return v.fields[i].value, true
	}
	return nil, false
}

func (v *Value) find(name string) int {
	if v.index != nil {
		if i, ok := v.index[name]; ok {
			return int(i)
		}
		return -1
	}
	for i := range v.fields {
		if v.fields[i].name == name {
			return i
		}
	}
	return -1
}

// Set stores a copy of value and reports whether the field is new.
func (v *Value) Set(name, value []byte) bool {
	var b block
	return v.set(name, value, &b)
}

// SetPairs stores copies of names and values in turn, and returns how many
// fields are new.
func (v *Value) SetPairs(pairs [][]byte) int {
	n := len(pairs) / 2
	if v.fields == nil {
		v.fields = make([]field, 0, n)
	}
	if n > MaxListpackFields {
		v.table = true
	}
	b := block{pairs: pairs}
	created := 0
	for i := 0; i < 2*n; i += 2 {
		b.at = i
		if v.set(pairs[i], pairs[i+1], &b) {
			created++
		}
	}
	return created
}

func (v *Value) set(name, value []byte, b *block) bool {
	if len(name) > MaxListpackBytes || len(value) > MaxListpackBytes {
		v.table = true
	}
	if i := v.find(unsafe.String(unsafe.SliceData(name), len(name))); i >= 0 {
		f := &v.fields[i]
		v.bytes -= cap(f.value)
		if cap(f.value) < len(value) || cap(f.value) > 2*len(value)+MaxListpackBytes {
			f.value = make([]byte, 0, len(value))
		}
		f.value = append(f.value[:0], value...)
		v.bytes += cap(f.value)
		return false
	}
	f := field{name: b.string(name), value: b.bytes(value)}
	v.fields = append(v.fields, f)
	v.bytes += len(f.name) + cap(f.value)
	switch n := len(v.fields); {
	case v.index != nil:
		v.index[f.name] = int32(n - 1)
	case n > linear:
		v.reindex(n)
	}
	if len(v.fields) > MaxListpackFields {
		v.table = true
	}
	return true
}

func (v *Value) reindex(room int) {
	v.index = make(map[string]int32, room)
	for i := range v.fields {
		v.index[v.fields[i].name] = int32(i)
	}
}

// Delete removes a field; false where there is none.
func (v *Value) Delete(name []byte) bool {
	i := v.find(unsafe.String(unsafe.SliceData(name), len(name)))
	if i < 0 {
		return false
	}
	f, last := v.fields[i], len(v.fields)-1
	v.bytes -= len(f.name) + cap(f.value)
	if v.index != nil {
		delete(v.index, f.name)
	}
	if v.table {
		v.fields[i] = v.fields[last]
		if v.index != nil && i != last {
			v.index[v.fields[i].name] = int32(i)
		}
	} else {
		copy(v.fields[i:], v.fields[i+1:])
		if v.index != nil {
			for ; i < last; i++ {
				v.index[v.fields[i].name] = int32(i)
			}
		}
	}
	v.fields[last] = field{}
	v.fields = v.fields[:last]
	v.shrink()
	return true
}

// shrink gives memory back once three quarters of it are unused.
func (v *Value) shrink() {
	n := len(v.fields)
	if cap(v.fields) <= 2*linear || n > cap(v.fields)/4 {
		return
	}
	v.fields = append(make([]field, 0, 2*n), v.fields...)
	if v.index != nil {
		v.index = nil
		if n > linear {
			v.reindex(n)
		}
	}
}

// Scan visits about count fields from a cursor on and returns the next cursor;
// 0 starts and ends. A hash in listpack form is visited whole.
func (v *Value) Scan(cursor uint64, count int, visit func(name string, value []byte)) uint64 {
	n := len(v.fields)
	if !v.table {
		for _, f := range v.fields {
			visit(f.name, f.value)
		}
		return 0
	}
	// The cursor is how many places are left. A removal moves a field from the
	// visited end into what is left, or not at all, so nothing is missed.
	i := n
	if cursor != 0 && cursor < uint64(n) {
		i = int(cursor)
	}
	for stop := max(0, i-count); i > stop; i-- {
		visit(v.fields[i-1].name, v.fields[i-1].value)
	}
	return uint64(i)
}

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object.
func (v *Value) Encoding() string {
	if v.table {
		return "hashtable"
	}
	return "listpack"
}

// Size implements object.Object.
func (v *Value) Size() int {
	return valueSize + cap(v.fields)*fieldSize + v.bytes + len(v.index)*indexCost
}

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	c := &Value{fields: make([]field, len(v.fields)), table: v.table}
	for i, f := range v.fields {
		c.fields[i] = field{strings.Clone(f.name), append(make([]byte, 0, len(f.value)), f.value...)}
		c.bytes += len(f.name) + len(f.value)
	}
	if v.index != nil {
		c.reindex(len(c.fields))
	}
	return c
}

// rebuildPairs bounds the fields of one HSET that Rebuild emits.
const rebuildPairs = 128

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	args := make([][]byte, 0, 2+2*min(len(v.fields), rebuildPairs))
	for i := 0; i < len(v.fields); i += rebuildPairs {
		args = append(args[:0], []byte("HSET"), key)
		for _, f := range v.fields[i:min(len(v.fields), i+rebuildPairs)] {
			args = append(args, []byte(f.name), f.value)
		}
		emit(args...)
	}
}

// block allocates the names and short values of one HSET together. A chunk
// stays as long as one of its fields does, so it is small.
type block struct {
	pairs [][]byte // what is being stored, in turn
	at    int      // from here on
	free  []byte
}

const chunk = 512

func (b *block) alloc(n int) []byte {
	if n > chunk/4 {
		return make([]byte, n)
	}
	if n > len(b.free) {
		need := 0
		for i := b.at; i < len(b.pairs) && need < chunk; i++ {
			if k := len(b.pairs[i]); k <= chunk/4 {
				need += k
			}
		}
		b.free = make([]byte, max(n, min(need, chunk)))
	}
	p := b.free[:n:n]
	b.free = b.free[n:]
	return p
}

func (b *block) string(s []byte) string {
	if len(s) == 0 {
		return ""
	}
	p := b.alloc(len(s))
	copy(p, s)
	return unsafe.String(&p[0], len(p)) // nobody else writes there
}

func (b *block) bytes(s []byte) []byte {
	p := b.alloc(len(s))
	copy(p, s)
	return p
}
