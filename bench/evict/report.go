package evict

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/bench/plot"
)

// result is what is written.
type result struct {
	Machine  peer.Machine `json:"machine"`
	Date     string       `json:"date"`
	Commit   string       `json:"commit"`
	Command  string       `json:"command"`
	Requests int          `json:"requests,omitempty"`
	About    []string     `json:"about,omitempty"`
	Rows     []row        `json:"rows,omitempty"`
	Wire     []wireRow    `json:"wire,omitempty"`
	RSS      []rssPoint   `json:"rss,omitempty"`
	Limit    int64        `json:"maxmemory,omitempty"`
}

// name is what the files are called after.
func (r *result) name() string {
	switch {
	case len(r.RSS) > 0:
		return "evict-rss"
	case len(r.Wire) > 0:
		return "evict-wire"
	}
	return "evict"
}

func (r *result) find(trace string, share float64, policy string) (row, bool) {
	i := slices.IndexFunc(r.Rows, func(x row) bool { return x.Trace == trace && x.Share == share && x.Policy == policy })
	if i < 0 {
		return row{}, false
	}
	return r.Rows[i], true
}

// traceNames are the traces in their order.
func (r *result) traceNames() (l []string) {
	for _, x := range r.Rows {
		if !slices.Contains(l, x.Trace) {
			l = append(l, x.Trace)
		}
	}
	return l
}

func (r *result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Eviction\n\n%s, %d cores, %s, %s. %s, commit %s.\n\n    %s\n\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go, r.Date, r.Commit, r.Command)
	if len(r.Rows) > 0 {
		r.hitTable(&b)
	}
	if len(r.Wire) > 0 {
		r.wireTable(&b)
	}
	if len(r.RSS) > 0 {
		r.rssTable(&b)
	}
	return b.String()
}

// hitTable has a line for each trace and capacity. Where objects differ, the
// shares of the bytes and of the cost follow that of the requests.
func (r *result) hitTable(b *strings.Builder) {
	fmt.Fprintf(b, "Requests that find their key, in %%; where objects differ, behind the strokes the part of the bytes, and of the cost of making them, that is saved. %d requests of each trace.\n\n", r.Requests)
	b.WriteString("| trace | cache |")
	for _, p := range policies {
		b.WriteString(" " + p.Name + " |")
	}
	b.WriteString(" best possible | lhd - redis lru |\n|---|--:|" + strings.Repeat("--:|", len(policies)+2) + "\n")
	for _, name := range r.traceNames() {
		for _, share := range shares {
			fmt.Fprintf(b, "| %s | %g%% |", name, 100*share)
			best, ok := r.find(name, share, optimum)
			note := ""
			if !ok {
				best, _ = r.find(name, share, bound)
				note = "≤ "
			}
			cell := func(x row) string {
				if ok {
					return fmt.Sprintf("%.1f", 100*x.Hits)
				}
				return fmt.Sprintf("%.1f / %.1f / %.1f", 100*x.Hits, 100*x.Bytes, 100*x.Cost)
			}
			for _, p := range policies {
				x, _ := r.find(name, share, p.Name)
				b.WriteString(" " + cell(x) + " |")
			}
			lru, _ := r.find(name, share, "redis lru")
			lhd, _ := r.find(name, share, "allkeys-lhd")
			gain := fmt.Sprintf("%+.1f", 100*(lhd.Hits-lru.Hits))
			if !ok {
				gain += fmt.Sprintf(" / %+.1f / %+.1f", 100*(lhd.Bytes-lru.Bytes), 100*(lhd.Cost-lru.Cost))
			}
			fmt.Fprintf(b, " %s%s | %s |\n", note, cell(best), gain)
		}
	}
	b.WriteString("\n")
	for _, line := range r.About {
		b.WriteString("- " + line + "\n")
	}
	b.WriteString("\n")
}

// write puts the table, the figures and the plots into a folder.
func (r *result) write(dir string) error {
	j, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, r.name())
	err = errors.Join(os.WriteFile(path+".md", []byte(r.markdown()), 0o644), os.WriteFile(path+".json", append(j, '\n'), 0o644))
	for suffix, svg := range r.plots() {
		err = errors.Join(err, os.WriteFile(path+suffix+".svg", svg, 0o644))
	}
	return err
}

func (r *result) plots() map[string][]byte {
	m := map[string][]byte{}
	subtitle := fmt.Sprintf("%s, commit %.12s", r.Date, r.Commit)
	if len(r.Rows) > 0 {
		const share = 0.05
		ch := plot.Chart{Title: "requests that find their key, %, in a cache of 5% of all that is asked for", Subtitle: subtitle}
		for _, p := range policies {
			ch.Series = append(ch.Series, p.Name)
		}
		ch.Series = append(ch.Series, "best possible")
		for _, name := range r.traceNames() {
			g := plot.Group{Label: name}
			for _, p := range ch.Series {
				x, ok := r.find(name, share, p)
				if !ok {
					if x, ok = r.find(name, share, optimum); !ok {
						x, _ = r.find(name, share, bound)
					}
				}
				g.Bars = append(g.Bars, plot.Bar{Value: 100 * x.Hits})
			}
			ch.Groups = append(ch.Groups, g)
		}
		m[""] = plot.Bars(ch)
	}
	if len(r.RSS) > 0 {
		m[""] = r.rssPlot(subtitle)
	}
	return m
}
