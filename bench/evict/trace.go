package evict

import (
	"math"
	"math/rand/v2"
	"sort"
)

// Trace is a list of requests for objects, which are numbered from 0.
type Trace struct {
	Name  string
	IDs   []uint32
	Size  []uint32  // of each object, in bytes
	Cost  []float32 // of making each object again, in ms
	Equal bool      // all sizes and costs are the same
}

// Footprint is the size of all objects that are asked for.
func (t *Trace) Footprint() (bytes int64) {
	seen := make([]bool, len(t.Size))
	for _, id := range t.IDs {
		if !seen[id] {
			seen[id] = true
			bytes += int64(t.Size[id])
		}
	}
	return bytes
}

// warm is how many requests only fill the cache.
func (t *Trace) warm() int { return len(t.IDs) / 5 }

// zipf chooses ranks from 0 with probability proportional to 1/(rank+1)^s.
type zipf struct{ upTo []float64 }

func newZipf(n int, s float64) *zipf {
	z := &zipf{make([]float64, n)}
	sum := 0.0
	for i := range n {
		sum += math.Pow(float64(i+1), -s)
		z.upTo[i] = sum
	}
	return z
}

func (z *zipf) next(r *rand.Rand) int {
	return min(sort.SearchFloat64s(z.upTo, r.Float64()*z.upTo[len(z.upTo)-1]), len(z.upTo)-1)
}

// maker makes traces of so many requests.
type maker struct {
	n    int
	seed uint64
}

func (m maker) rand() *rand.Rand { return rand.New(rand.NewPCG(m.seed, 0x7ace)) }

// equal gives all objects the same size and cost.
func (t *Trace) equal(objects int) *Trace {
	t.Equal = true
	t.Size, t.Cost = make([]uint32, objects), make([]float32, objects)
	for i := range objects {
		t.Size[i], t.Cost[i] = 1, 1
	}
	return t
}

// logNormal is a number with that median, between lo and hi.
func logNormal(r *rand.Rand, median, sigma, lo, hi float64) float64 {
	return min(max(median*math.Exp(sigma*r.NormFloat64()), lo), hi)
}

// zipf is popularity that does not change.
func (m maker) zipf(keys int, s float64) *Trace {
	r, z := m.rand(), newZipf(keys, s)
	t := &Trace{}
	for range m.n {
		t.IDs = append(t.IDs, uint32(z.next(r)))
	}
	return t.equal(keys)
}

// scans puts bursts between the requests of Zipf: objects that are asked for once.
func (m maker) scans(keys int, s float64, every, length int) *Trace {
	r, z := m.rand(), newZipf(keys, s)
	t := &Trace{}
	next := uint32(keys)
	for len(t.IDs) < m.n {
		for range every {
			t.IDs = append(t.IDs, uint32(z.next(r)))
		}
		for range length {
			t.IDs = append(t.IDs, next)
			next++
		}
	}
	return t.equal(int(next))
}

// rescans is scans over the very keys that others ask for: a nightly job.
func (m maker) rescans(keys int, s float64, every, length int) *Trace {
	r, z := m.rand(), newZipf(keys, s)
	rank := r.Perm(keys)
	t := &Trace{}
	for at := 0; len(t.IDs) < m.n; {
		for range every {
			t.IDs = append(t.IDs, uint32(rank[z.next(r)]))
		}
		for range length {
			t.IDs = append(t.IDs, uint32(at%keys))
			at++
		}
	}
	return t.equal(keys)
}

// shift moves the popularity on by so many ranks after every period.
func (m maker) shift(keys int, s float64, period, by int) *Trace {
	r, z := m.rand(), newZipf(keys, s)
	object := r.Perm(keys)
	t := &Trace{}
	for i := range m.n {
		t.IDs = append(t.IDs, uint32(object[(z.next(r)+i/period*by)%keys]))
	}
	return t.equal(keys)
}

// news is asked for most when it is new: an object is as popular as so many that
// came after it make it.
func (m maker) news(births, s float64) *Trace {
	r, z := m.rand(), newZipf(200_000, s)
	t := &Trace{}
	objects := 1
	for range m.n {
		if r.Float64() < births {
			objects++
		}
		age := z.next(r)
		if age >= objects {
			age = r.IntN(objects)
		}
		t.IDs = append(t.IDs, uint32(objects-1-age))
	}
	return t.equal(objects)
}

// loop asks for one object after the other, round and round.
func (m maker) loop(keys int) *Trace {
	t := &Trace{}
	for i := range m.n {
		t.IDs = append(t.IDs, uint32(i%keys))
	}
	return t.equal(keys)
}

// files is the front of a store of files, or a CDN: sizes over five decades, a
// third of the requests for what is never asked for again, the cost a part for
// the request and a part for the bytes.
func (m maker) files(keys int, s float64) *Trace {
	r, z := m.rand(), newZipf(keys, s)
	t := &Trace{}
	next := uint32(keys)
	for range m.n {
		if r.IntN(3) == 0 {
			t.IDs = append(t.IDs, next)
			next++
		} else {
			t.IDs = append(t.IDs, uint32(z.next(r)))
		}
	}
	for range next {
		size := logNormal(r, 4000, 1.8, 64, 1<<20)
		t.Size = append(t.Size, uint32(size))
		t.Cost = append(t.Cost, float32(5+size/20_000)) // 20 MB/s behind
	}
	return t
}

// answers is a cache of rows and of a language model's answers: nine in ten
// objects take a few ms to make, the tenth takes seconds. All are as popular.
func (m maker) answers(keys int, s float64) *Trace {
	r, z := m.rand(), newZipf(keys, s)
	object := r.Perm(keys)
	t := &Trace{}
	for range m.n {
		t.IDs = append(t.IDs, uint32(object[z.next(r)]))
	}
	for range keys {
		if r.IntN(10) == 0 {
			t.Size = append(t.Size, uint32(logNormal(r, 1500, 0.7, 100, 20_000)))
			t.Cost = append(t.Cost, float32(logNormal(r, 2500, 0.6, 300, 30_000)))
		} else {
			t.Size = append(t.Size, uint32(logNormal(r, 250, 0.7, 60, 4000)))
			t.Cost = append(t.Cost, float32(logNormal(r, 4, 0.5, 1, 50)))
		}
	}
	return t
}
