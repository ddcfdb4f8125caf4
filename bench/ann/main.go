package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/flat"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "ann:", err)
		}
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	data           string
	limit, queries int
	k, m, efc      int
	efs            []int
	peers          []string
	rounds         int
	out            string
	seed           uint64
}

func run(args []string, stdout, stderr io.Writer) error {
	var o options
	var efs, peers string
	fs := flag.NewFlagSet("ann", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.data, "data", "", "vectors, a .npy `file`; by default the MiniLM embeddings in datasets")
	fs.IntVar(&o.limit, "n", 0, "use only the first `n` vectors")
	fs.IntVar(&o.queries, "queries", 1000, "vectors to hold out as queries")
	fs.IntVar(&o.k, "k", 10, "neighbours to find")
	fs.IntVar(&o.m, "m", 16, "links per node")
	fs.IntVar(&o.efc, "efc", 200, "efConstruction")
	fs.StringVar(&efs, "ef", "10,16,24,32,48,64,96,128,192,256", "pool sizes")
	fs.StringVar(&peers, "peers", "hnswlib,coder", "whom to measure besides nearcache, or none")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; the fastest counts")
	fs.StringVar(&o.out, "out", filepath.Join("bench", "results"), "`folder` of the results, empty for none")
	fs.Uint64Var(&o.seed, "seed", 1, "of the choice of queries and of the levels")
	if err := fs.Parse(args); err != nil {
		return err
	}
	for _, f := range strings.Split(efs, ",") {
		ef, err := strconv.Atoi(f)
		if err != nil || ef < 1 {
			return fmt.Errorf("-ef: %q is no pool size", f)
		}
		o.efs = append(o.efs, ef)
	}
	if peers != "" && peers != "none" {
		o.peers = strings.Split(peers, ",")
	}
	if o.k < 1 || o.queries < 1 || o.rounds < 1 || o.m < 2 || o.efc < 1 {
		return errors.New("-k, -queries, -rounds, -m and -efc must be positive")
	}
	say := func(format string, a ...any) {
		fmt.Fprintf(stderr, time.Now().Format("15:04:05 ")+format+"\n", a...)
	}

	set, err := load(o)
	if err != nil {
		return err
	}
	say("%s: %d vectors of %d dimensions, %d queries", set.name, set.n, set.dim, set.queries)
	if err := pin(); err != nil {
		say("not pinned to one core: %v", err)
	}
	runtime.GOMAXPROCS(1)
	if err := set.findTruth(o.k); err != nil {
		return err
	}
	engines := []engine{newNearcache(o, "HNSW"), newNearcache(o, "FLAT")}
	for _, p := range o.peers {
		switch p {
		case "coder":
			engines = append(engines, &coder{o: o})
		case "hnswlib":
			e, err := newHnswlib(o, set, say)
			if err != nil {
				return fmt.Errorf("hnswlib: %w (-peers coder goes without)", err)
			}
			engines = append(engines, e)
		default:
			return fmt.Errorf("-peers: who is %q?", p)
		}
	}
	defer func() {
		for _, e := range engines {
			e.close()
		}
	}()

	res := newResult(o, set, args)
	for _, e := range engines {
		say("building %s", e.name())
		b, err := e.build(set)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name(), err)
		}
		say("built %s in %.1f s, %.1f MB", e.name(), b.Seconds, float64(b.Bytes)/1e6)
		res.Engines = append(res.Engines, engineResult{Name: e.name(), Version: e.version(), Build: b})
	}
	for round := range o.rounds {
		for _, ef := range o.efs {
			for i, e := range engines {
				if e.exact() && ef != o.efs[0] {
					continue
				}
				debug.FreeOSMemory() // outside of the timing, so that no collection falls into it
				t, labels, err := e.search(set, ef)
				if err != nil {
					return fmt.Errorf("%s: %w", e.name(), err)
				}
				res.Engines[i].add(ef, t, set.recall(labels, o.k), set.queries)
			}
		}
		say("round %d of %d", round+1, o.rounds)
	}
	res.table(stdout)
	if o.out == "" {
		return nil
	}
	files, err := res.save(o.out)
	for _, f := range files {
		say("wrote %s", filepath.ToSlash(f))
	}
	return err
}

// set is the vectors, the queries held out of them, and the truth.
type set struct {
	name       string
	dim        int
	n, queries int
	train      []float32 // n rows
	query      []float32 // queries rows
	far        []float64 // each query's distance to its k-th neighbour
}

func load(o options) (*set, error) {
	s := &set{}
	var mat *datasets.Matrix
	if o.data != "" {
		s.name = filepath.Base(o.data)
		m, err := datasets.LoadNPY(o.data, datasets.Limits{})
		if err != nil {
			return nil, err
		}
		mat = m
	} else {
		dir, err := datasets.Dir()
		if err != nil {
			return nil, err
		}
		man, err := datasets.Open(dir)
		if err != nil {
			return nil, err
		}
		ds, err := man.Set("minilm")
		if err != nil {
			return nil, err
		}
		s.name = ds.Name
		if mat, err = datasets.LoadNPY(ds.Path(), datasets.Limits{}); err != nil {
			return nil, err
		}
	}
	rows := mat.Rows
	if o.limit > 0 {
		rows = min(rows, o.limit)
	}
	if rows < o.queries+o.k {
		return nil, fmt.Errorf("%d vectors are too few for %d queries and %d neighbours", rows, o.queries, o.k)
	}
	s.dim, s.queries, s.n = mat.Dim, o.queries, rows-o.queries
	for i, r := range rand.New(rand.NewPCG(o.seed, 0)).Perm(rows) {
		if i < o.queries {
			s.query = append(s.query, mat.Row(r)...)
		} else {
			s.train = append(s.train, mat.Row(r)...)
		}
	}
	return s, nil
}

func (s *set) row(i int) []float32     { return s.train[i*s.dim : (i+1)*s.dim] }
func (s *set) queryAt(i int) []float32 { return s.query[i*s.dim : (i+1)*s.dim] }

// distance is the cosine distance in float64.
func (s *set) distance(q, row int) float64 {
	a, b := s.queryAt(q), s.row(row)
	var dot, aa, bb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 1
	}
	return 1 - dot/math.Sqrt(aa)/math.Sqrt(bb)
}

func (s *set) findTruth(k int) error {
	x, err := flat.New(index.Params{Dim: s.dim, Metric: index.Cosine})
	if err != nil {
		return err
	}
	defer x.Close()
	for i := range s.n {
		if err := x.Add(index.Label(i), 1, blob(s.row(i))); err != nil {
			return err
		}
	}
	var dst []index.Neighbor
	for q := range s.queries {
		if dst, err = x.Search(dst[:0], blob(s.queryAt(q)), k, index.SearchOptions{}); err != nil {
			return err
		}
		s.far = append(s.far, s.distance(q, int(dst[len(dst)-1].Label)))
	}
	return nil
}

// recall is the share of right results among k for each query. It refuses to
// count a row twice.
func (s *set) recall(labels []int32, k int) float64 {
	right := 0
	for q := range s.queries {
		got := slices.Clone(labels[q*k : (q+1)*k])
		slices.Sort(got)
		for _, l := range slices.Compact(got) {
			if l >= 0 && int(l) < s.n && s.distance(q, int(l)) <= s.far[q]+1e-6 {
				right++
			}
		}
	}
	return float64(right) / float64(s.queries*k)
}
