package semcache

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
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

// course is what is learned from, and what was made of it: each model is made once.
type course struct {
	sets   []judged
	traces []trace
	grown  map[string]*judge.Model
	looked map[string]surroundings
	say    func(format string, a ...any) // progress; nil: nobody listens
}

func (c *course) tell(format string, a ...any) {
	if c.say != nil {
		c.say(format, a...)
	}
}

// train makes a model of the sets, and with more than one calibrates it: what a
// score is worth is learned of each set from the scores of a model of the others.
func (c *course) train(sets []judged) *judge.Model {
	m := *c.grow(sets)
	if len(sets) < 2 {
		return &m
	}
	scores := make([][]float64, len(sets))
	for i := range sets {
		c.grow(without(sets, sets[i].name))
	}
	parallel(len(sets), func(i int) {
		strange := c.grown[names(without(sets, sets[i].name))]
		for _, e := range sets[i].evidence {
			scores[i] = append(scores[i], strange.Score(e))
		}
	})
	m.Worth = calibrate(sets, scores)
	m.Limits = limits(&m, sets, scores)
	return &m
}

// trained is a model of all sets but those of these names.
func (c *course) trained(except ...string) *judge.Model { return c.train(c.without(except...)) }

func (c *course) without(except ...string) []judged {
	sets := c.sets
	for _, name := range except {
		sets = without(sets, name)
	}
	return sets
}

// grow makes the trees, if they are not there already.
func (c *course) grow(sets []judged) *judge.Model {
	name := names(sets)
	if c.grown == nil {
		c.grown = map[string]*judge.Model{}
	}
	if c.grown[name] == nil {
		c.tell("growing trees on %s", name)
		c.grown[name] = grow(sets)
	}
	return c.grown[name]
}

// looks is how many requests of a trace are looked at to learn what neighbours are worth.
const looks = 6000

// near are the surroundings of a trace that is learned from.
func (c *course) near(t trace) surroundings {
	if c.looked == nil {
		c.looked = map[string]surroundings{}
	}
	if c.looked[t.name].requests == nil {
		c.tell("looking around in %s", t.name)
		c.looked[t.name] = t.around(looks, judge.MaxAround)
	}
	return c.looked[t.name]
}

// without leaves out the set of that name.
func without(sets []judged, name string) []judged {
	return slices.DeleteFunc(slices.Clone(sets), func(s judged) bool { return s.name == name })
}

// grow makes the trees.
func grow(sets []judged) *judge.Model {
	var rows []boost.Row
	var all int
	for _, s := range sets {
		all += len(s.pairs)
	}
	for _, s := range sets {
		var count [2]int
		count[1], count[0] = s.count()
		for i, p := range s.pairs {
			w := float64(all) / float64(2*len(sets)*count[p.Label])
			rows = append(rows, boost.Row{Evidence: s.evidence[i], Same: p.Label == 1, Weight: w})
		}
	}
	o := boost.Options{Trees: trees, Rate: rate, Leaves: leaves, MinRows: minRows, Lambda: lambda}
	m := &judge.Model{Prior: prior, Middle: middle}
	for _, s := range judge.Signals {
		o.Sense = append(o.Sense, s.Sense)
		m.Signals = append(m.Signals, s.Name)
	}
	m.Trees, m.Bias = boost.Train(rows, o)
	return m
}

// write puts the model where the package judge embeds it.
func write(path string, m *judge.Model, sets []judged) error {
	m.About = "made by `nearcache bench semcache -train` of"
	for _, s := range sets {
		m.About += fmt.Sprintf(" %s (%d pairs)", s.name, len(s.pairs))
	}
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
