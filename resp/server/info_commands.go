package server

import (
	"fmt"
	"strconv"
	"strings"
)

func (s *Server) infoCommands(t *infoText) {
	for _, f := range s.env.Table.Observer.Figures() {
		us := f.Nanos / 1000
		per := 0.0
		if f.Calls > 0 {
			per = float64(f.Nanos) / 1000 / float64(f.Calls)
		}
		v := fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d", f.Calls, us, per, f.Rejected, f.Failed)
		if f.Slow > 0 {
			v += fmt.Sprintf(",slowlog_count=%d,slowlog_time_ms_sum=%.2f,slowlog_time_ms_max=%.2f", f.Slow, millis(f.SlowNanos), millis(f.SlowLongest))
		}
		t.field("cmdstat_"+f.Name, v)
	}
}

func millis(ns int64) float64 { return float64(ns) / 1e6 }

func (s *Server) infoLatencies(t *infoText) {
	var percentiles []float64
	words := strings.Fields(s.cfg.percentiles.String())
	for _, w := range words {
		p, _ := strconv.ParseFloat(w, 64)
		percentiles = append(percentiles, p)
	}
	for _, f := range s.env.Table.Observer.Figures() {
		if f.Histogram == nil {
			continue
		}
		var l []string
		for i, p := range percentiles {
			l = append(l, fmt.Sprintf("p%s=%.3f", words[i], float64(f.Histogram.Quantile(p))/1000))
		}
		t.field("latency_percentiles_usec_"+f.Name, strings.Join(l, ","))
	}
}

func (s *Server) infoErrors(t *infoText) {
	for _, e := range s.env.Table.Observer.ErrorCounts() {
		t.field("errorstat_"+e.Code, fmt.Sprintf("count=%d", e.N))
	}
}
