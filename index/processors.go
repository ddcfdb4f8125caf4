package index

import "runtime"

// processors is how many the process may use: a program may later give Go more places than that.
var processors = runtime.GOMAXPROCS(0)

// Processors is how many threads are worth starting for work that goes on. Places for goroutines (GOMAXPROCS)
// may be more: those of threads that sleep in the system are among them.
func Processors() int { return min(runtime.GOMAXPROCS(0), processors) }
