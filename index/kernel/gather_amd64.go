//go:build !noasm && !race

package kernel

import "unsafe"

// Gather writes to dst the slots of list that mark does not hold as tag yet,
// marks them, and returns how many there are. list holds slots plus 1, up to n
// of them, and ends with a 0. A slot that is not below marks counts as marked.
// The first lines cache lines of each row found, at base + slot*stride, are
// fetched into the cache.
func Gather(dst, list *uint32, n int, mark *uint8, marks int, tag uint8, base unsafe.Pointer, stride, lines int) int {
	return gatherAsm(dst, list, n, mark, marks, tag, base, stride, lines)
}

// Prefetch fetches two cache lines.
func Prefetch(p unsafe.Pointer) { prefetchAsm(p) }

//go:noescape
func gatherAsm(dst, list *uint32, n int, mark *uint8, marks int, tag uint8, base unsafe.Pointer, stride, lines int) int

//go:noescape
func prefetchAsm(p unsafe.Pointer)

// Fetch fetches the first lines cache lines of n rows, at base + slot*stride, into the cache.
func Fetch(slots *uint32, n int, base unsafe.Pointer, stride, lines int) {
	fetchAsm(slots, n, base, stride, lines)
}

//go:noescape
func fetchAsm(slots *uint32, n int, base unsafe.Pointer, stride, lines int)
