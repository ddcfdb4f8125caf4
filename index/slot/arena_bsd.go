//go:build unix && !linux

package slot

import "os"

func adviseHuge([]byte) {}

func collapse([]byte) {}

// zeroByDiscard: here discarded pages need not read as zero.
func zeroByDiscard([]byte) bool { return false }

func memory() uint64 { return 0 }

// allocate makes the disk hold n more bytes of the file.
func allocate(f *os.File, off, n int64) error { return fill(f, off, n) }
