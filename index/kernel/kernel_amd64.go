//go:build !noasm

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

var assembly = []Kernel{
	{Dot, F32, "avx2", hasAVX2, dotF32AVX2},
	{Dot, F64, "avx2", hasAVX2, dotF64AVX2},
	{SquaredL2, F32, "avx2", hasAVX2, l2F32AVX2},
	{SquaredL2, F64, "avx2", hasAVX2, l2F64AVX2},
}

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

//go:noescape
func dotF32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
