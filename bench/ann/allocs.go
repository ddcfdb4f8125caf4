package ann

import (
	"runtime"

	"github.com/nearcache/nearcache/index"
)

// allocations counts what searches allocate, of each of our engines.
func allocations(o *options, s *set, engines []engine, r *result) error {
	t := &table{Title: "allocations a query", Head: []string{"engine", "allocations", "bytes"}}
	for i, e := range engines {
		n, ok := e.(*nearcache)
		if !ok {
			continue
		}
		if n.x == nil {
			if _, err := n.build(s, runtime.NumCPU()); err != nil {
				return err
			}
		}
		dst := make([]index.Neighbor, 0, o.k)
		least, bytes := ^uint64(0), uint64(0)
		for range 5 { // the runtime allocates too, now and then
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for _, q := range n.queries {
				var err error
				if dst, err = n.x.Search(dst[:0], q, o.k, index.SearchOptions{EF: o.ef}); err != nil {
					return err
				}
			}
			runtime.ReadMemStats(&after)
			if m := after.Mallocs - before.Mallocs; m < least {
				least, bytes = m, after.TotalAlloc-before.TotalAlloc
			}
		}
		per := float64(least) / float64(len(n.queries))
		t.row(r.Engines[i].Name, per, float64(bytes)/float64(len(n.queries)))
		r.atMost("allocations a query, "+r.Engines[i].Name, "%g", 0, per, "")
	}
	r.Tables = append(r.Tables, t)
	return nil
}
