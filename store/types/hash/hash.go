// Package hash is the hash type: fields with values, which may have a time to live
// of their own.
//
//	small                                   large
//	┌─────┬───────────────────────┐         package members: name → value, with
//	│flags│ n │ fields …          │         its time to live, if it has one
//	└─────┴───────────────────────┘         due: the fields that have one, the
//	one run of bytes, as they came          soonest first
//
// A [Value] is small as long as Redis would keep it in a listpack, up to
// [MaxListpackFields] short fields; with longer ones up to 128 fields and 16 kB. Then
// it is large for good. In a record of the keyspace lie those of up to 128 fields and
// 16 kB.
//
// A small hash keeps the order in which fields came, as Redis' listpack does. Once a
// field has a time to live, fields stand in the order of these, the ones without
// at the end, as in Redis' listpackex. A large one holds no Go pointer per field.
//
// Encoding follows Redis' limits, which are not those of small: a hash that once
// had a value of more than 64 bytes is a hashtable for OBJECT ENCODING.
//
// Nothing here looks at a clock: fields that are due stay until [Value.Expire].
package hash

import (
	"encoding/binary"
	"slices"
	"strconv"
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
	n      int    // fields, while t is nil
	small  []byte // while t is nil
	own    []byte // the buffer that small moves to when it outgrows its place
	object bool   // was too large for a record once
	t      *table
}

// New makes an empty hash.
func New() *Value { return &Value{small: make([]byte, headLen, 32)} }

// Len is the number of fields.
func (v *Value) Len() int {
	if v.t != nil {
		return v.t.m.Len()
	}
	return v.n
}

func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Get is the value of a field.
func (v *Value) Get(name []byte) ([]byte, bool) {
	if v.t != nil {
		return v.t.get(name)
	}
	p, ok := v.findSmall(name)
	if !ok {
		return nil, false
	}
	return v.small[p.valueStart:p.end:p.end], true
}

// GetString is Get for a name that is a string.
func (v *Value) GetString(name string) ([]byte, bool) { return v.Get(bytesOf(name)) }

// Set stores a copy of value, without a time to live, and reports whether the field
// is new.
func (v *Value) Set(name, value []byte) bool { return v.set(name, value, false) }

// SetKeeping is Set for a field that keeps the time to live that it has.
func (v *Value) SetKeeping(name, value []byte) bool { return v.set(name, value, true) }

func (v *Value) set(name, value []byte, keep bool) (isNew bool) {
	long := len(name) > MaxListpackBytes || len(value) > MaxListpackBytes
	if v.t == nil {
		if long {
			v.small[0] |= flagTable
		}
		p, there := v.findSmall(name)
		if !there && v.n >= MaxListpackFields {
			v.small[0] |= flagTable
		}
		if v.fits(name, value, !there) {
			v.setSmall(name, value, p, there, keep)
			return !there
		}
		v.spread()
	}
	return v.t.set(name, value, keep)
}

// SetPairs stores copies of names and values in turn, as Set does, and returns how
// many fields are new.
func (v *Value) SetPairs(pairs [][]byte) (created int) {
	v.Expect(len(pairs) / 2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]) {
			created++
		}
	}
	return created
}

// Expect says that one command will set so many fields. It is where Redis may give
// up the listpack before the first.
func (v *Value) Expect(fields int) {
	if v.t == nil && fields > MaxListpackFields {
		v.small[0] |= flagTable
		v.spread()
	}
}

// spread makes a small hash a large one.
func (v *Value) spread() {
	t := newTable()
	for off := headLen; off < len(v.small); {
		p := v.placeAt(off)
		name := v.small[p.name:p.value]
		t.set(name, v.small[p.valueStart:p.end], false)
		if p.at != 0 {
			t.setExpiry(name, p.at)
		}
		off = p.end
	}
	*v = Value{t: t}
}

// Delete removes a field; false where there is none.
func (v *Value) Delete(name []byte) bool {
	if v.t != nil {
		return v.t.delete(name)
	}
	p, ok := v.findSmall(name)
	if ok {
		v.change(p.start, p.end, 0)
		v.setLen(v.n - 1)
	}
	return ok
}

// Each calls f with every field until it returns false, in Redis' order where there
// is one. The hash must not change meanwhile.
func (v *Value) Each(f func(name string, value []byte) bool) {
	if v.t != nil {
		v.t.each(f)
		return
	}
	for off := headLen; off < len(v.small); {
		p := v.placeAt(off)
		if !f(v.at(p)) {
			return
		}
		off = p.end
	}
}

// Scan visits fields from a cursor on, some of about count of them, and returns the
// next cursor; 0 starts and ends. A small hash is visited whole. What is there from
// the first call to the last is visited.
func (v *Value) Scan(cursor uint64, count int, visit func(name string, value []byte)) uint64 {
	if v.t != nil {
		return v.t.scan(cursor, count, visit)
	}
	v.Each(func(name string, value []byte) bool {
		visit(name, value)
		return true
	})
	return 0
}

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object.
func (v *Value) Encoding() string {
	switch {
	case v.t != nil || v.small[0]&flagTable != 0:
		return "hashtable"
	case v.timed():
		return "listpackex"
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
func (v *Value) Pack() ([]byte, bool) {
	v.object = v.object || v.t != nil || v.n > maxSmall || len(v.small) > maxBytes
	return v.small, !v.object
}

// Unpack implements object.Packable.
func (v *Value) Unpack(b []byte) {
	*v = Value{n: int(binary.LittleEndian.Uint16(b[1:])), small: b, own: v.own}
}

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	if v.t == nil {
		return &Value{n: v.n, small: slices.Clone(v.small), object: v.object}
	}
	return &Value{t: v.t.clone()}
}

// rebuildPairs bounds the fields of one command that Rebuild emits.
const rebuildPairs = 128

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	var args [][]byte
	head := 0
	var at int64 // of the fields in args
	flush := func() {
		if len(args) > head {
			if at != 0 {
				args[5] = strconv.AppendInt(nil, int64(len(args)-head)/2, 10)
			}
			emit(args...)
		}
		args = args[:0]
	}
	v.Each(func(name string, value []byte) bool {
		when, _ := v.Expiry(bytesOf(name))
		if len(args) == 0 || when != at || len(args) >= head+2*rebuildPairs {
			flush()
			at = when
			if args = append(args, []byte("HSET"), key); at != 0 {
				args = append(args[:0], []byte("HSETEX"), key, []byte("PXAT"), strconv.AppendInt(nil, at, 10), []byte("FIELDS"), nil)
			}
			head = len(args)
		}
		args = append(args, bytesOf(name), value)
		return true
	})
	flush()
}
