package http

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/store/semcache"
)

const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// bounds are those of the histograms, in seconds.
var bounds = [...]float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

// histogram counts durations.
type histogram struct {
	counts [len(bounds) + 1]uint64
	sum    float64
}

func (h *histogram) add(d time.Duration) {
	s := d.Seconds()
	i, _ := slices.BinarySearch(bounds[:], s)
	h.counts[i]++
	h.sum += s
}

// metrics count what was asked and answered.
type metrics struct {
	mu struct {
		sync.Mutex
		requests map[requestKey]uint64
		took     map[string]*histogram // by route
		cache    map[string]uint64     // of the proxy, by how it ended
		upstream map[int]uint64        // by status, 0: no answer
		waited   histogram             // for upstream's first byte
	}
}

type requestKey struct {
	route  string
	status int
}

func (m *metrics) request(at *route, status int, took time.Duration) {
	if status == 0 { // the client has gone
		status = 499
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.requests == nil {
		m.mu.requests, m.mu.took = map[requestKey]uint64{}, map[string]*histogram{}
	}
	m.mu.requests[requestKey{at.Name, status}]++
	h := m.mu.took[at.Name]
	if h == nil {
		h = &histogram{}
		m.mu.took[at.Name] = h
	}
	h.add(took)
}

func (m *metrics) cache(status string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.cache == nil {
		m.mu.cache = map[string]uint64{}
	}
	m.mu.cache[status]++
}

func (m *metrics) upstream(status int, waited time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.upstream == nil {
		m.mu.upstream = map[int]uint64{}
	}
	m.mu.upstream[status]++
	if status != 0 {
		m.mu.waited.add(waited)
	}
}

// page is a text in Prometheus' format.
type page struct{ bytes.Buffer }

func (p *page) head(name, kind, help string) {
	fmt.Fprintf(p, "# HELP nearcache_%s %s\n# TYPE nearcache_%[1]s %[3]s\n", name, help, kind)
}

// value writes a sample; labels are name, value, …
func (p *page) value(name string, v float64, labels ...string) {
	p.WriteString("nearcache_" + name)
	for i := 0; i < len(labels); i += 2 {
		p.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(p, `%s="%s"`, labels[i], escape.Replace(labels[i+1]))
	}
	if len(labels) > 0 {
		p.WriteByte('}')
	}
	p.WriteByte(' ')
	p.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	p.WriteByte('\n')
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (p *page) histogram(name string, h *histogram, labels ...string) {
	sum := uint64(0)
	for i, n := range h.counts {
		sum += n
		le := math.Inf(1)
		if i < len(bounds) {
			le = bounds[i]
		}
		p.value(name+"_bucket", float64(sum), append(slices.Clone(labels), "le", strconv.FormatFloat(le, 'g', -1, 64))...)
	}
	p.value(name+"_sum", h.sum, labels...)
	p.value(name+"_count", float64(sum), labels...)
}

func (s *Server) writeMetrics(w http.ResponseWriter) {
	var p page
	s.httpMetrics(&p)
	s.cacheMetrics(&p)
	s.modelMetrics(&p)
	infoMetrics(&p, s.o.Info())
	w.Header().Set("Content-Type", metricsType)
	_, _ = w.Write(p.Bytes())
}

func (s *Server) httpMetrics(p *page) {
	p.head("http_active_requests", "gauge", "Requests that are being answered.")
	p.value("http_active_requests", float64(s.active.Load()))
	m := &s.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	p.head("http_requests_total", "counter", "Requests by path and status.")
	for _, k := range slices.SortedFunc(maps.Keys(m.mu.requests), func(a, b requestKey) int {
		return strings.Compare(fmt.Sprint(a.route, a.status), fmt.Sprint(b.route, b.status))
	}) {
		p.value("http_requests_total", float64(m.mu.requests[k]), "route", k.route, "code", strconv.Itoa(k.status))
	}
	p.head("http_request_seconds", "histogram", "How long requests took.")
	for _, name := range slices.Sorted(maps.Keys(m.mu.took)) {
		p.histogram("http_request_seconds", m.mu.took[name], "route", name)
	}
	p.head("proxy_total", "counter", "Requests to the proxy by how the cache has answered.")
	for _, status := range slices.Sorted(maps.Keys(m.mu.cache)) {
		p.value("proxy_total", float64(m.mu.cache[status]), "cache", status)
	}
	p.head("upstream_requests_total", "counter", "Requests to upstream by status, 0 for no answer.")
	for _, code := range slices.Sorted(maps.Keys(m.mu.upstream)) {
		p.value("upstream_requests_total", float64(m.mu.upstream[code]), "code", strconv.Itoa(code))
	}
	p.head("upstream_seconds", "histogram", "How long upstream took for its first byte.")
	p.histogram("upstream_seconds", &m.mu.waited)
}

// cacheFigures are those of a namespace, a row each.
var cacheFigures = []struct {
	name, kind, help string
	of               func(*semcache.Stats) float64
}{
	{"semantic_entries", "gauge", "Entries of a namespace.", func(s *semcache.Stats) float64 { return float64(s.Entries) }},
	{"semantic_exact_hits_total", "counter", "Look-ups answered under the very prompt.", func(s *semcache.Stats) float64 { return float64(s.Exact) }},
	{"semantic_hits_total", "counter", "Look-ups answered under one that means the same.", func(s *semcache.Stats) float64 { return float64(s.Semantic) }},
	{"semantic_misses_total", "counter", "Look-ups without an answer.", func(s *semcache.Stats) float64 { return float64(s.Misses) }},
	{"semantic_expected_wrong", "gauge", "Semantic hits that were wrong, by their confidence.", func(s *semcache.Stats) float64 { return s.ExpectedWrong }},
	{"semantic_tokens_saved_total", "counter", "Tokens that answers from the cache did not cost.", func(s *semcache.Stats) float64 { return float64(s.Tokens) }},
	{"semantic_milliseconds_saved_total", "counter", "Time that they did not take.", func(s *semcache.Stats) float64 { return float64(s.LatencyMS) }},
	{"semantic_dollars_saved_total", "counter", "Money that they did not cost, where it was said.", func(s *semcache.Stats) float64 { return s.Cost }},
}

func (s *Server) cacheMetrics(p *page) {
	names := s.o.Cache.List()
	stats := make([]semcache.Stats, 0, len(names))
	for i := 0; i < len(names); i++ {
		n, err := s.o.Cache.Namespace(names[i])
		if err != nil {
			names = slices.Delete(names, i, i+1)
			i--
			continue
		}
		stats = append(stats, n.Stats())
	}
	for _, f := range cacheFigures {
		p.head(f.name, f.kind, f.help)
		for i := range stats {
			p.value(f.name, f.of(&stats[i]), "namespace", names[i])
		}
	}
}

func (s *Server) modelMetrics(p *page) {
	p.head("embed_texts_total", "counter", "Texts to embed: asked for, known, computed, in so many requests, of which so many failed.")
	for _, m := range s.o.Models.Models() {
		for _, x := range []struct {
			what string
			n    uint64
		}{
			{"asked", m.Texts.Load()},
			{"known", m.Known.Load()},
			{"computed", m.Computed.Load()},
			{"requests", m.Requests.Load()},
			{"failed", m.Failed.Load()},
		} {
			p.value("embed_texts_total", float64(x.n), "model", m.Name(), "what", x.what)
		}
	}
}

var figureName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// infoMetrics are the numbers of INFO.
func infoMetrics(p *page, info string) {
	for _, line := range strings.Split(info, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !figureName.MatchString(name) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		p.head(name, "untyped", "As in INFO.")
		p.value(name, v)
	}
}
