//go:build !noasm

package quant

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// sq4Kernels lists the kernels in assembly, the fastest first.
var sq4Kernels = []sq4ISA{
	{"avx512vnni", cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI, scanVNNI},
	{"avx2", cpu.X86.HasAVX2 && cpu.X86.HasFMA, scanAVX2},
}

//go:noescape
func scanVNNI(est *float32, pass *uint16, codes unsafe.Pointer, c *[4]float32, k *[3]float32, block unsafe.Pointer, blocks, lines int)

//go:noescape
func scanAVX2(est *float32, pass *uint16, codes unsafe.Pointer, c *[4]float32, k *[3]float32, block unsafe.Pointer, blocks, lines int)
