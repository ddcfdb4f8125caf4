package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
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
// A collection comes when something is allocated. What a few large values have
// left behind, in buffers that held them on their way, would stay until then, so
// after a burst that ends there is one more.
//
// Whoever sets GOGC or GOMEMLIMIT knows better and is left alone.
const (
	gcRoom   = 32 << 20
	gcShare  = 10 // of maxmemory, as a divisor
	gcChange = 10 // percent by which the setting must be off to be changed: that stops all goroutines for a moment
)

// After a tick in which less than gcQuiet bytes were allocated the collector runs
// if the heap has grown by gcBurst and by half since it was smallest. It may have been
// too early: a client may still be sending the value, and the log keeps its record
// until the disk has it, for a second. So, unless little is left, it runs once more,
// gcAgain quiet ticks later. Where more than gcCheap has to be looked through for pointers
// (postings of millions of documents) a collection takes a second of processor time, and
// what has grown is rather what is kept: that is left to Go's own rule.
const (
	gcTick  = 100 * time.Millisecond
	gcQuiet = 1 << 20
	gcBurst = 48 << 20
	gcCheap = 128 << 20
	gcAgain = 15
)

// collector is how the collector is set.
type collector struct {
	percent int
	off     bool
	sample  []metrics.Sample

	allocated uint64 // ever, at the last tick
	least     uint64 // bytes of the heap since the last burst
	again     int    // quiet ticks until the collector runs once more after it, 0 where it has
}

// of sample.
const (
	gcLive = iota
	gcObjects
	gcAllocated
	gcScanned
)

func newCollector() collector {
	return collector{
		percent: 100,
		off:     os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "",
		sample: []metrics.Sample{
			gcLive:      {Name: "/gc/heap/live:bytes"},
			gcObjects:   {Name: "/memory/classes/heap/objects:bytes"}, // with what is dead and not collected
			gcAllocated: {Name: "/gc/heap/allocs:bytes"},
			gcScanned:   {Name: "/gc/scan/heap:bytes"}, // what may hold pointers
		},
	}
}

// collectLoop looks after the collector.
func (s *Server) collectLoop(ctx context.Context) {
	if s.gc.off {
		return
	}
	t := time.NewTicker(gcTick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		metrics.Read(s.gc.sample)
		s.gc.tune(s.ks.MaxMemory())
		if saveKind(s.saves.now.Load()) != noSave {
			continue // what it holds is no burst, and its thread may be waiting for a processor, see thread.Lower
		}
		if s.gc.burst(s.gc.value(gcObjects), s.gc.value(gcAllocated), s.gc.value(gcScanned)) {
			debug.FreeOSMemory()
		}
	}
}

// collectSaved collects what a save has left behind: what waited for its disk, and what it was compressed in. Else
// the next one would take as much again.
func (s *Server) collectSaved() {
	if s.gc.off {
		return
	}
	c := newCollector()
	metrics.Read(c.sample)
	if c.value(gcObjects) > gcRoom && c.value(gcScanned) <= gcCheap {
		debug.FreeOSMemory()
	}
}

func (c *collector) value(i int) uint64 { return c.sample[i].Value.Uint64() }

// burst reports whether a burst has ended that has left much behind, or did so a
// while ago.
func (c *collector) burst(objects, allocated, scanned uint64) bool {
	quiet := allocated-c.allocated < gcQuiet
	c.allocated = allocated
	if c.least == 0 || objects < c.least {
		c.least = objects
	}
	switch {
	case !quiet:
		return false
	case scanned > gcCheap:
		c.again = 0
		return false
	case objects >= c.least+max(gcBurst, c.least/2):
		c.again = gcAgain
	case c.again == 0:
		return false
	default:
		if c.again--; c.again > 0 || objects < gcBurst {
			return false
		}
	}
	c.least = 0 // what is left is looked at next time
	return true
}

// tune sets the collector for what the last collection has found alive.
func (c *collector) tune(maxMemory int64) {
	percent := gcPercent(int64(c.value(gcLive)), maxMemory)
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
