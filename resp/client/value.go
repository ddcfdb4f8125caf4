package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Kind is the type of a reply, its first byte on the wire.
type Kind byte

// The types of RESP2 and RESP3. The two nulls of RESP2 are Null too.
const (
	Status    Kind = '+'
	ErrorKind Kind = '-' // also '!', the bulk error of RESP3
	Int       Kind = ':'
	Bulk      Kind = '$'
	Array     Kind = '*'
	Null      Kind = '_'
	Map       Kind = '%' // Elems holds key, value, key, value …
	Set       Kind = '~'
	Push      Kind = '>'
	Double    Kind = ','
	Bool      Kind = '#'
	BigNumber Kind = '('
	Verbatim  Kind = '='
)

// Value is one reply. It holds copies, nothing of a connection's buffer.
type Value struct {
	Kind  Kind
	Str   string // Status, ErrorKind, Bulk, Double, BigNumber, Verbatim (without its format)
	Int   int64  // Int; Bool as 0 or 1
	Elems []Value
}

// Error is an error reply of the server, its full text.
type Error string

func (e Error) Error() string { return string(e) }

// ErrProtocol is returned when the server's bytes are not RESP, or are over a
// limit. The connection is of no use afterwards.
var ErrProtocol = errors.New("broken reply")

// Err is the error that v stands for, or nil.
func (v Value) Err() error {
	if v.Kind == ErrorKind {
		return Error(v.Str)
	}
	return nil
}

// IsNull reports whether v is a null of RESP2 or RESP3.
func (v Value) IsNull() bool { return v.Kind == Null }

// Float is the number in v, of whichever type a server of either protocol
// version sends it.
func (v Value) Float() (float64, error) {
	switch v.Kind {
	case Int, Bool:
		return float64(v.Int), nil
	}
	return strconv.ParseFloat(v.Str, 64)
}

// Get finds the value of key in a Map, or in an Array of keys and values as
// RESP2 has it.
func (v Value) Get(key string) (Value, bool) {
	if v.Kind != Map && v.Kind != Array {
		return Value{}, false
	}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		if v.Elems[i].Str == key {
			return v.Elems[i+1], true
		}
	}
	return Value{}, false
}

// String shows v on one line.
func (v Value) String() string {
	switch v.Kind {
	case Null:
		return "(nil)"
	case Int:
		return strconv.FormatInt(v.Int, 10)
	case Bool:
		return strconv.FormatBool(v.Int != 0)
	case Bulk, Verbatim:
		return strconv.Quote(v.Str)
	case Array, Set, Push, Map:
		var b strings.Builder
		fmt.Fprintf(&b, "%c[", v.Kind)
		for i, e := range v.Elems {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(e.String())
		}
		return b.String() + "]"
	}
	return v.Str
}
