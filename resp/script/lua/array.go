package lua

import (
	"math/bits"
	"unsafe"
)

// Array is a table of strings, KEYS or ARGV, that one machine makes again for
// each script. Neither the table nor the strings are copies: bytes that are
// borrowed must not change until Release.
type Array struct {
	t    Table
	vals []Value
	strs []str
	n    int
}

// Borrow makes the table anew.
func (a *Array) Borrow(l [][]byte) Value {
	size := arrayRoom(len(l))
	if size > cap(a.vals) {
		a.vals, a.strs = make([]Value, size), make([]str, size)
	}
	vals, strs := a.vals[:size:size], a.strs[:size]
	for i, b := range l {
		strs[i] = str{s: unsafe.String(unsafe.SliceData(b), len(b))}
		vals[i] = strs[i].value()
	}
	clear(vals[len(l):])
	a.t, a.n = Table{arr: vals}, len(l)
	return a.t.value()
}

// Release forgets the bytes. The table must not be used any more.
func (a *Array) Release() {
	if cap(a.vals) > maxKeptArray {
		*a = Array{}
		return
	}
	clear(a.strs[:a.n])
	a.t, a.n = Table{}, 0
}

// maxKeptArray is the largest array that a machine keeps for the next script.
const maxKeptArray = 256

// arrayRoom is the size that the array part of a table has to which n elements
// were added one by one.
func arrayRoom(n int) int {
	if n == 0 {
		return 0
	}
	return 1 << bits.Len(uint(n-1))
}

// Array makes a table of copies of the strings.
func (s *State) Array(l [][]byte) Value {
	size := arrayRoom(len(l))
	s.alloc(tableSize + size*valueSize)
	t := &Table{arr: make([]Value, size)}
	for i, b := range l {
		s.alloc(int(unsafe.Sizeof(str{})) + len(b))
		t.arr[i] = newStr(string(b)).value()
	}
	return t.value()
}
