package ann

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/nearcache/nearcache/index"
)

// store is one of our indexes while it changes, with the rows that its labels hold.
type store struct {
	x       index.Index
	set     *set
	rows    [][]byte // all, as they come off the wire
	holds   []int32  // row of each label, -1 where there is none
	free    []int32  // labels that hold nothing
	version uint64
}

func newStore(o *options, s *set, name string) (*store, error) {
	row, err := findRow(name)
	if err != nil {
		return nil, err
	}
	e, err := row.open(o, s)
	if err != nil {
		return nil, err
	}
	n := e.(*nearcache)
	x, err := n.kind.New(n.params)
	return &store{x: x, set: s, rows: blobs(s.train, s.dim)}, err
}

// put adds rows on so many threads, each under a free label or a new one.
func (t *store) put(rows []int32, threads int) error {
	labels := make([]int32, len(rows))
	for i := range labels {
		if n := len(t.free); n > 0 {
			labels[i], t.free = t.free[n-1], t.free[:n-1]
		} else {
			labels[i] = int32(len(t.holds))
			t.holds = append(t.holds, -1)
		}
	}
	t.version++
	return parallel(len(rows), threads, func(_, i int) error {
		t.holds[labels[i]] = rows[i]
		return t.x.Add(index.Label(labels[i]), t.version, t.rows[rows[i]])
	})
}

// drop removes labels.
func (t *store) drop(labels []int32) error {
	t.version++
	for _, l := range labels {
		if !t.x.Remove(index.Label(l), t.version) {
			return fmt.Errorf("label %d cannot be removed", l)
		}
		t.holds[l] = -1
		t.free = append(t.free, l)
	}
	return nil
}

// live lists the labels in use, in random order.
func (t *store) live(r *rand.Rand) (labels []int32) {
	for l, row := range t.holds {
		if row >= 0 {
			labels = append(labels, int32(l))
		}
	}
	r.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	return labels
}

// recall is that of all queries among the rows which truth was made of.
func (t *store) recall(truth *set, k, ef int) (float64, error) {
	var dst []index.Neighbor
	var err error
	labels := make([]int32, truth.queries*k)
	for q := range truth.queries {
		if dst, err = t.x.Search(dst[:0], blob(truth.queryAt(q)), k, index.SearchOptions{EF: ef}); err != nil {
			return 0, err
		}
		for i := range k {
			labels[q*k+i] = -1
			if i < len(dst) {
				labels[q*k+i] = t.holds[dst[i].Label]
			}
		}
	}
	return truth.recall(labels, k), nil
}

// reached is the share of live labels whose own vector, asked for with k=1
// and the default pool, is found, or one equal to it.
func (t *store) reached() (float64, error) {
	labels := t.live(rand.New(rand.NewPCG(1, 1)))
	found := make([]bool, len(labels))
	dst := make([][]index.Neighbor, runtime.NumCPU())
	err := parallel(len(labels), len(dst), func(thread, i int) (err error) {
		l := index.Label(labels[i])
		q := t.rows[t.holds[l]]
		if dst[thread], err = t.x.Search(dst[thread][:0], q, 1, index.SearchOptions{}); err != nil {
			return err
		}
		if got := dst[thread]; len(got) == 1 {
			own, ok := t.x.Distance(q, l)
			found[i] = got[0].Label == l || ok && got[0].Distance <= own
		}
		return nil
	})
	n := 0
	for _, f := range found {
		if f {
			n++
		}
	}
	return float64(n) / float64(max(1, len(labels))), err
}

// settle waits until a repair has ended: until the number of tombstones stays
// the same for a tenth of a second. Few of them are left alone.
func (t *store) settle() {
	const step, still = 10 * time.Millisecond, 10
	last, same := -1, 0
	for range 1000 {
		n := t.x.Stats().Deleted
		if n == 0 || same == still {
			return
		}
		if n == last {
			same++
		} else {
			last, same = n, 0
		}
		time.Sleep(step)
	}
}

// half is a part of the set with a truth of its own; rows keep their numbers.
func (s *set) half(second bool, k int) (*set, []int32, error) {
	h := *s
	h.only = make([]bool, s.n)
	var rows []int32
	for i := range s.n {
		if (i >= s.n/2) == second && i < s.n/2*2 {
			h.only[i] = true
			rows = append(rows, int32(i))
		}
	}
	return &h, rows, h.findTruth(k)
}

// churn replaces all vectors ten times: the index holds one half of the set,
// and in each pass all of it makes room for the other half, a hundredth at a
// time. After an even number of passes it holds what it began with.
func churn(o *options, s *set, r *result) error {
	a, rowsA, err := s.half(false, o.k)
	if err != nil {
		return err
	}
	b, rowsB, err := s.half(true, o.k)
	if err != nil {
		return err
	}
	// Graphs of the same vectors differ in recall, at ef=16 by up to 0.65 points in
	// six builds: the order in which threads insert is chance. One graph against
	// another says little; so builds are averaged, and so are passes, each of which
	// is a graph of its own. Repairs that still run do not lower it: with a third of
	// all nodes dead it was as high, or higher, as after the last was taken out.
	const builds = 3
	efs := []int{16, 32, 64}
	t := &table{
		Title: fmt.Sprintf("%d vectors, all deleted and replaced in each pass, on all cores", len(rowsA)),
		Note:  "recall, and the difference to the mean of three indexes made of the same vectors; reached: live vectors found by themselves with k=1",
		Head:  []string{"engine", "pass", "recall ef=16", "lost", "ef=32", "lost", "ef=64", "lost", "reached", "MB held", "seconds"},
	}
	r.Tables = append(r.Tables, t)
	for _, name := range o.variants {
		x, err := newStore(o, s, name)
		if err != nil {
			r.Missing = append(r.Missing, missing{name + " (churn)", err.Error()})
			continue
		}
		var fresh [2][]float64
		spread := 0.0 // of builds, in points
		for i, h := range []struct {
			truth *set
			rows  []int32
		}{{a, rowsA}, {b, rowsB}} {
			fresh[i] = make([]float64, len(efs))
			lowest, highest := slices.Repeat([]float64{1}, len(efs)), make([]float64, len(efs))
			for range builds {
				x, err := newStore(o, s, name)
				if err != nil {
					return err
				}
				if err := x.put(h.rows, runtime.NumCPU()); err != nil {
					return err
				}
				for j, ef := range efs {
					v, err := x.recall(h.truth, o.k, ef)
					if err != nil {
						return err
					}
					fresh[i][j] += v / builds
					lowest[j], highest[j] = min(lowest[j], v), max(highest[j], v)
					spread = max(spread, 100*(highest[j]-lowest[j]))
				}
				x.x.Close()
			}
		}
		rng := rand.New(rand.NewPCG(o.seed, 7))
		if err := x.put(rowsA, runtime.NumCPU()); err != nil {
			return err
		}
		worst, reach := -1.0, 1.0
		mean := make([]float64, len(efs))
		for pass := range o.passes + 1 {
			began := time.Now()
			if pass > 0 {
				rows := [2][]int32{rowsA, rowsB}[pass%2]
				labels, step := x.live(rng), max(1, len(rows)/100)
				for i := 0; i < len(rows); i += step {
					end := min(i+step, len(rows))
					if err := x.drop(labels[i:end]); err != nil {
						return err
					}
					if err := x.put(rows[i:end], runtime.NumCPU()); err != nil {
						return err
					}
				}
			}
			took := time.Since(began).Seconds()
			cells := []any{name, pass}
			for i, ef := range efs {
				v, err := x.recall([2]*set{a, b}[pass%2], o.k, ef)
				if err != nil {
					return err
				}
				lost := 100 * (fresh[pass%2][i] - v)
				if pass > 0 {
					worst = max(worst, lost)
					mean[i] += lost / float64(o.passes)
				}
				cells = append(cells, fmt.Sprintf("%.4f", v), fmt.Sprintf("%.2f", lost))
			}
			share, err := x.reached()
			if err != nil {
				return err
			}
			reach = min(reach, share)
			t.row(append(cells, fmt.Sprintf("%.3f%%", 100*share), fmt.Sprintf("%.1f", float64(x.x.Stats().Bytes)/1e6), fmt.Sprintf("%.1f", took))...)
			o.say("churn: %s: pass %d of %d, %.3f%% reached", name, pass, o.passes, 100*share)
		}
		x.x.Close()
		r.atMost(fmt.Sprintf("recall lost while all was replaced %d times, %s", o.passes, name), "%.2f points", 0.5, slices.Max(mean), "(the mean of the passes, the worst of ef=16, 32, 64; in one pass up to %.2f, where builds of the same vectors differ by up to %.2f)", worst, spread)
		r.atLeast("vectors found by themselves meanwhile, "+name, "%.3f%%", 100, 100*reach, "")
	}
	return nil
}

// reinsert compares what it costs to insert a fifth after a fifth has been
// deleted with inserting that fifth into a fresh index. Both on one core, in
// processor time, which holds the deletions and the repair.
func reinsert(o *options, s *set, r *result) error {
	single(o, true, nil)
	defer single(o, false, nil)
	n := s.n / 2
	fifth := n / 5
	t := &table{
		Title: fmt.Sprintf("inserting %d vectors into %d, microseconds of processor time each", fifth, n-fifth),
		Head:  []string{"engine", "fresh", "after deletes", "with deletes and repair", "ratio"},
	}
	r.Tables = append(r.Tables, t)
	for _, name := range o.variants {
		rng := rand.New(rand.NewPCG(o.seed, 8))
		order := make([]int32, s.n)
		for i, v := range rng.Perm(s.n) {
			order[i] = int32(v)
		}
		var fresh, again, all, times []float64
		for range 3 {
			x, err := newStore(o, s, name)
			if err != nil {
				r.Missing = append(r.Missing, missing{name + " (reinsert)", err.Error()})
				break
			}
			each := func(f func() error) (float64, error) {
				c, err := timed(f)
				return 1e6 * c.CPU / float64(fifth), err
			}
			if err := x.put(order[:n-fifth], 1); err != nil {
				return err
			}
			f, err := each(func() error { return x.put(order[n-fifth:n], 1) })
			if err != nil {
				return err
			}
			fresh = append(fresh, f)
			rest := order[n:]
			for range 3 {
				labels := x.live(rng)[:fifth]
				var insert float64
				whole, err := each(func() (err error) {
					if err = x.drop(labels); err != nil {
						return err
					}
					insert, err = each(func() error { return x.put(rest[:fifth], 1) })
					x.settle()
					return err
				})
				if err != nil {
					return err
				}
				again, all, times = append(again, insert), append(all, whole), append(times, whole/f)
				rest = rest[fifth:]
			}
			x.x.Close()
		}
		if len(times) == 0 {
			continue
		}
		m := median(times)
		t.row(name, fmt.Sprintf("%.0f", median(fresh)), fmt.Sprintf("%.0f", median(again)), fmt.Sprintf("%.0f", median(all)), fmt.Sprintf("%.2fx (%s)", m, ratio{Rounds: times}.spread()))
		o.say("reinsert: %s: %.2fx", name, m)
		r.atMost("re-insert after deletes against a fresh insert, "+name, "%.2fx", 2, m, "(deletes and repair included, %s)", ratio{Rounds: times}.spread())
	}
	return nil
}
