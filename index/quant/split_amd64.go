//go:build !noasm && !race

package quant

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// join writes n float32, a multiple of 16, of their halves.
func join(dst, high, low unsafe.Pointer, n int) {
	if cpu.X86.HasAVX2 {
		joinAVX2(dst, high, low, n)
		return
	}
	joinGeneric(unsafe.Slice((*float32)(dst), n), unsafe.Slice((*uint16)(high), n), unsafe.Slice((*uint16)(low), n))
}

//go:noescape
func joinAVX2(dst, high, low unsafe.Pointer, n int)

// widen writes n float32, a multiple of 16, of their upper halves.
func widen(dst, high unsafe.Pointer, n int) {
	if cpu.X86.HasAVX2 {
		widenAVX2(dst, high, n)
		return
	}
	widenGeneric(unsafe.Slice((*float32)(dst), n), unsafe.Slice((*uint16)(high), n))
}

//go:noescape
func widenAVX2(dst, high unsafe.Pointer, n int)
