//go:build !noasm

package quant

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

var hasSQ4Rows = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI

//go:noescape
func dotSQ4(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
