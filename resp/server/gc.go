package server

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// Keys and most values lie outside of the Go heap; what is on it are sessions,
// buffers, values that do not pack, and postings of text. The collector lets it
// grow by what is set here before it runs again.
//
//   - Go's default is by as much as there is. With little there that means to
//     collect every few megabytes, for nothing: at least gcRoom.
//   - With maxmemory the room counts: all that is not used yet is memory that the
//     process holds above its data. At most a tenth of maxmemory, though a heap
//     that is nearly all of it is then walked through more often.
//
// Whoever sets GOGC or GOMEMLIMIT knows better and is left alone.
const (
	gcRoom   = 32 << 20
	gcShare  = 10 // of maxmemory, as a divisor
	gcChange = 10 // percent by which the setting must be off to be changed: that stops all goroutines for a moment
)

// collector is how the collector is set.
type collector struct {
	percent int
	off     bool
	sample  []metrics.Sample
}

func newCollector() collector {
	return collector{
		percent: 100,
		off:     os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "",
		sample:  []metrics.Sample{{Name: "/gc/heap/live:bytes"}},
	}
}

// tune sets the collector for what the last collection has found alive.
func (c *collector) tune(maxMemory int64) {
	if c.off {
		return
	}
	metrics.Read(c.sample)
	percent := gcPercent(int64(c.sample[0].Value.Uint64()), maxMemory)
	if diff := percent - c.percent; diff*100 > c.percent*gcChange || -diff*100 > c.percent*gcChange {
		debug.SetGCPercent(percent)
		c.percent = percent
	}
}

// gcPercent is GOGC for a heap with so many bytes alive.
func gcPercent(live, maxMemory int64) int {
	live = max(live, 4<<20)
	room := max(live, gcRoom)
	if maxMemory > 0 {
		room = min(room, max(maxMemory/gcShare, gcRoom))
	}
	return int(room * 100 / live)
}
