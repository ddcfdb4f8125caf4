package search

import (
	"context"
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
			for n := i; time.Now().Before(end) && ctx.Err() == nil; n += o.conns {
				if _, err := q.ask(a.make(c, n%o.queries)); err != nil {
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

// measureBulk asks for neighbours over one connection, and for words over another,
// while documents are loaded over a third.
func (o *options) measureBulk(ctx context.Context, c *corpus, p *peer.Server) (*bulkResult, error) {
	r := &bulkResult{}
	loader, err := newAsker(ctx, p)
	if err != nil {
		return nil, err
	}
	defer loader.conn.Close()
	done := make(chan struct{})
	var askers [2]*asker
	var errs [2]error
	var wg sync.WaitGroup
	for i, name := range []string{"KNN 10, EF 100", "a word"} {
		a := &cases[slices.IndexFunc(cases, func(a aCase) bool { return a.name == name })]
		q, err := newAsker(ctx, p)
		if err != nil {
			return nil, err
		}
		defer q.conn.Close()
		askers[i] = q
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if _, errs[i] = q.ask(a.make(c, n%o.queries)); errs[i] != nil {
					return
				}
			}
		})
	}
	begun := time.Now()
	err = c.load(loader.conn, "d:bulk", o.bulk)
	if err == nil {
		err = indexed(loader.conn, "idx", c.docs+o.bulk)
	}
	r.Seconds = time.Since(begun).Seconds()
	close(done)
	wg.Wait()
	for i, q := range askers {
		if errs[i] != nil {
			err = errs[i]
		}
		r.Queries[i] = len(q.times)
		r.P50[i], r.P99[i], r.Most[i] = quantile(q.times, 0.5), quantile(q.times, 0.99), quantile(q.times, 1)
	}
	return r, err
}
