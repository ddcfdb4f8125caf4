//go:build !noasm && !race

package quant

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// join writes n float32, a multiple of 8, of the parts of a row of [Split].
func join(dst, codes, mids, lows unsafe.Pointer, n int, step float32, offset int32) {
	if cpu.X86.HasAVX2 {
		joinAVX2(dst, codes, mids, lows, n, step, offset)
		return
	}
	joinGeneric(unsafe.Slice((*float32)(dst), n), unsafe.Slice((*byte)(codes), n), unsafe.Slice((*byte)(mids), n), unsafe.Slice((*uint16)(lows), n), step, offset)
}

//go:noescape
func joinAVX2(dst, codes, mids, lows unsafe.Pointer, n int, step float32, offset int32)

// part writes the parts of n float32, a multiple of 8.
func part(v, codes, mids, lows unsafe.Pointer, n int, inverse float32, offset int32) (sums partSums) {
	if cpu.X86.HasAVX2 {
		partAVX2(v, codes, mids, lows, n, inverse, offset, &sums)
		return sums
	}
	return partGeneric(unsafe.Slice((*float32)(v), n), unsafe.Slice((*byte)(codes), n), unsafe.Slice((*byte)(mids), n), unsafe.Slice((*uint16)(lows), n), inverse, offset)
}

//go:noescape
func partAVX2(v, codes, mids, lows unsafe.Pointer, n int, inverse float32, offset int32, sums *partSums)
