// Package object says what a value in the keyspace is.
package object

// ID numbers a data type. It is kept in four bits of a record, and in
// snapshots: numbers are never given to another type.
type ID uint8

// The data types.
const (
	String ID = iota
	Hash
	List
	Set
	ZSet
	Stream
	JSON
	VectorSet
	Suggestions
	IDs // how many there are
)

// Type describes a data type: a row of types.All.
type Type struct {
	ID   ID
	Name string        // as TYPE answers: "string", "hash"
	New  func() Object // an empty value, also the place that a packed one is unpacked into
}

// Object is a value under a key. It is guarded by its key's shard lock.
type Object interface {
	// Type is the object's descriptor, the same pointer for all objects of a type.
	Type() *Type
	// Encoding is what OBJECT ENCODING answers.
	Encoding() string
	// Size is the memory it holds in bytes, itself included. It costs O(1).
	Size() int
	// Clone is a deep copy, for COPY. It shares no memory with the original. nil: the
	// type has none.
	Clone() Object
	// Rebuild emits commands that build the object under key in an empty
	// keyspace; emit copies its arguments. It is how a value is rewritten to the log.
	Rebuild(key []byte, emit func(args ...[]byte))
}

// Packable is an Object that lies as plain bytes in its key's record while it
// is small: no object on the Go heap, nothing for the collector to look at.
//
// The keyspace unpacks it for the length of a command, and packs it when the
// command says that it has changed it (Tx.Changed).
type Packable interface {
	Object
	// Pack returns the bytes of the packed form, valid until the next change.
	// It returns false once the value is too large for it; then the value stays
	// an object, for good.
	Pack() (b []byte, ok bool)
	// Unpack makes the value stand on b, which Pack has returned once, and
	// forget what it held. Nothing is copied: changes are made in b, up to its
	// capacity, and what needs more moves to a buffer of the value's own, which
	// it keeps for the next time.
	Unpack(b []byte)
}

// Expiring is an Object of which parts have a time to live of their own:
// fields of a hash.
type Expiring interface {
	Object
	// NextExpiry is when the next part dies in Unix ms, 0 for never.
	NextExpiry() int64
	// Expire removes the parts that are due at now and calls gone with each
	// one's name.
	Expire(now int64, gone func(part []byte))
	// Len is the number of parts that are left; the key goes with the last.
	Len() int
}
