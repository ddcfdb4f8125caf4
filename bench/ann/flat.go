package ann

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/flat"
	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/slot"
)

// plain is what FLAT is measured against: all rows in float32, in huge pages,
// each compared by the same SIMD kernel that the index has, the best kept.
type plain struct {
	k         kernel.Kernel
	stride, n int
	rows      *slot.Arena
	slots     []uint32
	dst       []float32
	q         []float32
}

const plainBatch = 256

// best is the row of the least distance.
func (p *plain) best(v []float32, metric index.Metric) (row int) {
	copy(p.q, v)
	least := float32(math.Inf(1))
	base := p.rows.Base()
	for i := 0; i < p.n; i += plainBatch {
		n := min(plainBatch, p.n-i)
		p.k.Func(unsafe.Pointer(&p.dst[0]), unsafe.Pointer(&p.q[0]), base, &p.slots[i], n, p.stride, p.stride)
		for j, d := range p.dst[:n] {
			if metric != index.L2 {
				d = -d
			}
			if d < least {
				least, row = d, i+j
			}
		}
	}
	return row
}

func newPlain(rows []float32, dim int, metric index.Metric) (*plain, error) {
	p := &plain{
		k: kernel.Best(kernel.OpOf(metric, index.Float32), kernel.F32), stride: kernel.Stride(dim, index.Float32), n: len(rows) / dim,
		dst: make([]float32, plainBatch),
	}
	p.q = make([]float32, p.stride/4)
	size := uintptr(p.n * p.stride)
	var err error
	if p.rows, err = slot.Reserve(size); err != nil {
		return nil, err
	}
	if err := p.rows.Grow(size); err != nil {
		return nil, err
	}
	for i := range p.n {
		p.slots = append(p.slots, uint32(i))
		v := rows[i*dim : (i+1)*dim]
		out := unsafe.Slice((*float32)(unsafe.Add(p.rows.Base(), i*p.stride)), dim)
		scale := float32(1)
		if metric == index.Cosine {
			scale = float32(1 / math.Sqrt(float64(dot(v, v))+1e-30))
		}
		for j := range out {
			out[j] = v[j] * scale
		}
	}
	return p, nil
}

// enlarged is the set's rows and, up to n, rows that lie between two of them,
// with noise of a tenth of their distance.
func (s *set) enlarged(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 10))
	v := append([]float32(nil), s.train[:min(n, s.n)*s.dim]...)
	for i := s.n; i < n; i++ {
		a, b, w := s.row(r.IntN(s.n)), s.row(r.IntN(s.n)), 0.5*r.Float32()
		noise := 0.1 * math.Sqrt(distance(index.L2, a, b)/float64(s.dim))
		for j := range a {
			v = append(v, a[j]+w*(b[j]-a[j])+float32(noise*r.NormFloat64()))
		}
	}
	return v
}

// flatTop1 compares FLAT's nearest row with that of a plain scan in float32,
// on one core and by turns.
func flatTop1(o *options, s *set, r *result) error {
	single(o, true, nil)
	defer single(o, false, nil)
	rows := s.enlarged(o.flatN, o.seed)
	n := len(rows) / s.dim
	queries := min(s.queries, 200)
	x, err := flat.New(index.Params{Dim: s.dim, Metric: o.metric})
	if err != nil {
		return err
	}
	defer x.Close()
	for i := range n {
		if err := x.Add(index.Label(i), 1, blob(rows[i*s.dim:(i+1)*s.dim])); err != nil {
			return err
		}
	}
	p, err := newPlain(rows, s.dim, o.metric)
	if err != nil {
		return err
	}
	defer p.rows.Close()
	wire := blobs(s.query[:queries*s.dim], s.dim)
	ours, theirs := make([]int, queries), make([]int, queries)
	dst := make([]index.Neighbor, 0, 1)
	var flatUS, plainUS, times []float64
	for range o.rounds {
		debug.FreeOSMemory()
		a, err := timed(func() (err error) {
			for q, v := range wire {
				if dst, err = x.Search(dst[:0], v, 1, index.SearchOptions{}); err != nil {
					return err
				}
				ours[q] = int(dst[0].Label)
			}
			return nil
		})
		if err != nil {
			return err
		}
		b, _ := timed(func() error {
			for q := range queries {
				theirs[q] = p.best(s.queryAt(q), o.metric)
			}
			return nil
		})
		flatUS, plainUS, times = append(flatUS, 1e6*a.CPU/float64(queries)), append(plainUS, 1e6*b.CPU/float64(queries)), append(times, b.CPU/a.CPU)
	}
	// The same row, or one that is as near in float64 but for float32's rounding.
	same := 0
	for q := range queries {
		a, b := ours[q]*s.dim, theirs[q]*s.dim
		da := distance(o.metric, s.queryAt(q), rows[a:a+s.dim])
		db := distance(o.metric, s.queryAt(q), rows[b:b+s.dim])
		if a == b || math.Abs(da-db) <= 1e-6*max(1, da) {
			same++
		}
	}
	m := median(times)
	t := &table{
		Title: fmt.Sprintf("FLAT, the nearest of %d, one core, microseconds of processor time a query", n),
		Note:  fmt.Sprintf("plain: all rows in float32 with the kernel %s; %d of the rows lie between two of the set", p.k.ISA, n-min(n, s.n)),
		Head:  []string{"FLAT", "plain scan", "times", "same result"},
	}
	t.row(fmt.Sprintf("%.0f", median(flatUS)), fmt.Sprintf("%.0f", median(plainUS)), fmt.Sprintf("%.2fx (%s)", m, ratio{Rounds: times}.spread()), fmt.Sprintf("%d of %d", same, queries))
	r.Tables = append(r.Tables, t)
	o.say("FLAT: %.2fx, %d of %d the same", m, same, queries)
	r.atLeast("FLAT top-1 against a plain float32 SIMD scan", "%.2fx", 3, m, "(%d x %d, %s)", n, s.dim, ratio{Rounds: times}.spread())
	r.atLeast("FLAT results identical to it", "%.1f%%", 100, 100*float64(same)/float64(queries), "")
	return nil
}
