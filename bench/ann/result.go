package ann

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// result is what is written as JSON.
type result struct {
	Command string          `json:"command"`
	Date    string          `json:"date"`
	Commit  string          `json:"commit"`
	Machine string          `json:"machine"`
	Go      string          `json:"go"`
	Data    string          `json:"data"`
	Metric  string          `json:"metric"`
	N       int             `json:"n"`
	Dim     int             `json:"dim"`
	Queries int             `json:"queries"`
	K       int             `json:"k"`
	M       int             `json:"m"`
	EFC     int             `json:"ef_construction"`
	Rounds  int             `json:"rounds"`
	Engines []*engineResult `json:"engines"`
	Missing []missing       `json:"missing,omitempty"`
	Ratios  []ratio         `json:"ratios,omitempty"`
	Tables  []*table        `json:"tables,omitempty"`
	Figures []figure        `json:"figures,omitempty"`
}

// missing is an engine that was asked for and could not be had.
type missing struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

type engineResult struct {
	Name    string  `json:"name"`
	What    string  `json:"what"`
	Version string  `json:"version"`
	Build   built   `json:"build"`
	Points  []point `json:"points"` // by EF
}

// point is one ef, with what each round took.
type point struct {
	EF     int       `json:"ef"`
	Recall float64   `json:"recall"`
	QPS    float64   `json:"qps"` // median by the wall clock
	CPUQPS float64   `json:"cpu_qps"`
	P50    float64   `json:"p50_us,omitempty"` // medians over the rounds
	P99    float64   `json:"p99_us,omitempty"`
	Wall   []float64 `json:"wall_us"` // a query, in each round
	CPU    []float64 `json:"cpu_us"`

	p50, p99 []float64
}

// ratio compares two engines at equal recall: formed in each round, of
// processor time a query.
type ratio struct {
	Recall  float64   `json:"recall"`
	Engine  string    `json:"engine"`
	Against string    `json:"against"`
	QPS     float64   `json:"qps"`
	Other   float64   `json:"against_qps"`
	Times   float64   `json:"times"` // median; more is faster
	Rounds  []float64 `json:"rounds"`
}

func (b built) String() string {
	s := fmt.Sprintf("%.1f s (%.1f of processor time), %.1f MB in memory (%.1f of files, %.1f in huge pages)", b.Seconds, b.CPU,
		float64(b.Memory.Anon+b.Memory.File)/1e6, float64(b.Memory.File)/1e6, float64(b.Memory.Huge)/1e6)
	if b.Cached {
		s += ", loaded from an earlier run"
	}
	return s
}

func newResult(o *options, s *set, args []string) *result {
	shown := append([]string(nil), args...)
	for i, a := range shown { // no path of this machine in a result
		if filepath.IsAbs(a) {
			shown[i] = filepath.Base(a)
		} else if k, v, ok := strings.Cut(a, "="); ok && filepath.IsAbs(v) {
			shown[i] = k + "=" + filepath.Base(v)
		}
	}
	return &result{
		Command: strings.TrimSpace("go run ./cmd/nearcache bench ann " + strings.Join(shown, " ")),
		Date:    time.Now().UTC().Format(time.DateOnly),
		Commit:  commit(),
		Machine: fmt.Sprintf("%s, %d cores, %s/%s", cpuModel(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		Go:      runtime.Version(),
		Data:    s.name, Metric: o.metric.String(), N: s.n, Dim: s.dim, Queries: s.queries,
		K: o.k, M: o.m, EFC: o.efc, Rounds: o.rounds,
	}
}

// measured is how many rounds an ef has been measured.
func (e *engineResult) measured(ef int) int {
	for _, p := range e.Points {
		if p.EF == ef {
			return len(p.Wall)
		}
	}
	return 0
}

func (e *engineResult) add(ef int, t pass, recall float64) {
	i, ok := slices.BinarySearchFunc(e.Points, ef, func(p point, ef int) int { return cmp.Compare(p.EF, ef) })
	if !ok {
		e.Points = slices.Insert(e.Points, i, point{EF: ef})
	}
	p := &e.Points[i]
	p.Recall = recall
	p.Wall = append(p.Wall, 1e6*t.Seconds/float64(t.queries))
	p.CPU = append(p.CPU, 1e6*t.CPU/float64(t.queries))
	p.QPS, p.CPUQPS = 1e6/median(p.Wall), 1e6/median(p.CPU)
	if len(t.micros) > 0 {
		p.p50, p.p99 = append(p.p50, quantile(t.micros, 0.5)), append(p.p99, quantile(t.micros, 0.99))
		p.P50, p.P99 = median(p.p50), median(p.p99)
	}
}

// median does not change v.
func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile is the value that the share q of v does not exceed; the mean of two in the middle.
func quantile[T float32 | float64](v []T, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); q == 0.5 && n%2 == 0 {
		return float64(v[n/2-1]+v[n/2]) / 2
	}
	return float64(v[int(q*float64(len(v)-1)+0.5)])
}

// at is the microseconds a query takes at a recall in a round, between two
// points; false outside of all.
func (e *engineResult) at(recall float64, round int) (float64, bool) {
	for i := 1; i < len(e.Points); i++ {
		a, b := e.Points[i-1], e.Points[i]
		if a.Recall <= recall && recall <= b.Recall && a.Recall < b.Recall {
			f := (recall - a.Recall) / (b.Recall - a.Recall)
			return (1-f)*a.CPU[round] + f*b.CPU[round], true
		}
	}
	return 0, false
}

// compare forms the ratios of nearcache's engines to the others.
func (r *result) compare(targets []float64) {
	for _, e := range r.Engines {
		for _, o := range r.Engines {
			if !e.ours() || o.ours() || o.Name == "flat" {
				continue
			}
			for _, t := range targets {
				x := ratio{Recall: t, Engine: e.Name, Against: o.Name}
				var mine, theirs []float64
				for round := range r.Rounds {
					a, okA := e.at(t, round)
					b, okB := o.at(t, round)
					if !okA || !okB {
						break
					}
					mine, theirs, x.Rounds = append(mine, a), append(theirs, b), append(x.Rounds, b/a)
				}
				if len(x.Rounds) == r.Rounds {
					x.QPS, x.Other, x.Times = 1e6/median(mine), 1e6/median(theirs), median(x.Rounds)
					r.Ratios = append(r.Ratios, x)
				}
			}
		}
	}
}

// ours says whether it is one of nearcache's graphs.
func (e *engineResult) ours() bool { return strings.HasPrefix(e.Name, "nearcache") }

func micros(us float64) string {
	if us == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", us)
}

func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d vectors of %d dimensions, %s, recall@%d over %d queries, M=%d, efConstruction=%d, %d rounds\n%s, %s, commit %s\n",
		r.Data, r.N, r.Dim, r.Metric, r.K, r.Queries, r.M, r.EFC, r.Rounds, r.Machine, r.Date, r.Commit)
	for _, m := range r.Missing {
		fmt.Fprintf(w, "left out: %s: %s\n", m.Name, m.Why)
	}
	if len(r.Engines) > 0 && len(r.Engines[0].Points) > 0 {
		r.speeds().print(w)
	}
	if len(r.Ratios) > 0 {
		t := table{
			Title: "at equal recall, one thread, by processor time; the ratio is formed in each round: median (lowest-highest)",
			Head:  []string{"recall", "engine", "qps", "against", "qps", "times", ""},
		}
		for _, x := range r.Ratios {
			t.row(fmt.Sprintf("%.3f", x.Recall), x.Engine, fmt.Sprintf("%.0f", x.QPS), x.Against, fmt.Sprintf("%.0f", x.Other), fmt.Sprintf("%.2fx", x.Times), "("+x.spread()+")")
		}
		t.print(w)
	}
	for _, t := range r.Tables {
		t.print(w)
	}
	figuresTable(w, r.Figures)
}

// speeds is the table of all points.
func (r *result) speeds() *table {
	mb := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }
	t := &table{
		Title: "one thread; medians; build in processor time; MB: anonymous memory that the index added, of files, in huge pages",
		Head:  []string{"engine", "build s", "MB", "file", "huge", "ef", "recall", "qps", "qps by cpu", "p50 us", "p99 us"},
	}
	for _, e := range r.Engines {
		for i, p := range e.Points {
			head := []any{"", "", "", "", ""}
			if m := e.Build.Memory; i == 0 {
				head = []any{e.Name, fmt.Sprintf("%.1f", e.Build.CPU), mb(m.Anon), mb(m.File), mb(m.Huge)}
			}
			t.row(append(head, p.EF, fmt.Sprintf("%.4f", p.Recall), fmt.Sprintf("%.0f", p.QPS), fmt.Sprintf("%.0f", p.CPUQPS), micros(p.P50), micros(p.P99))...)
		}
	}
	return t
}

// save writes the JSON, the text and the plot beside each other and returns their names.
func (r *result) save(dir, name string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = r.Data + "-" + r.Date
	}
	base := filepath.Join(dir, "ann-"+name)
	files := []string{base + ".json", base + ".svg", base + ".txt"}
	var txt strings.Builder
	fmt.Fprintf(&txt, "%s\n\n", r.Command)
	r.print(&txt)
	if len(r.Engines) == 0 || len(r.Engines[0].Points) == 0 { // nothing to draw
		files = []string{files[0], files[2]}
	} else if err := os.WriteFile(base+".svg", r.plot(), 0o644); err != nil {
		return nil, err
	}
	return files, errors.Join(
		os.WriteFile(base+".json", append(b, '\n'), 0o644),
		os.WriteFile(base+".txt", []byte(txt.String()), 0o644))
}

func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	c := strings.TrimSpace(string(out))
	if exec.Command("git", "diff", "--quiet", "HEAD", "--", "index").Run() != nil {
		c += "+changes"
	}
	return c
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return ""
}
