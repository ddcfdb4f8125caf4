//go:build !noasm

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

var assembly = []Kernel{
	{Dot, F32, "avx2", hasAVX2, dotF32AVX2},
	{Dot, F64, "avx2", hasAVX2, dotF64AVX2},
	{Dot, F16, "avx2", hasF16C, dotF16AVX2},
	{Dot, BF16, "avx2", hasAVX2, dotBF16AVX2},
	{Dot, I8, "avx2", hasAVX2, dotI8AVX2},
	{Dot, U8, "avx2", hasAVX2, dotU8AVX2},
	{Dot, SQ8, "avx2", hasAVX2, dotSQ8AVX2},
	{Dot, Bits4, "avx2", hasAVX2, dotBits4AVX2},
	{SquaredL2, F32, "avx2", hasAVX2, l2F32AVX2},
	{SquaredL2, F64, "avx2", hasAVX2, l2F64AVX2},
	{SquaredL2, F16, "avx2", hasF16C, l2F16AVX2},
	{SquaredL2, BF16, "avx2", hasAVX2, l2BF16AVX2},
	{SquaredL2, I8, "avx2", hasAVX2, l2I8AVX2},
	{SquaredL2, U8, "avx2", hasAVX2, l2U8AVX2},
	{Hamming, Bits, "avx2", hasAVX2, hammingAVX2},
}

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }
func hasF16C() bool { return hasAVX2() && cpu.X86.HasF16C }

//go:noescape
func dotF32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotBF16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotI8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotU8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotSQ8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotBits4AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2BF16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2I8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2U8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func hammingAVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
