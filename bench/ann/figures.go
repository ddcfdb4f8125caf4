package ann

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// table is what one part of the measurements shows, beside the figures.
type table struct {
	Title string     `json:"title"`
	Note  string     `json:"note,omitempty"`
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
}

func (t *table) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.Rows = append(t.Rows, row)
}

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", t.Title)
	if t.Note != "" {
		fmt.Fprintf(w, "%s\n", t.Note)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		fmt.Fprintln(tw, strings.Join(row, "\t")+"\t")
	}
	tw.Flush()
}

// figure is one that nearcache promises.
type figure struct {
	Name     string  `json:"figure"`
	Required string  `json:"required"`
	Measured string  `json:"measured"`
	Value    float64 `json:"value"`
	Met      bool    `json:"met"`
}

// atLeast and atMost note a figure with the limit that it must keep. format is
// of the value and the limit, detail stands behind it.
func (r *result) atLeast(name, format string, limit, value float64, detail string, a ...any) {
	r.note(name, "≥ "+fmt.Sprintf(format, limit), format, value, value >= limit, fmt.Sprintf(detail, a...))
}

func (r *result) atMost(name, format string, limit, value float64, detail string, a ...any) {
	r.note(name, "≤ "+fmt.Sprintf(format, limit), format, value, value <= limit, fmt.Sprintf(detail, a...))
}

func (r *result) note(name, required, format string, value float64, met bool, detail string) {
	r.Figures = append(r.Figures, figure{
		Name: name, Required: required, Measured: strings.TrimSpace(fmt.Sprintf(format, value) + " " + detail), Value: value, Met: met,
	})
}

func figuresTable(w io.Writer, figures []figure) {
	if len(figures) == 0 {
		return
	}
	t := table{Title: "figures", Head: []string{"figure", "required", "measured", ""}}
	for _, f := range figures {
		t.row(f.Name, f.Required, f.Measured, map[bool]string{true: "met", false: "MISSED"}[f.Met])
	}
	t.print(w)
}

// summary joins the figures of several results in one table of Markdown, a
// column for each set of vectors.
func summary(files []string, w io.Writer) error {
	var names, heads []string
	required, cells := map[string]string{}, map[string]map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		var r result
		if err := json.Unmarshal(b, &r); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(f), err)
		}
		head := fmt.Sprintf("%s, %d x %d, %s, %s", r.Data, r.N, r.Dim, r.Metric, r.Commit)
		if !slices.Contains(heads, head) { // several parts of one set and commit share a column
			heads = append(heads, head)
		}
		for _, g := range r.Figures {
			if cells[g.Name] == nil {
				names = append(names, g.Name)
				cells[g.Name] = map[string]string{}
			}
			if req := required[g.Name]; !strings.Contains(req, g.Required) {
				required[g.Name] = strings.TrimPrefix(req+", "+g.Required, ", ")
			}
			cells[g.Name][head] = g.Measured
			if !g.Met {
				cells[g.Name][head] = "**missed:** " + g.Measured
			}
		}
	}
	fmt.Fprintf(w, "| figure | required | %s |\n|---|---|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	for _, n := range names {
		row := []string{n, required[n]}
		for _, h := range heads {
			c := cells[n][h]
			if c == "" {
				c = "-"
			}
			row = append(row, c)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	return nil
}

// sweepFigures are those that the builds and the speeds at equal recall give.
func (r *result) sweepFigures() {
	speed := 1.9
	if r.Dim > 512 {
		speed = 1.6
	}
	peers := []string{"hnswlib", "hnswlib-py", "faiss-hnsw", "faiss-sq8", "faiss-ivfpq", "usearch", "usearch-i8"}
	plain := []string{"hnswlib", "hnswlib-py", "faiss-hnsw", "usearch"}
	for _, t := range r.targets() {
		if x, ok := r.ratioTo("nearcache-f32", t, []string{"hnswlib"}); ok {
			r.atLeast(fmt.Sprintf("float32, queries a second at recall %.2f, against hnswlib (C++)", t), "%.2fx", speed, x.Times, "(%s)", x.spread())
		}
		if x, ok := r.ratioTo("nearcache-f32", t, plain); ok {
			r.atLeast(fmt.Sprintf("the same against the best with float32, recall %.2f", t), "%.2fx", 1.4, x.Times, "(%s, %s)", x.spread(), x.Against)
		}
		if x, ok := r.ratioTo("nearcache-f32", t, peers); ok {
			r.atLeast(fmt.Sprintf("the same against the best of all, recall %.2f", t), "%.2fx", 1.4, x.Times, "(%s, %s)", x.spread(), x.Against)
		}
		if x, ok := r.ratioTo("nearcache-sq8", t, []string{"hnswlib"}); ok {
			r.atLeast(fmt.Sprintf("8-bit walk and float32 rerank at recall %.2f, against hnswlib (C++)", t), "%.2fx", 2.5, x.Times, "(%s)", x.spread())
		}
		if x, ok := r.ratioTo("nearcache", t, peers); ok {
			r.atLeast(fmt.Sprintf("as it comes, against the best of all, recall %.2f", t), "%.2fx", 1.4, x.Times, "(%s, %s)", x.spread(), x.Against)
		}
	}
	base := r.find("hnswlib")
	if base == nil || base.Build.CPU == 0 {
		return
	}
	if e := r.find("nearcache-f32"); e != nil {
		r.atMost("build time, one thread, of hnswlib's", "%.2fx", 0.55, e.Build.CPU/base.Build.CPU, "(%.1f s, %.1f s)", e.Build.CPU, base.Build.CPU)
	}
	for _, m := range []struct {
		name, what string
		limit      float64
	}{
		{"nearcache-f32", "float32", 1.05},
		{"nearcache-sq8only", "8 bits alone", 0.33},
		{"nearcache-binary", "1 bit, float32 on disk", 0.15},
	} {
		if e := r.find(m.name); e != nil {
			r.atMost("memory of hnswlib's: "+m.what, "%.2fx", m.limit, float64(e.Build.Memory.Anon)/float64(base.Build.Memory.Anon),
				"(%.1f MB of %.1f)", float64(e.Build.Memory.Anon)/1e6, float64(base.Build.Memory.Anon)/1e6)
		}
	}
}

// ratioTo is the ratio of engine to that of the others which is best there.
func (r *result) ratioTo(engine string, recall float64, others []string) (best ratio, ok bool) {
	for _, x := range r.Ratios {
		if x.Engine == engine && x.Recall == recall && slices.Contains(others, x.Against) && (!ok || x.Times < best.Times) {
			best, ok = x, true
		}
	}
	return best, ok
}

func (r *result) targets() (t []float64) {
	for _, x := range r.Ratios {
		if !slices.Contains(t, x.Recall) {
			t = append(t, x.Recall)
		}
	}
	return t
}

func (x ratio) spread() string {
	return fmt.Sprintf("%.2f-%.2f", slices.Min(x.Rounds), slices.Max(x.Rounds))
}

func (r *result) find(name string) *engineResult {
	for _, e := range r.Engines {
		if e.Name == name {
			return e
		}
	}
	return nil
}
