package load

import (
	"fmt"

	"github.com/nearcache/nearcache/bench/plot"
)

// chart is a plot of one figure over all cases.
type chart struct {
	suffix, what, unit string
	open               bool // cases of open loops, otherwise of closed ones
	value              func(*sample) float64
	ratio              func(*ratios) ratio
}

var plots = []chart{
	{"", "operations per second", "ops/s", false, func(s *sample) float64 { return s.OpsPerSecond }, func(r *ratios) ratio { return r.Throughput }},
	{"-cpu", "server CPU seconds per million commands", "s", false, func(s *sample) float64 { return s.ServerMicros }, func(r *ratios) ratio { return r.CPU }},
	{"-p99", "p99 at equal load", "us", true, func(s *sample) float64 { return s.P99 }, func(r *ratios) ratio { return r.P99 }},
}

func (r *report) shows(p chart) bool {
	for _, c := range r.Cases {
		if (c.Rate > 0) == p.open {
			return true
		}
	}
	return false
}

// plot draws a chart: a group for each case, a bar for each peer, a line from
// the lowest to the highest round. It is nil without cases.
func (r *report) plot(p chart) []byte {
	if !r.shows(p) {
		return nil
	}
	ch := plot.Chart{
		Title:    r.Name + ": " + p.what,
		Subtitle: fmt.Sprintf("%s, %d cores (%s), %s, commit %s", r.Machine.CPU, r.Machine.Cores, r.Settings["cores"], r.Date[:10], r.Commit),
		Unit:     p.unit,
	}
	for _, s := range r.Peers {
		ch.Series = append(ch.Series, s.Name+" "+s.Version)
	}
	for _, c := range r.Cases {
		if (c.Rate > 0) != p.open {
			continue
		}
		g := plot.Group{Label: c.title()}
		for _, q := range c.Peers {
			if q.Skipped != "" {
				g.Bars = append(g.Bars, plot.Bar{Missing: "not supported"})
				continue
			}
			b := plot.Bar{Value: p.value(&q.Median), Low: p.value(&q.Rounds[0])}
			for i := range q.Rounds {
				v := p.value(&q.Rounds[i])
				b.Low, b.High = min(b.Low, v), max(b.High, v)
			}
			if q.Ratios != nil {
				b.Note = fmt.Sprintf("%.2fx of %s", p.ratio(q.Ratios).Median, q.Ratios.To)
			}
			g.Bars = append(g.Bars, b)
		}
		ch.Groups = append(ch.Groups, g)
	}
	return plot.Bars(ch)
}
