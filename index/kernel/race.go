//go:build race

package kernel

import (
	"runtime"
	"unsafe"
)

// annotate tells the race detector what a kernel reads, as it cannot see into
// assembly. It matters where rows lie on the Go heap, see slot.Arena. What is
// read behind stride is multiplied by zero, so that it may change meanwhile.
func annotate(k Kernel) Kernel {
	f := k.Func
	k.Func = func(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
		if n > 0 && size > 0 {
			for _, s := range unsafe.Slice(slots, n) {
				runtime.RaceReadRange(unsafe.Add(base, uintptr(s)*uintptr(stride)), min(stride, size))
			}
		}
		f(dst, q, base, slots, n, stride, size)
	}
	return k
}
