package persist

import "sync"

// aheadReads is how many frames of a base are in memory: one is replayed while the
// next ones are read, checked and decompressed. Blocks take 1 MB, and their
// commands a few times as much.
const aheadReads = 3

// readAhead calls next on a goroutine of its own, and take with each frame that it
// has read, in their order, until take wants no more or fails. At the end of the
// frames, or where they do not hold, next sets err or bad, and is not called again.
func readAhead(next func(*read), take func(*read) (more bool, err error)) error {
	free, full := make(chan *read, aheadReads), make(chan *read, aheadReads)
	for range aheadReads {
		free <- &read{dec: &decoder{limit: MaxRecord, keep: true}}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		defer close(full)
		// wait returns the next that nobody uses; false where all has ended.
		wait := func() (x *read, ok bool) {
			select {
			case <-stop:
				return nil, false
			case x = <-free:
				return x, true
			}
		}
		for {
			x, ok := wait()
			if !ok {
				return
			}
			next(x)
			ended := x.err != nil || x.bad != nil
			large := x.dec.large // x is another's from here on
			full <- x            // there is room for all
			switch {
			case ended:
				return
			case !large:
				continue
			}
			// It may lie in the memory that the next frame is read into, and takes enough of it:
			// nothing is read until it has been replayed.
			var all [aheadReads]*read
			for i := range all {
				if all[i], ok = wait(); !ok {
					return
				}
			}
			for _, x := range all {
				free <- x
			}
		}
	})
	for x := range full {
		if more, err := take(x); err != nil || !more {
			return err
		}
		free <- x
	}
	return nil
}
