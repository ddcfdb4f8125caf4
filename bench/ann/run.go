package ann

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/index"
)

// options are the command line's.
type options struct {
	data, gen      string
	queriesFrom    string
	metric         index.Metric
	limit, queries int
	k, m, efc      int
	efs            []int
	targets        []float64
	engines        []string
	rounds         int
	out, name      string
	seed           uint64
	reuse          []string
	parts          []string
	variants       []string // of our engines, in the parts that measure one alone
	ef             int      // in the parts that do not sweep
	passes, flatN  int
	turn           time.Duration
	summary        []string
	say            func(format string, a ...any)
}

var metrics = map[string]index.Metric{"l2": index.L2, "ip": index.IP, "cosine": index.Cosine}

// parts are what can be measured.
var parts = []string{"sweep", "allocs", "threads", "churn", "reinsert", "inserting", "filter", "flat"}

// Run carries out the command `nearcache bench ann`.
func Run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.summary != nil {
		return summary(o.summary, stdout)
	}
	set, err := load(o)
	if err != nil {
		return err
	}
	defer set.close()
	defer set.closeOnSignal()()
	o.say("%s: %d vectors of %d dimensions, %s, %d queries", set.name, set.n, set.dim, o.metric, set.queries)
	if err := set.findTruth(o.k); err != nil {
		return err
	}
	r := newResult(o, set, args)
	if err := measure(o, set, r); err != nil {
		return err
	}
	r.print(stdout)
	if o.out == "" {
		return nil
	}
	files, err := r.save(o.out, o.name)
	for _, f := range files {
		o.say("wrote %s", filepath.ToSlash(f))
	}
	return err
}

func measure(o *options, s *set, r *result) error {
	if o.does("sweep", "threads", "allocs") {
		if err := compareEngines(o, s, r); err != nil {
			return err
		}
	}
	for _, p := range []struct {
		name string
		f    func(*options, *set, *result) error
	}{
		{"churn", churn},
		{"reinsert", reinsert},
		{"inserting", inserting},
		{"filter", filters},
		{"flat", flatTop1},
	} {
		if o.does(p.name) {
			o.say("%s", p.name)
			if err := p.f(o, s, r); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

// compareEngines does what needs the peers beside ours; they end with it.
func compareEngines(o *options, s *set, r *result) error {
	engines, err := openEngines(o, s, r)
	if err != nil {
		return err
	}
	defer func() {
		for _, e := range engines {
			e.close()
		}
	}()
	if o.does("sweep") {
		if err := sweep(o, s, engines, r); err != nil {
			return err
		}
		r.sweepFigures()
	}
	if o.does("allocs") {
		if err := allocations(o, s, engines, r); err != nil {
			return err
		}
	}
	if o.does("threads") {
		return threads(o, s, engines, r)
	}
	return nil
}

func (o *options) does(parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(o.parts, p) })
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{say: func(format string, a ...any) {
		fmt.Fprintf(stderr, time.Now().Format("15:04:05 ")+format+"\n", a...)
	}}
	var efs, targets, engines, metric, part, variants, reuse string
	var quick, joins bool
	fs := flag.NewFlagSet("bench ann", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.data, "data", "", "vectors, a `file` .npy, .fvecs or .hdf5 (ann-benchmarks); by default the MiniLM embeddings in datasets")
	fs.StringVar(&o.gen, "gen", "", "make vectors in clusters, `ROWSxDIM`, instead of reading them")
	fs.StringVar(&o.queriesFrom, "queries-from", "", "queries, a `file`, instead of holding some of the vectors out")
	fs.StringVar(&metric, "metric", "cosine", "cosine, l2 or ip")
	fs.IntVar(&o.limit, "n", 0, "use only the first `n` vectors")
	fs.IntVar(&o.queries, "queries", 1000, "how many queries")
	fs.IntVar(&o.k, "k", 10, "neighbours to find")
	fs.IntVar(&o.m, "m", 16, "links per node")
	fs.IntVar(&o.efc, "efc", 200, "efConstruction")
	fs.StringVar(&efs, "ef", "10,16,24,32,48,64,96,128,192,256", "pool sizes")
	fs.StringVar(&targets, "recall", "0.95,0.99", "recalls at which speeds are compared; the pool sizes that reach them are sought")
	fs.StringVar(&engines, "engines", "nearcache,nearcache-f32,nearcache-sq8,nearcache-sq8only,nearcache-binary,hnswlib,hnswlib-py,faiss-hnsw,faiss-sq8,faiss-ivfpq,usearch,usearch-i8,coder", "whom to measure")
	fs.IntVar(&o.rounds, "rounds", 7, "rounds; medians count")
	fs.StringVar(&part, "parts", "sweep,allocs", "what is measured: all, or some of "+strings.Join(parts, ", "))
	fs.StringVar(&variants, "variants", "nearcache-f32,nearcache-sq8", "which of ours in churn, reinsert, inserting and filter")
	fs.IntVar(&o.ef, "at", 32, "pool size in the parts that do not sweep")
	fs.IntVar(&o.passes, "passes", 10, "how often churn replaces everything")
	fs.IntVar(&o.flatN, "flat-n", 100_000, "vectors of the part flat; rows between two of the set are made where it has fewer")
	fs.DurationVar(&o.turn, "turn", time.Second, "length of a turn of the part inserting")
	fs.BoolVar(&joins, "summary", false, "only join the JSON files named as arguments into one table of figures")
	fs.StringVar(&reuse, "reuse", "", "peers (or all) that load the index of an earlier run, with the build time of then")
	fs.BoolVar(&quick, "quick", false, "nearcache and hnswlib only, few pool sizes and rounds, -reuse, no files")
	fs.StringVar(&o.out, "out", filepath.Join("bench", "results"), "`folder` of the results, empty for none")
	fs.StringVar(&o.name, "name", "", "`name` of the results' files; by default of the vectors and the day")
	fs.Uint64Var(&o.seed, "seed", 1, "of the choice of queries and of the levels")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if joins {
		if o.summary = fs.Args(); len(o.summary) == 0 {
			return nil, errors.New("-summary: of which files?")
		}
		return o, nil
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("bench ann: argument %q", fs.Arg(0))
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if quick {
		for name, v := range map[string]string{"ef": "10,16,32,64,128", "engines": "nearcache,hnswlib", "rounds": "3", "reuse": "all", "out": ""} {
			if !given[name] {
				if err := fs.Set(name, v); err != nil {
					return nil, err
				}
			}
		}
	}
	var ok bool
	if o.metric, ok = metrics[strings.ToLower(metric)]; !ok {
		return nil, fmt.Errorf("-metric: %q", metric)
	}
	for f := range strings.SplitSeq(efs, ",") {
		ef, err := strconv.Atoi(f)
		if err != nil || ef < 1 || ef > 1<<20 {
			return nil, fmt.Errorf("-ef: %q is no pool size", f)
		}
		o.efs = append(o.efs, ef)
	}
	for f := range strings.SplitSeq(targets, ",") {
		if f == "" {
			continue
		}
		x, err := strconv.ParseFloat(f, 64)
		if err != nil || !(x > 0 && x <= 1) {
			return nil, fmt.Errorf("-recall: %q is no recall", f)
		}
		o.targets = append(o.targets, x)
	}
	o.engines, o.variants, o.parts = strings.Split(engines, ","), strings.Split(variants, ","), strings.Split(part, ",")
	o.reuse = strings.Split(reuse, ",")
	if part == "all" {
		o.parts = parts
	}
	for _, p := range o.parts {
		if !slices.Contains(parts, p) {
			return nil, fmt.Errorf("-parts: no part %q", p)
		}
	}
	for _, v := range o.variants {
		if _, err := findRow(v); err != nil || !strings.HasPrefix(v, "nearcache") {
			return nil, fmt.Errorf("-variants: %q is none of ours", v)
		}
	}
	if o.k < 1 || o.queries < 1 || o.rounds < 1 || o.m < 2 || o.efc < 1 || o.ef < 1 || o.passes < 1 || o.flatN < 1 || o.turn <= 0 {
		return nil, errors.New("-k, -queries, -rounds, -m, -efc, -at, -passes, -flat-n and -turn must be positive")
	}
	return o, nil
}

// openEngines opens those asked for. One that cannot be had is reported and left out.
func openEngines(o *options, s *set, r *result) (engines []engine, err error) {
	for _, name := range o.engines {
		row, err := findRow(name)
		if err != nil {
			return nil, err
		}
		e, err := row.open(o, s)
		if err != nil {
			o.say("left out: %s: %v", name, err)
			r.Missing = append(r.Missing, missing{name, err.Error()})
			continue
		}
		engines = append(engines, e)
		r.Engines = append(r.Engines, &engineResult{Name: name, What: row.what, Version: e.version()})
	}
	if len(engines) == 0 {
		return nil, errors.New("no engine is left")
	}
	return engines, nil
}

// single puts all engines on one core, or gives them all.
func single(o *options, one bool, engines []engine) {
	pids := []int{0}
	for _, e := range engines {
		if p := e.pid(); p != 0 {
			pids = append(pids, p)
		}
	}
	runtime.GOMAXPROCS(runtime.NumCPU())
	if one {
		runtime.GOMAXPROCS(1)
	}
	if err := pin(one, pids...); err != nil {
		o.say("not pinned to cores: %v", err)
	}
}
