// Package peer starts and questions the servers that a benchmark compares, and
// names the machine they run on.
//
//	specs.go     the flags that name servers      server.go    start, INFO, processor time, memory
//	machine.go   machine, checkout, commit        pin_linux.go cores
//
// A Server is used by one goroutine at a time; CPU and RSS of one that this
// program started may be asked from any.
package peer
