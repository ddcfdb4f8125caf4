package keyspace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/bench/plot"
)

// chart shows bytes a key, of keys and of texts; nil where neither was measured.
func (r *report) chart() []byte {
	ch := plot.Chart{Title: "Bytes a key", Subtitle: "as the servers say; " + r.Machine.CPU + ", " + r.Date, Unit: "bytes"}
	bars := map[string]map[string]float64{} // by group and series
	add := func(group, series string, v float64) {
		if bars[group] == nil {
			bars[group] = map[string]float64{}
			ch.Groups = append(ch.Groups, plot.Group{Label: group})
		}
		bars[group][series] = v
		if !slices.Contains(ch.Series, series) {
			ch.Series = append(ch.Series, series)
		}
	}
	for _, k := range r.Keys {
		kind, _, _ := strings.Cut(k.Kind, ",")
		add(kind, k.Server, k.Used)
	}
	for _, t := range r.Text {
		add(fmt.Sprintf("%s, %.0f bytes", t.Texts, t.Bytes), strings.TrimSuffix(t.Server, ", compression no"), t.Used)
	}
	if len(ch.Groups) == 0 {
		return nil
	}
	for i := range ch.Groups {
		g := &ch.Groups[i]
		for _, s := range ch.Series {
			b := plot.Bar{Value: bars[g.Label][s]}
			if b.Value == 0 {
				b.Missing = "-"
			}
			g.Bars = append(g.Bars, b)
		}
	}
	return plot.Bars(ch)
}
