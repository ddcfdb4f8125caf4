// Package thread has work that is not urgent leave the processor to who answers clients. The scheduler
// of Go knows goroutines alone: which thread a processor runs, and for how long, is the system's to say.
package thread

import "time"

// Turn is how long work that is not urgent keeps a processor that others want, if one piece of it is
// not longer.
const Turn = 100 * time.Microsecond
