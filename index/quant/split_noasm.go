//go:build !amd64 || noasm || race

package quant

import "unsafe"

// join writes n float32, a multiple of 16, of their halves.
func join(dst, high, low unsafe.Pointer, n int) {
	joinGeneric(unsafe.Slice((*float32)(dst), n), unsafe.Slice((*uint16)(high), n), unsafe.Slice((*uint16)(low), n))
}

// widen writes n float32, a multiple of 16, of their upper halves.
func widen(dst, high unsafe.Pointer, n int) {
	widenGeneric(unsafe.Slice((*float32)(dst), n), unsafe.Slice((*uint16)(high), n))
}
