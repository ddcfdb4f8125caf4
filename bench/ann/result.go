package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what is written as JSON.
type result struct {
	Command string         `json:"command"`
	Date    string         `json:"date"`
	Commit  string         `json:"commit"`
	Machine string         `json:"machine"`
	Go      string         `json:"go"`
	Data    string         `json:"data"`
	N       int            `json:"n"`
	Dim     int            `json:"dim"`
	Queries int            `json:"queries"`
	K       int            `json:"k"`
	M       int            `json:"m"`
	EFC     int            `json:"ef_construction"`
	Threads int            `json:"threads"`
	Rounds  int            `json:"rounds"`
	Engines []engineResult `json:"engines"`
}

type engineResult struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Build   timing  `json:"build"`
	Points  []point `json:"points"`
}

// point is one ef.
type point struct {
	EF     int       `json:"ef"`
	Recall float64   `json:"recall"`
	QPS    float64   `json:"qps"`     // of the fastest round, wall clock
	CPUQPS float64   `json:"cpu_qps"` // of the round with the least processor time
	Wall   []float64 `json:"wall_seconds"`
	CPU    []float64 `json:"cpu_seconds"`
}

func newResult(o options, s *set, args []string) *result {
	shown := append([]string(nil), args...)
	for i, a := range shown { // no path of this machine in a result
		if filepath.IsAbs(a) {
			shown[i] = filepath.Base(a)
		} else if k, v, ok := strings.Cut(a, "="); ok && filepath.IsAbs(v) {
			shown[i] = k + "=" + filepath.Base(v)
		}
	}
	return &result{
		Command: strings.TrimSpace("go run ./bench/ann " + strings.Join(shown, " ")),
		Date:    time.Now().UTC().Format(time.DateOnly),
		Commit:  commit(),
		Machine: fmt.Sprintf("%s, %d cores, %s/%s", cpuModel(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		Go:      runtime.Version(),
		Data:    s.name, N: s.n, Dim: s.dim, Queries: s.queries,
		K: o.k, M: o.m, EFC: o.efc, Threads: 1, Rounds: o.rounds,
	}
}

func (e *engineResult) add(ef int, t timing, recall float64, queries int) {
	var p *point
	for i := range e.Points {
		if e.Points[i].EF == ef {
			p = &e.Points[i]
		}
	}
	if p == nil {
		e.Points = append(e.Points, point{EF: ef})
		p = &e.Points[len(e.Points)-1]
	}
	p.Recall = recall
	p.Wall, p.CPU = append(p.Wall, t.Seconds), append(p.CPU, t.CPU)
	p.QPS = max(p.QPS, float64(queries)/t.Seconds)
	if t.CPU > 0 {
		p.CPUQPS = max(p.CPUQPS, float64(queries)/t.CPU)
	}
}

func (r *result) table(w io.Writer) {
	fmt.Fprintf(w, "%s: %d vectors of %d dimensions, recall@%d over %d queries, M=%d, efConstruction=%d, 1 thread\n%s, %s, commit %s\n\n",
		r.Data, r.N, r.Dim, r.K, r.Queries, r.M, r.EFC, r.Machine, r.Date, r.Commit)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "engine\tbuild s\tMB\tef\trecall\tqps\tqps by cpu time\t")
	for _, e := range r.Engines {
		for i, p := range e.Points {
			head := "\t\t"
			if i == 0 {
				head = fmt.Sprintf("%s\t%.1f\t%.1f", e.Name, e.Build.Seconds, float64(e.Build.Bytes)/1e6)
			}
			fmt.Fprintf(t, "%s\t%d\t%.4f\t%.0f\t%.0f\t\n", head, p.EF, p.Recall, p.QPS, p.CPUQPS)
		}
	}
	t.Flush()
	ours := r.find("nearcache HNSW")
	for _, e := range r.Engines {
		if ours == nil || e.Name == ours.Name || len(e.Points) < 2 {
			continue
		}
		fmt.Fprintf(w, "\nnearcache HNSW against %s at equal recall (interpolated, by cpu time):\n", e.Name)
		for _, at := range []float64{0.9, 0.95, 0.98, 0.99, 0.995} {
			a, okA := ours.at(at)
			b, okB := e.at(at)
			if okA && okB {
				fmt.Fprintf(w, "  recall %.3f: %.0f and %.0f queries a second, %.2fx\n", at, a, b, a/b)
			} else if okA {
				fmt.Fprintf(w, "  recall %.3f: %.0f queries a second; %s does not cross it\n", at, a, e.Name)
			}
		}
	}
}

func (r *result) find(name string) *engineResult {
	for i := range r.Engines {
		if r.Engines[i].Name == name {
			return &r.Engines[i]
		}
	}
	return nil
}

// at is the speed at a recall, between two points; false outside of all.
func (e *engineResult) at(recall float64) (float64, bool) {
	speed := func(p point) float64 {
		if p.CPUQPS > 0 {
			return p.CPUQPS
		}
		return p.QPS
	}
	for i := 1; i < len(e.Points); i++ {
		a, b := e.Points[i-1], e.Points[i]
		if a.Recall <= recall && recall <= b.Recall && a.Recall < b.Recall {
			// Straight in seconds a query, which grow with ef, not in their inverse.
			f := (recall - a.Recall) / (b.Recall - a.Recall)
			return 1 / ((1-f)/speed(a) + f/speed(b)), true
		}
	}
	return 0, false
}

// save writes the JSON and the plot beside each other and returns their names.
func (r *result) save(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	base := filepath.Join(dir, fmt.Sprintf("ann-%s-%s", strings.TrimSuffix(r.Data, ".npy"), r.Date))
	files := []string{base + ".json", base + ".svg", base + ".txt"}
	var txt strings.Builder
	fmt.Fprintf(&txt, "%s\n\n", r.Command)
	r.table(&txt)
	return files, errors.Join(
		os.WriteFile(files[0], append(b, '\n'), 0o644),
		os.WriteFile(files[1], r.plot(), 0o644),
		os.WriteFile(files[2], []byte(txt.String()), 0o644))
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
