package tracking

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp/client"
)

// order reads keys in long pipelines of commands whose replies are arrays, while
// they are written all the time. A reply of another shape has been split; a
// value that is older than one read before came behind its own invalidation; a
// change that no push has told of, behind a barrier, was lost.
func (b *bench) order() error {
	const keys, depth = 8, 100
	want := max(1000, b.ops/10)
	if _, err := b.ctl.Do("FLUSHALL"); err != nil {
		return err
	}
	w, err := b.dial(nil)
	if err != nil {
		return err
	}
	defer w.Close()
	key := func(i int) string { return "order:" + strconv.Itoa(i) }
	var stop atomic.Bool
	var newest [keys]atomic.Int64 // acknowledged
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		for v := int64(1); !stop.Load(); v++ {
			args := []any{"MSET"}
			for i := range keys {
				args = append(args, key(i), v)
			}
			if _, err := w.Do(args...); err != nil {
				failed = err
				return
			}
			for i := range newest {
				newest[i].Store(v)
			}
		}
	})
	var replies, pushes, lost, overtaken, split int64
	held := map[string]int64{} // what a client without care would keep
	seen := map[string]int64{}
	r, err := b.dial(func(v client.Value) {
		pushes++
		if len(v.Elems) != 2 {
			split++
			return
		}
		for _, k := range v.Elems[1].Elems {
			delete(held, k.Str)
		}
	})
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Do("CLIENT", "TRACKING", "ON"); err != nil {
		return err
	}
	take := func(k string, v client.Value) {
		x, err := strconv.ParseInt(v.Str, 10, 64)
		switch {
		case v.IsNull():
		case v.Kind != client.Bulk || err != nil:
			split++
		default:
			if x < seen[k] {
				overtaken++
			}
			held[k], seen[k] = x, x
		}
	}
	for replies < want && b.ctx.Err() == nil && failed == nil {
		p := r.Pipeline()
		for i := range depth {
			if i%3 == 0 {
				p.Add("GET", key(i%keys))
			} else {
				p.Add("MGET", key(0), key(1), key(2), key(3), key(4), key(5), key(6), key(7))
			}
		}
		if err := p.Each(func(i int, v client.Value) {
			if i%3 == 0 {
				take(key(i%keys), v)
				return
			}
			if v.Kind != client.Array || len(v.Elems) != keys {
				split++
				return
			}
			for k, e := range v.Elems {
				take(key(k), e)
			}
		}); err != nil {
			split++
			return err
		}
		replies += depth
		var before [keys]int64
		for i := range before {
			before[i] = newest[i].Load()
		}
		if v, err := r.Do("PING"); err != nil || v.Str != "PONG" {
			split++
			return fmt.Errorf("PING answered %v, %v", v, err)
		}
		for i := range before {
			if v, ok := held[key(i)]; ok && v < before[i] {
				lost++
			}
		}
		if replies%100_000 == 0 {
			fmt.Fprintf(b.progress, "\r%3.0f%%  %d replies, %d pushes ", 100*float64(replies)/float64(want), replies, pushes)
		}
	}
	fmt.Fprintln(b.progress)
	stop.Store(true)
	wg.Wait()
	if failed != nil {
		return failed
	}
	b.figure("order", fmt.Sprintf("pushes lost / overtaken / splitting a reply, in %d pipelined replies with %d pushes", replies, pushes),
		"0 / 0 / 0", lost+overtaken+split > 0 || pushes == 0, "%d / %d / %d", lost, overtaken, split)
	return nil
}
