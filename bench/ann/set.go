package ann

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
)

// set is the vectors, the queries held out of them, and the truth.
type set struct {
	name       string
	metric     index.Metric
	dim        int
	n, queries int
	train      []float32 // n rows
	query      []float32 // queries rows
	only       []bool    // rows that exist for the truth; nil: all
	far        []float64 // each query's distance to its k-th neighbour
	tmp        string    // folder of the files that peers read
	written    bool
}

func (s *set) row(i int) []float32     { return s.train[i*s.dim : (i+1)*s.dim] }
func (s *set) queryAt(i int) []float32 { return s.query[i*s.dim : (i+1)*s.dim] }

// sum names the set by its content.
func (s *set) sum() string {
	h := sha256.New()
	h.Write(blob(s.train))
	fmt.Fprint(h, s.dim, s.n)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// files writes the vectors where other processes can read them.
func (s *set) files() (dir string, err error) {
	if s.written {
		return s.tmp, nil
	}
	s.written = true
	return s.tmp, errors.Join(
		os.WriteFile(filepath.Join(s.tmp, "train.f32"), blob(s.train), 0o600),
		os.WriteFile(filepath.Join(s.tmp, "query.f32"), blob(s.query), 0o600))
}

func (s *set) close() { os.RemoveAll(s.tmp) }

// closeOnSignal lets Ctrl-C end the process, but not before the files are gone.
// The peers end with their input.
func (s *set) closeOnSignal() (undo func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-c; ok {
			s.close()
			os.Exit(130)
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
	}
}

func dot(a, b []float32) float32 { return vek32.Dot(a, b) }

// distance is the metric's, in float64.
func distance(m index.Metric, a, b []float32) float64 {
	var dot, aa, bb, l2 float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot += x * y
		aa += x * x
		bb += y * y
		l2 += (x - y) * (x - y)
	}
	switch {
	case m == index.L2:
		return l2
	case m == index.IP:
		return 1 - dot
	case aa == 0 || bb == 0:
		return 1
	}
	return 1 - dot/math.Sqrt(aa)/math.Sqrt(bb)
}

func (s *set) distance(q, row int) float64 { return distance(s.metric, s.queryAt(q), s.row(row)) }

type scored struct {
	row  int32
	dist float64
}

// findTruth looks at every row, with neither of our indexes: in float32 for
// those that may be among the k nearest and in float64 among these.
func (s *set) findTruth(k int) error {
	norm := make([]float32, s.n)
	for i := range norm {
		norm[i] = dot(s.row(i), s.row(i))
	}
	s.far = make([]float64, s.queries)
	threads := runtime.NumCPU()
	all := make([][]scored, threads)
	return parallel(s.queries, threads, func(t, q int) error {
		if all[t] == nil {
			all[t] = make([]scored, s.n)
		}
		v := s.queryAt(q)
		for i := range s.n {
			d := float64(dot(v, s.row(i)))
			switch s.metric {
			case index.L2:
				d = float64(norm[i]) - 2*d
			case index.Cosine:
				d = -d / math.Sqrt(float64(norm[i])+1e-30)
			default:
				d = -d
			}
			if s.only != nil && !s.only[i] {
				d = math.Inf(1)
			}
			all[t][i] = scored{int32(i), d}
		}
		near := nearest(all[t], k+64) // float32 errs in the last places
		for i := range near {
			near[i].dist = s.distance(q, int(near[i].row))
		}
		slices.SortFunc(near, func(a, b scored) int { return cmp.Compare(a.dist, b.dist) })
		s.far[q] = near[min(k, len(near))-1].dist
		return nil
	})
}

// nearest picks the k of the least distance, in no order.
func nearest(all []scored, k int) []scored {
	if k >= len(all) {
		return slices.Clone(all)
	}
	top := slices.Clone(all[:k])
	worst := func() int {
		w := 0
		for i := range top {
			if top[i].dist > top[w].dist {
				w = i
			}
		}
		return w
	}
	w := worst()
	for _, c := range all[k:] {
		if c.dist < top[w].dist {
			top[w] = c
			w = worst()
		}
	}
	return top
}

// recall is the share of right results among k for each query. A result is
// right if it is as near as the k-th of the exact search, so equal vectors are
// not held against anybody. No row counts twice.
func (s *set) recall(labels []int32, k int) float64 {
	right := 0
	for q := range s.queries {
		got := slices.Clone(labels[q*k : (q+1)*k])
		slices.Sort(got)
		for _, l := range slices.Compact(got) {
			if l >= 0 && int(l) < s.n && s.distance(q, int(l)) <= s.far[q]+1e-6*max(1, s.far[q]) {
				right++
			}
		}
	}
	return float64(right) / float64(s.queries*k)
}
