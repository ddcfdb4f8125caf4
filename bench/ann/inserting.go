package ann

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/index"
)

// inserting measures the latency of one searching thread while another core
// does nothing, and while it inserts and removes, in turns of a second. Both threads are
// bound to their core.
func inserting(o *options, s *set, r *result) error {
	if runtime.NumCPU() < 2 {
		o.say("one core only: no searches beside inserts")
		return nil
	}
	t := &table{
		Note:  "by cpu: the ratio of the 99th percentiles of the thread's processor time, which does not count when others have the core",
		Title: fmt.Sprintf("latency of a search at ef=%d, idle and while another core inserts, microseconds; median of the turns", o.ef),
		Head:  []string{"engine", "idle p50", "p99", "inserting p50", "p99", "p99 times", "p99 by cpu", "inserts/s"},
	}
	r.Tables = append(r.Tables, t)
	for _, name := range o.variants {
		x, err := newStore(o, s, name)
		if err != nil {
			r.Missing = append(r.Missing, missing{name + " (inserting)", err.Error()})
			continue
		}
		rows := make([]int32, s.n/2)
		for i := range rows {
			rows[i] = int32(i)
		}
		if err := x.put(rows, runtime.NumCPU()); err != nil {
			return err
		}
		queries := blobs(s.query, s.dim)
		// search asks for the time of a turn; insert, if true, goes on beside it.
		// The other half of the rows, over and over, each under its own label;
		// in it, what is half a round old is removed again.
		pool, inserted := s.n-s.n/2, 0
		insertOne := func() error {
			l := s.n/2 + inserted%pool
			x.version++
			if err := x.x.Add(index.Label(l), x.version, x.rows[l]); err != nil {
				return err
			}
			x.x.Remove(index.Label(s.n/2+(inserted+pool/2)%pool), x.version+1)
			x.version++
			inserted++
			return nil
		}
		turn := func(insert bool) (p50, p99, cpu99 float64, err error) {
			var stop atomic.Bool
			var wg sync.WaitGroup
			var failed error
			if insert {
				wg.Go(func() {
					defer onCore(0)()
					for !stop.Load() && failed == nil {
						failed = insertOne()
					}
				})
			}
			var micros, cpu []float32
			wg.Go(func() {
				defer onCore(-1)()
				defer stop.Store(true)
				dst := make([]index.Neighbor, 0, o.k)
				for began, q := time.Now(), 0; time.Since(began) < o.turn; q++ {
					at, c := time.Now(), threadTime()
					if dst, err = x.x.Search(dst[:0], queries[q%len(queries)], o.k, index.SearchOptions{EF: o.ef}); err != nil {
						return
					}
					cpu = append(cpu, float32(threadTime()-c)/1000)
					micros = append(micros, float32(time.Since(at).Nanoseconds())/1000)
				}
			})
			wg.Wait()
			if failed != nil {
				return 0, 0, 0, failed
			}
			return quantile(micros, 0.5), quantile(micros, 0.99), quantile(cpu, 0.99), err
		}
		var idle50, idle99, busy50, busy99, times, byCPU []float64
		var spent time.Duration
		for range max(o.rounds, 5) {
			a50, a99, aCPU, err := turn(false)
			if err != nil {
				return err
			}
			began := time.Now()
			b50, b99, bCPU, err := turn(true)
			if err != nil {
				return err
			}
			spent += time.Since(began)
			idle50, idle99, busy50, busy99 = append(idle50, a50), append(idle99, a99), append(busy50, b50), append(busy99, b99)
			times, byCPU = append(times, b99/a99), append(byCPU, bCPU/max(aCPU, 0.001))
		}
		x.x.Close()
		m := median(times)
		t.row(name, fmt.Sprintf("%.0f", median(idle50)), fmt.Sprintf("%.0f", median(idle99)), fmt.Sprintf("%.0f", median(busy50)), fmt.Sprintf("%.0f", median(busy99)),
			fmt.Sprintf("%.2fx (%s)", m, ratio{Rounds: times}.spread()), fmt.Sprintf("%.2fx", median(byCPU)), fmt.Sprintf("%.0f", float64(inserted)/spent.Seconds()))
		o.say("inserting: %s: %.2fx", name, m)
		r.atMost("search p99 while one core inserts, against idle, "+name, "%.2fx", 2, m, "(%s; by cpu %.2fx)", ratio{Rounds: times}.spread(), median(byCPU))
	}
	return nil
}
