package tracking

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// latency has many clients that each hold a copy of a key of their own, and one
// that all hold. It writes their keys one after the other, a thousand a second, and
// takes the time from the write's acknowledgement to the push on the client's socket.
func (b *bench) latency() error {
	const clients, writes = 1000, 10_000
	var arrived [clients]atomic.Int64 // Unix ns of the newest push
	var ready, wg sync.WaitGroup
	var failed atomic.Pointer[error]
	fail := func(err error) { failed.CompareAndSwap(nil, &err) }
	key := func(i int) string { return "latency:" + strconv.Itoa(i) }
	again := make([]chan struct{}, clients)
	conns := make([]*client.Conn, clients)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
		for _, ch := range again {
			if ch != nil {
				close(ch)
			}
		}
		wg.Wait()
	}()
	ready.Add(clients)
	for i := range clients {
		var pushed bool
		c, err := client.Dial(b.ctx, b.addr, client.Options{Timeout: -1, OnPush: func(client.Value) {
			arrived[i].Store(time.Now().UnixNano())
			pushed = true
		}})
		if err != nil {
			return err
		}
		conns[i], again[i] = c, make(chan struct{}, 1)
		if _, err := c.Do("CLIENT", "TRACKING", "ON"); err != nil {
			return err
		}
		wg.Go(func() {
			_, err := c.Do("GET", key(i))
			ready.Done()
			for err == nil {
				pushed = false
				if err = c.Await(func() bool { return pushed }); err != nil {
					return // closed
				}
				if _, ok := <-again[i]; !ok {
					return
				}
				if _, err = c.Do("GET", key(i)); err != nil {
					fail(err)
				}
			}
		})
	}
	ready.Wait()
	w, err := b.dial(nil)
	if err != nil {
		return err
	}
	defer w.Close()
	var all []time.Duration
	for n := range writes {
		i := n * 7 % clients
		start := time.Now()
		if _, err := w.Do("SET", key(i), n); err != nil {
			return err
		}
		acked := time.Now().UnixNano()
		for arrived[i].Load() == 0 {
			if time.Since(start) > 10*time.Second {
				return fmt.Errorf("no push came to client %d", i)
			}
			time.Sleep(20 * time.Microsecond)
		}
		all = append(all, max(0, time.Duration(arrived[i].Swap(0)-acked)))
		again[i] <- struct{}{}
		time.Sleep(time.Until(start.Add(time.Millisecond)))
		if err := b.ctx.Err(); err != nil {
			return err
		}
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	slices.Sort(all)
	b.figure("latency", fmt.Sprintf("from a write's acknowledgement to the push, %d tracking clients, %d writes: p50 / p99 / longest", clients, writes),
		"0.2 ms / 5 ms", false, "%.3f / %.3f / %.3f ms", ms(quantile(all, 0.5)), ms(quantile(all, 0.99)), ms(all[len(all)-1]))
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// churn has ten thousand clients read keys and go.
func (b *bench) churn() error {
	const clients, reads, at = 10_000, 20, 100
	if _, err := b.ctl.Do("FLUSHALL"); err != nil {
		return err
	}
	most := int64(0)
	for n := 0; n < clients; n += at {
		var wg sync.WaitGroup
		errs := make(chan error, at)
		for i := range at {
			wg.Go(func() {
				c, err := b.dial(nil)
				if err != nil {
					errs <- err
					return
				}
				defer c.Close()
				p := c.Pipeline()
				p.Add("CLIENT", "TRACKING", "ON")
				for k := range reads {
					p.Add("GET", fmt.Sprint("churn:", (n+i+k*k)%5000))
				}
				if _, err := p.Run(); err != nil {
					errs <- err
				}
			})
		}
		wg.Wait()
		select {
		case err := <-errs:
			return err
		default:
		}
		items, err := b.info("tracking_total_items")
		if err != nil {
			return err
		}
		most = max(most, items)
		if n%1000 == 0 {
			fmt.Fprintf(b.progress, "\r%3d%% ", 100*n/clients)
		}
	}
	time.Sleep(5 * time.Second)
	items, err := b.info("tracking_total_items")
	if err != nil {
		return err
	}
	keys, err := b.info("tracking_total_keys")
	if err != nil {
		return err
	}
	fmt.Fprintln(b.progress)
	b.figure("churn", fmt.Sprintf("keys and items left 5 s after %d clients with %d reads each (at most %d items meanwhile)", clients, reads, most), "0, 0", items+keys > 0, "%d, %d", keys, items)
	return nil
}

// memory counts the table's bytes by INFO, with keys of 20 bytes.
func (b *bench) memory() error {
	const keys, more = 500_000, 4
	if _, err := b.ctl.Do("FLUSHALL"); err != nil {
		return err
	}
	time.Sleep(2500 * time.Millisecond) // for clients of earlier parts to be gone
	var sizes [2]int64
	empty, err := b.info("mem_tracking_table")
	if err != nil {
		return err
	}
	for n := range 1 + more {
		c, err := b.dial(nil)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Do("CLIENT", "TRACKING", "ON"); err != nil {
			return err
		}
		for i := 0; i < keys; {
			p := c.Pipeline()
			for range 1000 {
				p.Add("GET", fmt.Sprintf("user:session:%07d", i))
				i++
			}
			if _, err := p.Run(); err != nil {
				return err
			}
		}
		if n == 0 || n == more {
			held, err := b.info("mem_tracking_table")
			if err != nil {
				return err
			}
			sizes[min(n, 1)] = held - empty
		}
	}
	b.figure("memory", fmt.Sprintf("bytes of a tracked key of 20 bytes with one client / of each further one (%d keys)", keys), "≤ 64 / ≤ 16", false,
		"%.1f / %.1f", float64(sizes[0])/keys, float64(sizes[1]-sizes[0])/keys/more)
	return nil
}
