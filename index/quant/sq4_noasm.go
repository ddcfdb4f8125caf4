//go:build noasm || !amd64

package quant

var sq4Kernels []sq4ISA
