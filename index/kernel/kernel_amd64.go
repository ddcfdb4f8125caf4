//go:build !noasm

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

var assembly = []Kernel{
	{Dot, F32, "avx512", hasAVX512, dotF32AVX512},
	{Dot, F64, "avx512", hasAVX512, dotF64AVX512},
	{Dot, F16, "avx512", hasAVX512, dotF16AVX512},
	{Dot, BF16, "avx512", hasAVX512, dotBF16AVX512},
	{Dot, I8, "avx512", hasVNNI, dotI8AVX512},
	{Dot, U8, "avx512", hasVNNI, dotU8AVX512},
	{Dot, SQ8, "avx512", hasVNNI, dotSQ8AVX512},
	{Dot, Bits4, "avx512", hasVNNI, dotBits4AVX512},
	{SquaredL2, F32, "avx512", hasAVX512, l2F32AVX512},
	{SquaredL2, F64, "avx512", hasAVX512, l2F64AVX512},
	{SquaredL2, F16, "avx512", hasAVX512, l2F16AVX512},
	{SquaredL2, BF16, "avx512", hasAVX512, l2BF16AVX512},
	{SquaredL2, I8, "avx512", hasVNNI, l2I8AVX512},
	{SquaredL2, U8, "avx512", hasVNNI, l2U8AVX512},
	{Hamming, Bits, "avx512", hasVNNI, hammingAVX512},
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

// The flags of AVX-512 are set only if the operating system saves the registers.

func hasAVX512() bool {
	return hasAVX2() && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ
}

// hasVNNI is what came with Ice Lake and Zen 4.
func hasVNNI() bool {
	return hasAVX512() && cpu.X86.HasAVX512VNNI && cpu.X86.HasAVX512VPOPCNTDQ && cpu.X86.HasAVX512BITALG
}

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

//go:noescape
func dotF32AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF64AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotBF16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotI8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotU8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotSQ8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotBits4AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F32AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F64AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2BF16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2I8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2U8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func hammingAVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
