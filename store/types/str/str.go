// Package str is the string type.
package str

import (
	"encoding/binary"
	"encoding/hex"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/nearcache/nearcache/store/decimal"
	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of strings.
var Type = &object.Type{ID: object.String, Name: "string", New: func() object.Object { return new(Value) }}

// Value is a string: any bytes up to proto-max-bulk-len.
type Value struct {
	B    []byte // owned by the value
	form form
}

// form is what is known of how the string came to be: Redis looks for integers
// only in strings that were set whole, and OBJECT ENCODING shows it. It is kept
// in two bits of a record.
type form uint8

const (
	whole   form = iota // set as it is
	printed             // result of a sum: never an integer
	edited              // changed in place: always raw
)

// Form is what a record keeps of the string beside its bytes.
func (v *Value) Form() uint8 { return uint8(v.form) }

// Stand makes the value stand on the bytes and the form that a record has kept.
// Nothing is copied: changes are made in b, up to its capacity.
func (v *Value) Stand(b []byte, f uint8) { v.B, v.form = b, form(f) }

// New makes a value that owns b.
func New(b []byte) *Value { return &Value{B: b} }

// Copy makes a value of a copy of b. A short one lies in the same piece of
// memory as the value: one allocation less, one cache miss less per read.
func Copy(b []byte) *Value {
	switch n := len(b); {
	case n <= 16:
		v := new(struct {
			Value
			room [16]byte
		})
		v.B = append(v.room[:0], b...)
		return &v.Value
	case n <= 32:
		v := new(struct {
			Value
			room [32]byte
		})
		v.B = append(v.room[:0], b...)
		return &v.Value
	case n <= 64:
		v := new(struct {
			Value
			room [64]byte
		})
		v.B = append(v.room[:0], b...)
		return &v.Value
	}
	return &Value{B: append(make([]byte, 0, len(b)), b...)}
}

// MarkRaw notes that the bytes were changed in place (APPEND, SETRANGE).
func (v *Value) MarkRaw() { v.form = edited }

// MarkPrinted notes that the bytes are a printed number (INCRBYFLOAT).
func (v *Value) MarkPrinted() { v.form = printed }

// Grow makes the string at least n bytes long, with zeros at its end, and
// returns its bytes, which the caller changes in place.
func (v *Value) Grow(n int) []byte {
	if n > len(v.B) {
		v.B = append(v.B, make([]byte, n-len(v.B))...)
	}
	v.form = edited
	return v.B
}

// Digest is the string's XXH3 hash as DIGEST prints it.
func (v *Value) Digest() (text [16]byte) {
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], xxh3.Hash(v.B))
	hex.Encode(text[:], sum[:])
	return text
}

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// maxEmbedded is Redis' OBJ_ENCODING_EMBSTR_SIZE_LIMIT.
const maxEmbedded = 44

// Encoding implements object.Object.
func (v *Value) Encoding() string {
	switch {
	case v.form == edited:
		return "raw"
	case v.form == whole && isInt(v.B):
		return "int"
	case len(v.B) <= maxEmbedded:
		return "embstr"
	}
	return "raw"
}

func isInt(b []byte) bool {
	_, ok := decimal.ParseInt(b)
	return ok
}

// Size implements object.Object.
func (v *Value) Size() int { return int(unsafe.Sizeof(*v)) + cap(v.B) }

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	c := Copy(v.B)
	c.form = v.form
	return c
}

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	emit([]byte("SET"), key, v.B)
}
