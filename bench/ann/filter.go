package ann

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nearcache/nearcache/index"
)

// shares are the selectivities of the filters.
var shares = []float64{0.0001, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1}

// filters measures searches in a part of the set: a random one, the ball around
// some row, asked for by the queries nearest to it and by those farthest from
// it, and all but such a ball, asked for by the queries in it.
func filters(o *options, s *set, r *result) error {
	single(o, true, nil)
	defer single(o, false, nil)
	const anchors, each = 4, 25
	t := &table{
		Title: fmt.Sprintf("filtered searches at ef=%d, recall@%d and microseconds (mean)", o.ef, o.k),
		Note:  "random: any rows; near, far: the rows around an anchor, asked for by the queries nearest to it and farthest from it; around: the rows farthest from an anchor, asked for by the queries nearest to it; flat: exact, with the same filter",
		Head:  []string{"engine", "share", "random", "us", "flat us", "near", "us", "flat us", "far", "us", "flat us", "around", "us", "flat us"},
	}
	r.Tables = append(r.Tables, t)
	flat, err := newStore(o, s, "flat")
	if err != nil {
		return err
	}
	defer flat.x.Close()
	all := make([]int32, s.n)
	for i := range all {
		all[i] = int32(i)
	}
	if err := flat.put(all, 1); err != nil {
		return err
	}
	for _, name := range o.variants {
		x, err := newStore(o, s, name)
		if err != nil {
			r.Missing = append(r.Missing, missing{name + " (filter)", err.Error()})
			continue
		}
		if err := x.put(all, 1); err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(o.seed, 9))
		worst, where := 1.0, ""
		for _, share := range shares {
			n := max(1, int(share*float64(s.n)))
			cells := []any{name, fmt.Sprintf("%g%%", 100*share)}
			for _, kind := range []string{"random", "near", "far", "around"} {
				var right, wanted int
				var ours, exact time.Duration
				for range anchors {
					allow, queries := s.part(kind, n, each, rng)
					for _, q := range queries {
						hit, of, a, b, err := filtered(o, s, x, flat, allow, q)
						if err != nil {
							return err
						}
						right, wanted, ours, exact = right+hit, wanted+of, ours+a, exact+b
					}
				}
				recall := float64(right) / float64(wanted)
				if recall < worst {
					worst, where = recall, fmt.Sprintf("(%s, %g%%)", kind, 100*share)
				}
				asked := float64(anchors * each)
				cells = append(cells, fmt.Sprintf("%.4f", recall), fmt.Sprintf("%.0f", ours.Seconds()*1e6/asked), fmt.Sprintf("%.0f", exact.Seconds()*1e6/asked))
			}
			t.row(cells...)
		}
		x.x.Close()
		o.say("filters: %s: worst recall %.4f %s", name, worst, where)
		r.atLeast(fmt.Sprintf("recall@%d under filters of 0.01%% to 100%%, ef=%d, %s", o.k, o.ef, name), "%.3f", 0.95, worst, "%s", where)
	}
	return nil
}

// part picks n rows and the queries that ask for them.
func (s *set) part(kind string, n, queries int, rng *rand.Rand) (*index.Bitmap, []int) {
	anchor := s.row(rng.IntN(s.n))
	by := func(count int, dist func(i int) float64) []int {
		order := make([]scored, count)
		for i := range order {
			order[i] = scored{int32(i), dist(i)}
		}
		slices.SortFunc(order, func(a, b scored) int { return cmp.Compare(a.dist, b.dist) })
		rows := make([]int, count)
		for i := range rows {
			rows[i] = int(order[i].row)
		}
		return rows
	}
	rows := rng.Perm(s.n)
	asked := rng.Perm(s.queries)
	if kind != "random" {
		rows = by(s.n, func(i int) float64 { return distance(s.metric, anchor, s.row(i)) })
		if kind == "around" {
			slices.Reverse(rows)
		}
		sign := 1.0
		if kind == "far" {
			sign = -1
		}
		asked = by(s.queries, func(i int) float64 { return sign * distance(s.metric, anchor, s.queryAt(i)) })
	}
	var allow index.Bitmap
	for _, r := range rows[:n] {
		allow.Add(index.Label(r))
	}
	return &allow, asked[:min(queries, len(asked))]
}

// filtered asks both indexes and judges by distances in float64. The exact
// one is judged too: what it finds must be as near as anything in the filter.
func filtered(o *options, s *set, x, flat *store, allow *index.Bitmap, q int) (right, wanted int, ours, exact time.Duration, err error) {
	v := blob(s.queryAt(q))
	opt := index.SearchOptions{EF: o.ef, Allow: allow}
	at := time.Now()
	got, err := x.x.Search(nil, v, o.k, opt)
	ours = time.Since(at)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	at = time.Now()
	truth, err := flat.x.Search(nil, v, o.k, opt)
	exact = time.Since(at)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	wanted = min(o.k, allow.Len())
	if len(truth) != wanted {
		return 0, 0, 0, 0, fmt.Errorf("FLAT finds %d of %d", len(truth), wanted)
	}
	far := s.distance(q, int(flat.holds[truth[wanted-1].Label]))
	for _, n := range got {
		if allow.Contains(n.Label) && s.distance(q, int(x.holds[n.Label])) <= far+1e-6*max(1, far) {
			right++
		}
	}
	return min(right, wanted), wanted, ours, exact, nil
}
