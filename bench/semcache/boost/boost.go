// Package boost grows the trees of a [judge.Model]: gradient boosting with
// logistic loss on binned values, leaf by leaf, and with monotone constraints
// (Friedman 2001; Chen and Guestrin, "XGBoost", 2016; Ke et al., "LightGBM", 2017).
//
// It is a few hundred lines because it does no more than a table of some ten
// thousand rows of thirty signals needs. The same rows and options always make
// the same trees.
package boost

import (
	"math"
	"slices"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// Row is a pair with what is known of it.
type Row struct {
	Evidence judge.Evidence
	Same     bool    // whether the answers are the same
	Weight   float64 // how much it counts
}

// Options say how trees grow.
type Options struct {
	Trees   int
	Rate    float64 // what of each tree is taken
	Leaves  int     // at most, of a tree
	MinRows int     // of a leaf
	Lambda  float64 // L2 penalty on a leaf's value
	Sense   []int   // of each signal: 1 it may only raise the score, -1 only lower it, 0 either
	// Progress is called after each tree.
	Progress func(tree int, loss float64)
}

const bins = 64

// Train grows trees.
func Train(rows []Row, o Options) (trees []judge.Tree, bias float64) {
	t := newTrainer(rows, o)
	for i := range o.Trees {
		trees = append(trees, t.grow())
		if o.Progress != nil {
			o.Progress(i+1, t.loss())
		}
	}
	return trees, t.bias
}

type trainer struct {
	o          Options
	rows       []Row
	cuts       [][]float64 // of each signal: bin b holds the values up to cuts[b]
	binned     [][]uint8   // of each signal: the bin of each row
	score      []float64
	grad, hess []float64
	bias       float64
}

func newTrainer(rows []Row, o Options) *trainer {
	n, k := len(rows), len(o.Sense)
	t := &trainer{
		o: o, rows: rows, cuts: make([][]float64, k), binned: make([][]uint8, k),
		score: make([]float64, n), grad: make([]float64, n), hess: make([]float64, n),
	}
	values := make([]float64, n)
	for s := range k {
		for i := range rows {
			values[i] = rows[i].Evidence[s]
		}
		t.cuts[s] = cutsOf(slices.Clone(values))
		t.binned[s] = make([]uint8, n)
		for i, v := range values {
			b, _ := slices.BinarySearch(t.cuts[s], v)
			t.binned[s][i] = uint8(min(b, len(t.cuts[s])-1))
		}
	}
	var same, all float64
	for _, r := range rows {
		all += r.Weight
		if r.Same {
			same += r.Weight
		}
	}
	t.bias = math.Log(same / (all - same))
	for i := range t.score {
		t.score[i] = t.bias
	}
	return t
}

// cutsOf are the upper edges of at most bins bins with as many values each as can be.
func cutsOf(v []float64) []float64 {
	slices.Sort(v)
	distinct := slices.Compact(slices.Clone(v))
	if len(distinct) <= bins {
		return distinct
	}
	out := make([]float64, 0, bins)
	for b := 1; b <= bins; b++ {
		if c := v[b*len(v)/bins-1]; len(out) == 0 || c > out[len(out)-1] {
			out = append(out, c)
		}
	}
	return out
}

func (t *trainer) loss() float64 {
	var sum, all float64
	for i, r := range t.rows {
		z := t.score[i]
		if r.Same {
			z = -z
		}
		sum += r.Weight * math.Log1p(math.Exp(z))
		all += r.Weight
	}
	return sum / all
}

// leaf is a set of rows that may still be split.
type leaf struct {
	node   int // in the tree
	rows   []int
	lo, hi float64 // what monotone ancestors leave for its value
	value  float64
	split  split
}

type split struct {
	gain        float64
	signal, bin int
	left, right float64 // values
}

func (t *trainer) grow() judge.Tree {
	all := make([]int, len(t.rows))
	for i, r := range t.rows {
		all[i] = i
		p := 1 / (1 + math.Exp(-t.score[i]))
		y := 0.0
		if r.Same {
			y = 1
		}
		t.grad[i], t.hess[i] = r.Weight*(y-p), r.Weight*p*(1-p)
	}
	root := &leaf{rows: all, lo: math.Inf(-1), hi: math.Inf(1)}
	t.seek(root)
	tree, leaves := judge.Tree{{}}, []*leaf{root}
	for len(leaves) < t.o.Leaves {
		best := slices.MaxFunc(leaves, func(a, b *leaf) int {
			switch {
			case a.split.gain > b.split.gain:
				return 1
			case a.split.gain < b.split.gain:
				return -1
			}
			return b.node - a.node
		})
		if best.split.gain <= 0 {
			break
		}
		s := best.split
		l, r := &leaf{node: len(tree), value: s.left, lo: best.lo, hi: best.hi}, &leaf{node: len(tree) + 1, value: s.right, lo: best.lo, hi: best.hi}
		if sense := t.o.Sense[s.signal]; sense != 0 {
			mid := (s.left + s.right) / 2
			if sense > 0 {
				l.hi, r.lo = mid, mid
			} else {
				l.lo, r.hi = mid, mid
			}
		}
		for _, i := range best.rows {
			if int(t.binned[s.signal][i]) <= s.bin {
				l.rows = append(l.rows, i)
			} else {
				r.rows = append(r.rows, i)
			}
		}
		tree[best.node] = judge.Node{Signal: s.signal, At: t.edge(s.signal, s.bin), Left: l.node, Right: r.node}
		tree = append(tree, judge.Node{}, judge.Node{})
		leaves = slices.DeleteFunc(leaves, func(x *leaf) bool { return x == best })
		t.seek(l)
		t.seek(r)
		leaves = append(leaves, l, r)
	}
	for _, l := range leaves {
		v := round(l.value * t.o.Rate)
		tree[l.node] = judge.Node{Value: v}
		for _, i := range l.rows {
			t.score[i] += v
		}
	}
	return tree
}

// edge lies half way to the next bin, so that new values fall to the nearer side.
func (t *trainer) edge(signal, bin int) float64 {
	return round((t.cuts[signal][bin] + t.cuts[signal][bin+1]) / 2)
}

func round(v float64) float64 { return math.Round(v*1e5) / 1e5 }

// seek finds the best split of a leaf.
func (t *trainer) seek(l *leaf) {
	var g, h float64
	for _, i := range l.rows {
		g += t.grad[i]
		h += t.hess[i]
	}
	for s := range t.cuts {
		var gs, hs [bins]float64
		var n [bins]int
		col := t.binned[s]
		for _, i := range l.rows {
			b := col[i]
			gs[b] += t.grad[i]
			hs[b] += t.hess[i]
			n[b]++
		}
		var gl, hl float64
		nl := 0
		for b := range len(t.cuts[s]) - 1 {
			gl, hl, nl = gl+gs[b], hl+hs[b], nl+n[b]
			if nl < t.o.MinRows {
				continue
			}
			if len(l.rows)-nl < t.o.MinRows {
				break
			}
			vl, vr := t.value(gl, hl, l), t.value(g-gl, h-hl, l)
			if sense := float64(t.o.Sense[s]); sense*(vr-vl) < 0 {
				continue
			}
			gain := t.won(gl, hl, vl) + t.won(g-gl, h-hl, vr) - t.won(g, h, t.value(g, h, l))
			if gain > l.split.gain+1e-9 {
				l.split = split{gain, s, b, vl, vr}
			}
		}
	}
}

// value is the best value of a leaf with these sums, within what its ancestors leave.
func (t *trainer) value(g, h float64, l *leaf) float64 {
	return min(max(g/(h+t.o.Lambda), l.lo), l.hi)
}

// won is by how much a leaf of value v lowers the loss, to the second order.
func (t *trainer) won(g, h, v float64) float64 { return g*v - (h+t.o.Lambda)*v*v/2 }
