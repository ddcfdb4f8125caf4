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
