//go:build !amd64 || noasm || race

package quant

import "unsafe"

// join writes n float32, a multiple of 8, of the parts of a row of [Split].
func join(dst, codes, mids, lows unsafe.Pointer, n int, step float32, offset int32) {
	joinGeneric(unsafe.Slice((*float32)(dst), n), unsafe.Slice((*byte)(codes), n), unsafe.Slice((*byte)(mids), n), unsafe.Slice((*uint16)(lows), n), step, offset)
}

// part writes the parts of n float32, a multiple of 8.
func part(v, codes, mids, lows unsafe.Pointer, n int, inverse float32, offset int32) partSums {
	return partGeneric(unsafe.Slice((*float32)(v), n), unsafe.Slice((*byte)(codes), n), unsafe.Slice((*byte)(mids), n), unsafe.Slice((*uint16)(lows), n), inverse, offset)
}
