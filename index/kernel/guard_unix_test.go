//go:build unix

package kernel

import (
	"os"

	"golang.org/x/sys/unix"
)

// newGuard is memory between two pages where an access is a fault. It lives
// as long as the process.
func newGuard(size int) []byte {
	page := os.Getpagesize()
	size = (size + page - 1) &^ (page - 1)
	mem, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for _, p := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(p, unix.PROT_NONE); err != nil {
			panic(err)
		}
	}
	return mem[page : page+size]
}
