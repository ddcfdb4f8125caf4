//go:build noasm || !amd64

package quant

import "unsafe"

const hasSQ4Rows = false

func dotSQ4(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	dotSQ4Generic(dst, q, base, slots, n, stride, size)
}
