// Package thread has work that is not urgent leave the processor to who answers clients. The scheduler
// of Go knows goroutines alone: which thread a processor runs, and for how long, is the system's to say.
package thread

import "time"

// Turn is how long a thread of the server keeps a processor that others wait for. Linux does not give less.
const Turn = 100 * time.Microsecond
