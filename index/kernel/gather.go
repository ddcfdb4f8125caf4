//go:build !amd64 || noasm || race

package kernel

import (
	"sync/atomic"
	"unsafe"
)

// Gather writes to dst the slots of list that mark does not hold as tag yet,
// marks them, and returns how many there are. list holds slots plus 1, up to n
// of them, and ends with a 0. A slot that is not below marks counts as marked.
// Where the processor can, the first lines cache lines of each row found, at
// base + slot*stride, are fetched into the cache.
func Gather(dst, list *uint32, n int, mark *uint8, marks int, tag uint8, _ unsafe.Pointer, _, _ int) int {
	l, seen, out := unsafe.Slice(list, n), unsafe.Slice(mark, marks), unsafe.Slice(dst, n)
	found := 0
	for i := range l {
		v := atomic.LoadUint32(&l[i])
		if v == 0 {
			break
		}
		v--
		if int(v) >= len(seen) || seen[v] == tag {
			continue
		}
		seen[v] = tag
		out[found] = v
		found++
	}
	return found
}

// Prefetch fetches two cache lines, where the processor can.
func Prefetch(unsafe.Pointer) {}

// Fetch fetches the first lines cache lines of n rows, at base + slot*stride,
// into the cache, where the processor can.
func Fetch(*uint32, int, unsafe.Pointer, int, int) {}
