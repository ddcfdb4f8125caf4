//go:build race

package evict

// raceEnabled says that tests take longer: what one goroutine computes for seconds has no races to find.
const raceEnabled = true
