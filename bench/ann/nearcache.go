package ann

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kinds"
)

const (
	quantAuto    = index.QuantAuto
	quantNone    = index.QuantNone
	quantSQ4     = index.QuantSQ4
	quantSQ8     = index.QuantSQ8
	quantSQ8Only = index.QuantSQ8Only
	quantBinary  = index.QuantBinary
)

// nearcache is one of our kinds, in this process.
type nearcache struct {
	o       *options
	kind    index.Kind
	params  index.Params
	x       index.Index
	queries [][]byte
	dst     [][]index.Neighbor // a thread's
}

func openNearcache(kind string, q index.Quant) func(*options, *set) (engine, error) {
	return func(o *options, s *set) (engine, error) {
		k, ok := kinds.Find(kind)
		if !ok {
			return nil, fmt.Errorf("no kind %s", kind)
		}
		e := &nearcache{o: o, kind: k, queries: blobs(s.query, s.dim), params: index.Params{
			Dim: s.dim, Metric: o.metric, Quant: q, M: o.m, EFConstruction: o.efc, Seed: o.seed,
		}}
		x, err := k.New(e.params) // says now that it has no such quantisation
		if err != nil {
			return nil, err
		}
		return e, x.Close()
	}
}

func (e *nearcache) version() string { return commit() }
func (e *nearcache) exact() bool     { return e.kind.Name == "FLAT" }
func (e *nearcache) pid() int        { return 0 }

func (e *nearcache) build(s *set, threads int) (b built, err error) {
	e.close()
	rows := blobs(s.train, s.dim)
	debug.FreeOSMemory()
	before := memoryOf(0)
	if e.x, err = e.kind.New(e.params); err != nil {
		return b, err
	}
	b.timing, err = timed(func() error {
		return parallel(len(rows), threads, func(_, i int) error { return e.x.Add(index.Label(i), 1, rows[i]) })
	})
	debug.FreeOSMemory()
	b.Memory = memoryOf(0).minus(before)
	runtime.KeepAlive(rows) // freeing them is not the index's merit
	return b, err
}

func (e *nearcache) search(s *set, ef, threads int) (p pass, err error) {
	k := e.o.k
	p.queries = s.queries
	p.labels, p.micros = make([]int32, s.queries*k), make([]float32, s.queries)
	for len(e.dst) < threads {
		e.dst = append(e.dst, make([]index.Neighbor, 0, k))
	}
	for _, q := range e.queries[:warmUp(s)] {
		if e.dst[0], err = e.x.Search(e.dst[0][:0], q, k, index.SearchOptions{EF: ef}); err != nil {
			return p, err
		}
	}
	p.timing, err = timed(func() error {
		return parallel(s.queries, threads, func(t, i int) (err error) {
			at := time.Now()
			dst, err := e.x.Search(e.dst[t][:0], e.queries[i], k, index.SearchOptions{EF: ef})
			for j := range k {
				p.labels[i*k+j] = -1
				if j < len(dst) {
					p.labels[i*k+j] = int32(dst[j].Label)
				}
			}
			p.micros[i] = float32(time.Since(at).Nanoseconds()) / 1000
			return err
		})
	})
	return p, err
}

func (e *nearcache) close() {
	if e.x != nil {
		e.x.Close()
		e.x = nil
	}
}

// parallel runs f(thread, i) for every i below n; each thread takes the next one that is left.
func parallel(n, threads int, f func(thread, i int) error) error {
	if threads <= 1 {
		for i := range n {
			if err := f(0, i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, threads)
	for t := range threads {
		wg.Go(func() {
			for errs[t] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				errs[t] = f(t, i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
