//go:build !noasm

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/nearcache/nearcache/index"
)

var assembly = []Kernel{
	{Dot, index.Float32, "avx2", hasAVX2, dotF32AVX2},
	{Dot, index.Float64, "avx2", hasAVX2, dotF64AVX2},
	{SquaredL2, index.Float32, "avx2", hasAVX2, l2F32AVX2},
	{SquaredL2, index.Float64, "avx2", hasAVX2, l2F64AVX2},
}

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

//go:noescape
func dotF32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride int)

//go:noescape
func dotF64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride int)

//go:noescape
func l2F32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride int)

//go:noescape
func l2F64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride int)
