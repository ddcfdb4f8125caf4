package semcache

import (
	"encoding/json"
	"os"
	"runtime"
	"sync"

	"github.com/nearcache/nearcache/bench/semcache/boost"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

// judged is the evidence about the pairs of a set.
type judged struct {
	set
	evidence []judge.Evidence
}

func weigh(s set) judged {
	j := judged{s, make([]judge.Evidence, len(s.pairs))}
	parallel(len(s.pairs), func(i int) {
		p := s.pairs[i]
		j.evidence[i] = judge.Compare(judge.Parse(p.A), judge.Parse(p.B), p.Cosine, nil)
	})
	return j
}

// The recipe. The rates and sizes are the usual ones of the literature; none was tuned to a set.
const (
	trees   = 150
	rate    = 0.05
	leaves  = 8
	minRows = 40
	lambda  = 5
	// prior is how much a unit of cosine adds to the log odds before any tree
	// speaks. The trees of one set take the cosine for worth much, of another for
	// worth little (where pairs were made to be near); this keeps it in the sum.
	prior  = 10
	middle = 0.85
)

// train makes a model of the sets.
func train(sets []judged, progress func(tree int, loss float64)) *judge.Model {
	var rows []boost.Row
	var all int
	for _, s := range sets {
		all += len(s.pairs)
	}
	for _, s := range sets {
		var count [2]int
		for _, p := range s.pairs {
			count[p.Label]++
		}
		for i, p := range s.pairs {
			w := float64(all) / float64(2*len(sets)*count[p.Label])
			rows = append(rows, boost.Row{Evidence: s.evidence[i], Same: p.Label == 1, Weight: w})
		}
	}
	o := boost.Options{Trees: trees, Rate: rate, Leaves: leaves, MinRows: minRows, Lambda: lambda, Progress: progress}
	m := &judge.Model{Prior: prior, Middle: middle}
	for _, s := range judge.Signals {
		o.Sense = append(o.Sense, s.Sense)
		m.Signals = append(m.Signals, s.Name)
	}
	m.Trees, m.Bias = boost.Train(rows, o)
	return m
}

// write puts the model where the package judge embeds it.
func write(path string, m *judge.Model) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// parallel calls f for 0 … n-1 on all cores.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	k := runtime.GOMAXPROCS(0)
	for w := range k {
		wg.Go(func() {
			for i := w; i < n; i += k {
				f(i)
			}
		})
	}
	wg.Wait()
}
