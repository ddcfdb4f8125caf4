package ann

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
)

// threads measures all cores against one, by the wall clock: searches in
// rounds of 1, all, all, 1 threads, and builds; of the variants and hnswlib.
func threads(o *options, s *set, engines []engine, r *result) error {
	many := runtime.NumCPU()
	if many < 2 {
		o.say("one core only: no comparison of threads")
		return nil
	}
	single(o, false, engines)
	t := &table{
		Title: fmt.Sprintf("%d threads against one, by the wall clock, median (lowest-highest)", many),
		Note: fmt.Sprintf("search at ef=%d; builds of the whole set, alternately; by cpu: the number of threads times the processor time of one over that of all,\n"+
			"which other load on the machine hardly disturbs, but which does not see threads that wait for each other", o.ef),
		Head: []string{"engine", "search: one, q/s", "all, q/s", "times", "by cpu", "build: one, s", "all, s", "times", "by cpu"},
	}
	for i, e := range engines {
		name := r.Engines[i].Name
		if name != "hnswlib" && !slices.Contains(o.variants, name) {
			continue
		}
		var build, buildCPU [2][]float64
		rounds := 1
		if r.Engines[i].ours() {
			rounds = 2
		}
		var err error
		for round := 0; round < rounds && err == nil; round++ {
			for j := range 2 {
				n := []int{1, many}[(j+round)%2]
				var b built
				if b, err = rebuild(e, s, n); err != nil {
					break
				}
				at := (j + round) % 2
				build[at], buildCPU[at] = append(build[at], b.Seconds), append(buildCPU[at], b.CPU)
			}
		}
		if errors.Is(err, errThreads) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var one, all, times, byCPU []float64
		for range max(o.rounds, 5) {
			var sec, cpu [4]float64
			for j, n := range []int{1, many, many, 1} {
				debug.FreeOSMemory()
				p, err := e.search(s, o.ef, n)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				sec[j], cpu[j] = p.Seconds, p.CPU
			}
			one, all = append(one, (sec[0]+sec[3])/2), append(all, (sec[1]+sec[2])/2)
			byCPU = append(byCPU, float64(many)*(cpu[0]+cpu[3])/(cpu[1]+cpu[2]))
			times = append(times, (sec[0]+sec[3])/(sec[1]+sec[2]))
		}
		q := float64(s.queries)
		search, built := median(times), median(build[0])/median(build[1])
		t.row(name, fmt.Sprintf("%.0f", q/median(one)), fmt.Sprintf("%.0f", q/median(all)), fmt.Sprintf("%.2fx (%s)", search, ratio{Rounds: times}.spread()), fmt.Sprintf("%.2fx", median(byCPU)),
			fmt.Sprintf("%.1f", median(build[0])), fmt.Sprintf("%.1f", median(build[1])), fmt.Sprintf("%.2fx", built),
			fmt.Sprintf("%.2fx", float64(many)*median(buildCPU[0])/median(buildCPU[1])))
		o.say("threads: %s: search %.2fx, build %.2fx", name, search, built)
		if r.Engines[i].ours() && many == 2 {
			r.atLeast("two threads against one, search, "+name, "%.2fx", 1.8, search, "(%s; by cpu %.2fx)", ratio{Rounds: times}.spread(), median(byCPU))
			r.atLeast("two threads against one, build, "+name, "%.2fx", 1.8, built, "(by cpu %.2fx)", float64(many)*median(buildCPU[0])/median(buildCPU[1]))
		}
	}
	r.Tables = append(r.Tables, t)
	return nil
}

// rebuild builds anew: a peer must not load what an earlier run saved.
func rebuild(e engine, s *set, threads int) (built, error) {
	if p, ok := e.(*peer); ok {
		defer func(c string) { p.cache = c }(p.cache)
		p.cache = ""
	}
	return e.build(s, threads)
}
