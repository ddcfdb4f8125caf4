package search

import (
	"fmt"
	"io"
	"strconv"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/bench/plot"
)

// report is what a run has found; its JSON is the file beside the tables.
type report struct {
	Date    string       `json:"date"`
	Commit  string       `json:"commit"`
	Command string       `json:"command"`
	Machine peer.Machine `json:"machine"`
	Docs    int          `json:"docs"`
	Wide    int          `json:"wide"`
	Bulk    int          `json:"bulk"`
	Conns   int          `json:"conns"`

	Pipeline int            `json:"pipeline"`
	Servers  []serverResult `json:"servers"`
}

type serverResult struct {
	Name            string       `json:"name"`
	Version         string       `json:"version"`
	LoadSeconds     float64      `json:"load_seconds"`
	LoadCPU         float64      `json:"load_cpu_seconds"`
	BytesPerDoc     float64      `json:"bytes_per_doc"`
	RSSPerDoc       float64      `json:"rss_per_doc"`
	RawPerDoc       float64      `json:"raw_bytes_per_doc"`
	WideSeconds     float64      `json:"wide_load_seconds"`
	WideBytesPerDoc float64      `json:"wide_bytes_per_doc"`
	WideRSSPerDoc   float64      `json:"wide_rss_per_doc"`
	Cases           []caseResult `json:"cases"`
	Bulk            *bulkResult  `json:"bulk,omitempty"`
}

type caseResult struct {
	Name      string  `json:"name"`
	Rows      float64 `json:"rows"`   // the mean of the replies' totals; of FT.HYBRID 0
	Recall    float64 `json:"recall"` // -1: there is no truth
	PerSecond float64 `json:"per_second"`
	CPUMicros float64 `json:"cpu_us"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
}

// bulkResult is how long queries take while documents are loaded, and while nothing else happens.
type bulkResult struct {
	Seconds float64    `json:"seconds"`
	Cases   []bulkCase `json:"cases"`
}

// bulkCase is a kind of query before, during and after the load.
type bulkCase struct {
	Name   string  `json:"name"`
	Before latency `json:"before"`
	During latency `json:"during"`
	After  latency `json:"after"`
}

type latency struct {
	Queries int     `json:"queries"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Most    float64 `json:"max_ms"`
}

func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "# Searches\n\n%s, commit %s, %s (%d cores), %s\n\n    %s\n\n", r.Date, r.Commit, r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Command)
	fmt.Fprintf(w, "%d texts with 384 dimensions, a tag and a number each; %d documents with a number and two tags alone; %d connections%s.\n", r.Docs, r.Wide, r.Conns, r.pipelined())
	for i := range r.Servers {
		r.Servers[i].write(w, r)
	}
}

func (r *report) pipelined() string {
	if r.Pipeline <= 1 {
		return ""
	}
	return fmt.Sprintf(" which send %d queries at once", r.Pipeline)
}

func (s *serverResult) write(w io.Writer, r *report) {
	fmt.Fprintf(w, "\n## %s %s\n\n", s.Name, s.Version)
	fmt.Fprintf(w, "Loaded and indexed in %.1f s (%.0f documents/s, %.1f s of processor time). A document of %.0f bytes of text and vector takes %.0f bytes, index and keys (the process has grown by %.0f)",
		s.LoadSeconds, float64(r.Docs)/s.LoadSeconds, s.LoadCPU, s.RawPerDoc, s.BytesPerDoc, s.RSSPerDoc)
	if s.WideBytesPerDoc > 0 {
		fmt.Fprintf(w, "; one with a number and tags alone %.0f (%.0f), of which %.0f were loaded a second",
			s.WideBytesPerDoc, s.WideRSSPerDoc, float64(r.Wide)/s.WideSeconds)
	}
	fmt.Fprint(w, ".\n\n| query | matches | recall | queries/s | CPU µs | p50 ms | p99 ms |\n|---|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range s.Cases {
		found := ""
		if c.Recall >= 0 {
			found = strconv.FormatFloat(c.Recall, 'f', 3, 64)
		}
		fmt.Fprintf(w, "| %s | %.0f | %s | %.0f | %.0f | %.2f | %.2f |\n", c.Name, c.Rows, found, c.PerSecond, c.CPUMicros, c.P50, c.P99)
	}
	if b := s.Bulk; b != nil {
		fmt.Fprintf(w, "\nBefore, while and after %d documents were loaded in %.1f s (%.0f/s), each asked a hundred times a second:\n\n"+
			"| query | asked | p50 ms before | p99 | while loading p50 | p99 | longest | after p50 | p99 | p99 of before | of after |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
			r.Bulk, b.Seconds, float64(r.Bulk)/b.Seconds)
		for _, c := range b.Cases {
			fmt.Fprintf(w, "| %s | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.1fx | %.1fx |\n", c.Name, c.During.Queries, c.Before.P50, c.Before.P99,
				c.During.P50, c.During.P99, c.During.Most, c.After.P50, c.After.P99, c.During.P99/c.Before.P99, c.During.P99/c.After.P99)
		}
	}
}

func (r *report) plot(title, unit string, of func(caseResult) float64) []byte {
	ch := plot.Chart{Title: title, Subtitle: fmt.Sprintf("%d documents, %d connections", r.Docs, r.Conns), Unit: unit}
	for i, s := range r.Servers {
		ch.Series = append(ch.Series, s.Name)
		for k, c := range s.Cases {
			if i == 0 {
				ch.Groups = append(ch.Groups, plot.Group{Label: c.Name})
			}
			ch.Groups[k].Bars = append(ch.Groups[k].Bars, plot.Bar{Value: of(c)})
		}
	}
	return plot.Bars(ch)
}
