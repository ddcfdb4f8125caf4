// Package object says what a value in the keyspace is.
package object

// Type describes a data type: a row of types.All.
type Type struct {
	Name string // as TYPE answers: "string", "hash"
}

// Object is a value under a key. It is guarded by its key's shard lock.
type Object interface {
	// Type is the object's descriptor, the same pointer for all objects of a type.
	Type() *Type
	// Encoding is what OBJECT ENCODING answers.
	Encoding() string
	// Size is the memory it holds in bytes, itself included. It costs O(1).
	Size() int
	// Clone is a deep copy, for COPY.
	Clone() Object
	// Rebuild emits commands that build the object under key in an empty
	// keyspace; emit copies its arguments. It is how a value is rewritten to the log.
	Rebuild(key []byte, emit func(args ...[]byte))
}
