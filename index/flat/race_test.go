//go:build race

package flat

const (
	raceEnabled = true
	heapArenas  = 4 << 20 // the race detector sees only the heap
)
