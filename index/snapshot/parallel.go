package snapshot

import (
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
)

// Parallel calls a function for each of n slots, on all cores, until one
// returns an error. Each core has a function of its own, which newF makes.
func Parallel(n uint32, newF func() func(s uint32) error) error {
	const step = 1 << 10
	var next atomic.Uint32
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	steps := (n + step - 1) / step
	for range min(uint32(index.Processors()), steps) {
		f := newF()
		wg.Go(func() {
			for failed.Load() == nil {
				from := next.Add(1) - 1
				if from >= steps {
					return
				}
				for s := from * step; s < min((from+1)*step, n); s++ {
					if err := f(s); err != nil {
						failed.CompareAndSwap(nil, &err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
