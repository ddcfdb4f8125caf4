//go:build noasm || race || !amd64

package quant

var sq4RowsKernels []sq4RowsISA
