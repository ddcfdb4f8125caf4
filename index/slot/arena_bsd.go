//go:build unix && !linux

package slot

func adviseHuge([]byte) {}

// zeroByDiscard: here discarded pages need not read as zero.
func zeroByDiscard([]byte) bool { return false }

func memory() uint64 { return 0 }
