//go:build !noasm && !race

package space

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/nearcache/nearcache/index"
)

// widenFast widens as many as there are eights, and returns how many. A
// neighbour that is selected becomes a query: of an insertion into a graph of
// FLOAT16 one at a time took more than a third.
func widenFast(dst []float32, src []uint16, e index.Element) int {
	n := len(src) &^ 7
	if n == 0 || !cpu.X86.HasAVX2 || !cpu.X86.HasF16C {
		return 0
	}
	_ = dst[n-1]
	d, s := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(src))
	if e == index.Float16 {
		widenF16(d, s, n)
	} else {
		widenBF16(d, s, n)
	}
	return n
}

//go:noescape
func widenF16(dst, src unsafe.Pointer, n int)

//go:noescape
func widenBF16(dst, src unsafe.Pointer, n int)
