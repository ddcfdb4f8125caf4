package server

import "testing"

func TestGCPercent(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	f := func(live, maxMemory int64, want int) {
		t.Helper()
		if got := gcPercent(live, maxMemory); got != want {
			t.Errorf("%d MB alive, maxmemory %d MB: %d, want %d", live/mb, maxMemory/mb, got, want)
		}
	}
	f(0, 0, 800) // little is there: 32 MB of room
	f(4*mb, 0, 800)
	f(32*mb, 0, 100)
	f(1000*mb, 0, 100) // Go's default
	f(10*mb, 100*mb, 320)
	f(100*mb, 100*mb, 32) // not less than 32 MB of room
	f(100*mb, 1000*mb, 100)
	f(500*mb, 1000*mb, 20)
	f(1000*mb, 1000*mb, 10)
}

func TestBurst(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	c := newCollector()
	allocated, scanned := uint64(0), uint64(10*mb)
	f := func(objects, more uint64, want bool) {
		t.Helper()
		allocated += more * mb
		if got := c.burst(objects*mb, allocated, scanned); got != want {
			t.Errorf("%d MB of objects after %d MB more: %v", objects, more, got)
		}
	}
	f(10, 10, false)
	f(130, 130, false) // it goes on
	f(130, 0, true)
	f(70, 0, false) // alive
	f(110, 40, false)
	f(110, 0, false)
	f(30, 0, false) // something has died
	f(80, 0, true)
	f(1000, 920, false)
	f(1400, 400, false)
	f(1400, 0, false) // not by half
	f(1500, 100, false)
	f(1500, 0, true)
	for range gcAgain - 1 {
		f(1500, 0, false)
		f(1500, 10, false) // these do not count
	}
	f(1500, 0, true) // once more, for what has died since
	for range 2 * gcAgain {
		f(1400, 0, false)
	}
	f(1400+700, 700, false)
	f(1400+700, 0, true)
	for range 2 * gcAgain {
		f(40, 0, false) // nearly all has gone at once
	}
	f(200, 160, false)
	f(200, 0, true)
	scanned = gcCheap + 1 // that would take long
	for range 2 * gcAgain {
		f(200, 0, false)
	}
	f(900, 700, false)
	f(900, 0, false)
}
