//go:build !noasm

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

var assembly = []Kernel{
	{Dot, I8, "dotprod", hasDotProd, dotI8DotProd},
	{Dot, U8, "dotprod", hasDotProd, dotU8DotProd},
	{Dot, SQ8, "dotprod", hasDotProd, dotSQ8DotProd},
	{SquaredL2, I8, "dotprod", hasDotProd, l2I8DotProd},
	{SquaredL2, U8, "dotprod", hasDotProd, l2U8DotProd},
	{Dot, F32, "neon", always, dotF32NEON},
	{Dot, F64, "neon", always, dotF64NEON},
	{Dot, F16, "neon", always, dotF16NEON},
	{Dot, BF16, "neon", always, dotBF16NEON},
	{Dot, I8, "neon", always, dotI8NEON},
	{Dot, U8, "neon", always, dotU8NEON},
	{Dot, SQ8, "neon", always, dotSQ8NEON},
	{Dot, Bits4, "neon", always, dotBits4NEON},
	{SquaredL2, F32, "neon", always, l2F32NEON},
	{SquaredL2, F64, "neon", always, l2F64NEON},
	{SquaredL2, F16, "neon", always, l2F16NEON},
	{SquaredL2, BF16, "neon", always, l2BF16NEON},
	{SquaredL2, I8, "neon", always, l2I8NEON},
	{SquaredL2, U8, "neon", always, l2U8NEON},
	{Hamming, Bits, "neon", always, hammingNEON},
}

// hasDotProd is what came with Cortex-A75, Neoverse N1 and Apple's M1.
func hasDotProd() bool { return cpu.ARM64.HasASIMDDP }

//go:noescape
func dotI8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotU8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotSQ8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2I8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2U8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF32NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF64NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotF16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotBF16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotI8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotU8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotSQ8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotBits4NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F32NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F64NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2F16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2BF16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2I8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func l2U8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func hammingNEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
