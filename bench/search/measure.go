package search

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// used is what the server says it holds, in bytes.
func used(p *peer.Server) int64 {
	n, _ := strconv.ParseInt(p.Info()["used_memory"], 10, 64)
	return n
}

// raw is how many bytes of text and vector a document has, as they are sent.
func (c *corpus) raw() float64 {
	n := 0
	for _, t := range c.texts[:c.docs] {
		n += len(t) + 4*c.vectors.Dim
	}
	return float64(n) / float64(c.docs)
}

// asker is a connection with the times of its queries.
type asker struct {
	conn  *client.Conn
	times []time.Duration
}

func newAsker(ctx context.Context, p *peer.Server) (*asker, error) {
	conn, err := client.Dial(ctx, p.Addr, client.Options{Proto: 2, Timeout: time.Minute})
	return &asker{conn: conn}, err
}

func (q *asker) ask(args []any) (client.Value, error) {
	begun := time.Now()
	v, err := q.conn.Do(args...)
	q.times = append(q.times, time.Since(begun))
	return v, err
}

// askAll asks queries which are sent together. Each takes until the last reply has come.
func (q *asker) askAll(queries [][]any) error {
	if len(queries) == 1 {
		_, err := q.ask(queries[0])
		return err
	}
	begun := time.Now()
	p := q.conn.Pipeline()
	for _, args := range queries {
		p.Add(args...)
	}
	var failed error
	err := p.Each(func(_ int, v client.Value) {
		if err := v.Err(); err != nil {
			failed = err
		}
	})
	took := time.Since(begun)
	for range queries {
		q.times = append(q.times, took)
	}
	return errors.Join(err, failed)
}

// measureCase asks every query once for the truth, then from all connections.
func (o *options) measureCase(ctx context.Context, c *corpus, p *peer.Server, a *aCase) (caseResult, error) {
	r := caseResult{Name: a.name, Recall: -1}
	first, err := newAsker(ctx, p)
	if err != nil {
		return r, err
	}
	defer first.conn.Close()
	sum := 0.0
	for i := range o.queries {
		v, err := first.ask(a.make(c, i))
		if err != nil {
			return r, err
		}
		if len(v.Elems) > 0 {
			r.Rows += float64(v.Elems[0].Int) / float64(o.queries)
		}
		if a.keep != nil {
			sum += recall(v, c.truth(a, i))
		}
	}
	if a.keep != nil {
		r.Recall = sum / float64(o.queries)
	}

	askers := make([]*asker, o.conns)
	for i := range askers {
		if askers[i], err = newAsker(ctx, p); err != nil {
			return r, err
		}
		defer askers[i].conn.Close()
	}
	cpu, begun := p.CPU(), time.Now()
	end := begun.Add(o.duration)
	errs := make([]error, o.conns)
	var wg sync.WaitGroup
	for i, q := range askers {
		wg.Go(func() {
			queries := make([][]any, max(1, o.pipeline))
			for n := i; n == i || time.Now().Before(end) && ctx.Err() == nil; { // once at least
				for k := range queries {
					queries[k] = a.make(c, n%o.queries)
					n += o.conns
				}
				if err := q.askAll(queries); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	var times []time.Duration
	for i, q := range askers {
		if errs[i] != nil {
			return r, errs[i]
		}
		times = append(times, q.times...)
	}
	r.PerSecond = float64(len(times)) / took.Seconds()
	r.CPUMicros = (p.CPU() - cpu) * 1e6 / float64(max(1, len(times)))
	r.P50, r.P99 = quantile(times, 0.5), quantile(times, 0.99)
	return r, ctx.Err()
}

// quantile is in milliseconds.
func quantile(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return float64(times[min(len(times)-1, int(q*float64(len(times))))].Microseconds()) / 1000
}

// bulkCases are what is asked while documents are loaded: neighbours, filters and words.
var bulkCases = []string{"KNN 10, EF 100", "KNN 10, tag of 1%", "numbers, sorted", "a tag", "a word"}

// bulkPace is between two queries of a connection's: a hundred a second, so that what is measured is not how they wait
// for each other.
const bulkPace = 10 * time.Millisecond

// measureBulk asks each of bulkCases over a connection of its own: while nothing else happens, while documents are
// loaded over a further one, and while nothing else happens with all of them there.
func (o *options) measureBulk(ctx context.Context, c *corpus, p *peer.Server) (*bulkResult, error) {
	r := &bulkResult{}
	loader, err := newAsker(ctx, p)
	if err != nil {
		return nil, err
	}
	defer loader.conn.Close()
	askers := make([]*asker, len(bulkCases))
	for i := range askers {
		if askers[i], err = newAsker(ctx, p); err != nil {
			return nil, err
		}
		defer askers[i].conn.Close()
	}
	during := func(load func() error) error {
		done := make(chan struct{})
		errs := make([]error, len(askers))
		var wg sync.WaitGroup
		for i, q := range askers {
			a := &cases[slices.IndexFunc(cases, func(a aCase) bool { return a.name == bulkCases[i] })]
			q.times = q.times[:0]
			wg.Go(func() {
				time.Sleep(time.Duration(i) * bulkPace / time.Duration(len(askers))) // not all at one moment
				tick := time.NewTicker(bulkPace)
				defer tick.Stop()
				for n := 0; errs[i] == nil; n++ {
					select {
					case <-done:
						return
					case <-tick.C:
						_, errs[i] = q.ask(a.make(c, n%o.queries))
					}
				}
			})
		}
		err := load()
		close(done)
		wg.Wait()
		return errors.Join(append(errs, err)...)
	}
	calm := func() error {
		return during(func() error {
			time.Sleep(max(o.duration, 3*time.Second))
			return ctx.Err()
		})
	}
	err = calm()
	for i, q := range askers {
		r.Cases = append(r.Cases, bulkCase{Name: bulkCases[i], Before: latencyOf(q.times)})
	}
	if err != nil {
		return r, err
	}
	begun := time.Now()
	err = during(func() error {
		err := c.loadMore(loader.conn, "d:bulk", o.bulk)
		if err == nil {
			err = indexed(loader.conn, "idx", c.docs+o.bulk)
		}
		r.Seconds = time.Since(begun).Seconds()
		return err
	})
	for i, q := range askers {
		r.Cases[i].During = latencyOf(q.times)
	}
	if err != nil {
		return r, err
	}
	err = calm()
	for i, q := range askers {
		r.Cases[i].After = latencyOf(q.times)
	}
	return r, err
}

func latencyOf(times []time.Duration) latency {
	return latency{len(times), quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1)}
}
