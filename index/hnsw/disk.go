package hnsw

import (
	"sync/atomic"
	"time"
)

// disk notices whether vectors that lie on disk are in memory. If they are not,
// to ask for all that are wanted before the first is touched lets the disk
// read them at once, instead of one after the other. Asking costs half a
// microsecond a vector, so it is done only after reading was slow.
type disk struct{ slow atomic.Int32 }

const (
	// slowRow is what no vector takes that is in memory.
	slowRow = 10 * time.Microsecond
	// slowTurns is for how many readings of vectors one that was slow counts.
	slowTurns = 256
)

// readAhead is called before the vectors of slots are read, and what it
// returns after.
func (g *Graph) readAhead(slots []uint32) (start time.Time) {
	if !g.onDisk {
		return start
	}
	if g.disk.slow.Load() > 0 {
		g.disk.slow.Add(-1)
		for _, s := range slots {
			g.vectors.arena.Want(uintptr(s)*uintptr(g.vectors.stride), uintptr(g.vectors.stride))
		}
	}
	return time.Now()
}

// haveRead says when the reading of n vectors began.
func (g *Graph) haveRead(start time.Time, n int) {
	if g.onDisk && time.Since(start) > time.Duration(n)*slowRow {
		g.disk.slow.Store(slowTurns)
	}
}
