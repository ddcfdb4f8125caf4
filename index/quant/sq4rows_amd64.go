//go:build !noasm && !race

package quant

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// sq4RowsKernels lists the kernels in assembly, the fastest first.
var sq4RowsKernels = []sq4RowsISA{
	{"avx512vnni", cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI, dotSQ4AVX512},
	{"avx2", cpu.X86.HasAVX2, dotSQ4AVX2},
}

//go:noescape
func dotSQ4AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

//go:noescape
func dotSQ4AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
