// Package hash is the hash type: fields with values.
//
//	small                          large
//	┌─────┬───────────────┐        fields: name and value, dense in a slice
//	│flags│ n │ fields …  │        index:  name → place, where there are too many to look through
//	└─────┴───────────────┘
//	one run of bytes, as they came
//
// A [Value] is small up to 128 fields and 16 kB, and then large for good. Up to
// [MaxListpackFields] short fields keep the order in which they came, as Redis'
// listpack does; beyond, a removed field's place is taken by the last one. So a
// random field costs O(1), and [Value.Scan], which walks from the end to the
// start, returns every field that is there throughout.
//
// Encoding follows Redis' limits, which are not those of small: a hash that once
// had a value of more than 64 bytes is a hashtable for OBJECT ENCODING.
package hash

import (
	"encoding/binary"
	"slices"
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

// Value is a hash. Make it with New. The names and values that its methods
// return are valid until it is changed, and at most while its key's shard is
// held; those that they are given may not be of the hash itself.
type Value struct {
	n     int    // fields, while t is nil
	small []byte // while t is nil
	own   []byte // the buffer that small moves to when it outgrows its place
	last  cursor
	t     *table
}

// New makes an empty hash.
func New() *Value { return &Value{small: make([]byte, headLen, 32)} }

// Len is the number of fields.
func (v *Value) Len() int {
	if v.t != nil {
		return len(v.t.fields)
	}
	return v.n
}

// At is the field at place i, 0 to Len()-1. To walk over all of them one after
// the other costs O(Len).
func (v *Value) At(i int) (name string, value []byte) {
	if v.t != nil {
		return v.t.fields[i].name, v.t.fields[i].value
	}
	return v.at(v.seek(i))
}

// Get is the value of a field.
func (v *Value) Get(name []byte) ([]byte, bool) {
	return v.GetString(unsafe.String(unsafe.SliceData(name), len(name)))
}

// GetString is Get for a name that is a string.
func (v *Value) GetString(name string) ([]byte, bool) {
	if v.t != nil {
		if i := v.t.find(name); i >= 0 {
			return v.t.fields[i].value, true
		}
		return nil, false
	}
	p, ok := v.findSmall(name)
	if !ok {
		return nil, false
	}
	_, value := v.at(p)
	return value, true
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
	if v.t == nil && n > MaxListpackFields {
		v.spread(n)
		v.t.hashed = true
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
	long := len(name) > MaxListpackBytes || len(value) > MaxListpackBytes
	if v.t == nil {
		p, there := v.findSmall(unsafe.String(unsafe.SliceData(name), len(name)))
		if v.fits(name, value, !there) {
			v.setSmall(name, value, p, there)
			if long {
				v.small[0] |= flagTable
			}
			return !there
		}
		v.spread(v.n + 1)
	}
	v.t.hashed = v.t.hashed || long
	return v.t.set(name, value, b)
}

// spread makes a small hash a large one, with room for so many fields.
func (v *Value) spread(room int) {
	t := &table{fields: make([]field, 0, room), hashed: v.hashed()}
	var b block
	for off := headLen; off < len(v.small); {
		p := placeAt(v.small, off)
		t.set(v.small[p.name:p.value], v.small[p.valueStart:p.end], &b)
		off = p.end
	}
	*v = Value{t: t}
}

// Delete removes a field; false where there is none.
func (v *Value) Delete(name []byte) bool {
	s := unsafe.String(unsafe.SliceData(name), len(name))
	if v.t != nil {
		return v.t.delete(s)
	}
	p, ok := v.findSmall(s)
	if ok {
		v.change(p.start, p.end, 0)
		v.setLen(v.n - 1)
	}
	return ok
}

// Scan visits about count fields from a cursor on and returns the next cursor;
// 0 starts and ends. A small hash, or one in listpack form, is visited whole.
func (v *Value) Scan(cursor uint64, count int, visit func(name string, value []byte)) uint64 {
	n := v.Len()
	if !v.hashed() || v.t == nil {
		for i := range n {
			visit(v.At(i))
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
		visit(v.At(i - 1))
	}
	return uint64(i)
}

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// hashed reports whether Redis would call the hash a hashtable.
func (v *Value) hashed() bool {
	if v.t != nil {
		return v.t.hashed
	}
	return v.small[0]&flagTable != 0
}

// Encoding implements object.Object.
func (v *Value) Encoding() string {
	if v.hashed() {
		return "hashtable"
	}
	return "listpack"
}

// Size implements object.Object.
func (v *Value) Size() int {
	n := int(unsafe.Sizeof(*v))
	if v.t != nil {
		return n + v.t.size()
	}
	return n + cap(v.small)
}

// Pack implements object.Packable.
func (v *Value) Pack() ([]byte, bool) { return v.small, v.t == nil }

// Unpack implements object.Packable.
func (v *Value) Unpack(b []byte) {
	*v = Value{n: int(binary.LittleEndian.Uint16(b[1:])), small: b, own: v.own}
}

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	if v.t == nil {
		return &Value{n: v.n, small: slices.Clone(v.small)}
	}
	return &Value{t: v.t.copy()}
}

// rebuildPairs bounds the fields of one HSET that Rebuild emits.
const rebuildPairs = 128

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	n := v.Len()
	args := make([][]byte, 0, 2+2*min(n, rebuildPairs))
	for i := 0; i < n; i += rebuildPairs {
		args = append(args[:0], []byte("HSET"), key)
		for j := i; j < min(n, i+rebuildPairs); j++ {
			name, value := v.At(j)
			args = append(args, []byte(name), value)
		}
		emit(args...)
	}
}
