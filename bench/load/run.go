package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// sample is one peer in one window.
type sample struct {
	OpsPerSecond float64 `json:"ops_per_second"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	P999         float64 `json:"p999_us"`
	Max          float64 `json:"max_us"`
	ServerCores  float64 `json:"server_cores"` // processor time per second; negative: unknown
	ServerMicros float64 `json:"server_us_per_op"`
	LoadCores    float64 `json:"load_cores"` // the same of this program
	Ops          uint64  `json:"ops"`
	Misses       uint64  `json:"misses,omitempty"`
	Errors       uint64  `json:"errors,omitempty"`
	FirstError   string  `json:"first_error,omitempty"`
}

// peerResult is one peer in one case.
type peerResult struct {
	Peer        string   `json:"peer"`
	Skipped     string   `json:"skipped,omitempty"` // why it was not measured
	FillSeconds float64  `json:"fill_seconds"`
	FillOps     int      `json:"fill_commands"`
	RSS         int64    `json:"rss_bytes_after_fill"`
	Median      sample   `json:"median"`
	Low         float64  `json:"ops_per_second_low"`
	High        float64  `json:"ops_per_second_high"`
	Ratio       *ratio   `json:"ratio,omitempty"` // to the last peer
	Rounds      []sample `json:"rounds"`
}

// ratio is of paired rounds: this peer's operations per second over those of
// the last peer in the same round.
type ratio struct {
	To     string  `json:"to"`
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// caseResult is one test with one pipeline and one size of values.
type caseResult struct {
	Test        string       `json:"test"`
	Pipeline    int          `json:"pipeline"`
	Connections int          `json:"connections"`
	ValueSize   int          `json:"value_size,omitempty"`
	Peers       []peerResult `json:"peers"`
}

func (c *caseResult) title() string {
	s := fmt.Sprintf("%s P=%d", c.Test, c.Pipeline)
	if c.ValueSize > 0 {
		s += fmt.Sprintf(" %dB", c.ValueSize)
	}
	return s
}

// runAll measures every case on every peer.
func runAll(ctx context.Context, o *options, peers []*peer, progress io.Writer) ([]caseResult, error) {
	keys, err := newSampler(o.dist, o.keys, o.zipf, o.seed)
	if err != nil {
		return nil, err
	}
	var out []caseResult
	var vectors *material
	for _, name := range o.tests {
		w, err := workloadNamed(name)
		if err != nil {
			return nil, err
		}
		sizes := o.valueSizes
		if w.search {
			sizes = []int{0}
		}
		for _, size := range sizes {
			m := vectors
			if !w.search {
				m = newMaterial(o.keys, size, o.seed)
			} else if m == nil {
				m = newMaterial(0, 0, o.seed)
				if err := m.withVectors(); err != nil {
					return nil, err
				}
				vectors = m
			}
			cases, err := runWorkload(ctx, o, w, m, keys, peers, progress)
			if err != nil {
				return nil, err
			}
			out = append(out, cases...)
		}
	}
	return out, nil
}

func runWorkload(ctx context.Context, o *options, w *workload, m *material, keys *sampler, peers []*peer, progress io.Writer) ([]caseResult, error) {
	filled := make([]peerResult, len(peers))
	for i, p := range peers {
		fmt.Fprintf(progress, "%-10s fill %s\n", w.name, p.name)
		n, d, err := p.fill(w, m)
		filled[i] = peerResult{Peer: p.name, FillSeconds: d.Seconds(), FillOps: n, RSS: p.rss()}
		if err != nil {
			filled[i].Skipped = err.Error()
			fmt.Fprintf(progress, "%-10s %s is left out: %v\n", w.name, p.name, err)
		}
	}
	pipelines, connections := o.pipelines, o.connections
	if w.search {
		pipelines, connections = []int{1}, o.searchConns
	}
	var out []caseResult
	for _, pipeline := range pipelines {
		c := caseResult{Test: w.name, Pipeline: pipeline, Connections: connections, ValueSize: m.valueSize, Peers: slices.Clone(filled)}
		for i := range c.Peers {
			c.Peers[i].Rounds = nil
		}
		for round := range o.rounds {
			// Each round begins with another peer.
			for k := range peers {
				i := (k + round) % len(peers)
				if c.Peers[i].Skipped != "" {
					continue
				}
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				s, err := measure(ctx, o, w, m, keys, peers[i], pipeline, connections, uint64(round))
				if err != nil {
					return nil, fmt.Errorf("%s, %s, pipeline %d: %w", w.name, peers[i].name, pipeline, err)
				}
				c.Peers[i].Rounds = append(c.Peers[i].Rounds, s)
				fmt.Fprintf(progress, "%-10s P=%-4d round %d/%d %-10s %9.0f/s p50 %6.0f p99 %6.0f p99.9 %6.0f us, server %.2f load %.2f cores%s\n",
					w.name, pipeline, round+1, o.rounds, peers[i].name, s.OpsPerSecond, s.P50, s.P99, s.P999, s.ServerCores, s.LoadCores, s.remark())
			}
		}
		c.summarize()
		out = append(out, c)
	}
	return out, nil
}

func (s *sample) remark() string {
	if s.Errors > 0 {
		return fmt.Sprintf(", %d errors: %s", s.Errors, s.FirstError)
	}
	if s.Misses > 0 {
		return fmt.Sprintf(", %.1f%% found nothing", 100*float64(s.Misses)/float64(s.Ops))
	}
	return ""
}

// measure runs one window against one peer.
func measure(ctx context.Context, o *options, w *workload, m *material, keys *sampler, p *peer, pipeline, connections int, round uint64) (sample, error) {
	var s sample
	var socks []net.Conn
	defer func() {
		for _, c := range socks {
			c.Close()
		}
	}()
	d := net.Dialer{Timeout: stall}
	for range connections {
		nc, err := d.DialContext(ctx, "tcp", p.addr)
		if err != nil {
			return s, err
		}
		socks = append(socks, nc)
	}
	from := clock() + int64(o.warmup)
	win := window{from: from, until: from + int64(o.duration)}
	engine := drive
	if o.plainNet {
		engine = driveNet
	}
	// A goroutine each needs statistics each; the threads of the other engine
	// share theirs among their connections.
	workers := min(o.threads, connections)
	if o.plainNet {
		workers = connections
	}
	all := make([]*stats, workers)
	groups := make([][]*conn, workers)
	sockets := make([][]net.Conn, workers)
	for i := range all {
		all[i] = &stats{}
	}
	for i, nc := range socks {
		g := i % workers
		groups[g] = append(groups[g], &conn{
			w: w, data: m, pipeline: pipeline, win: win, st: all[g],
			src: newSource(keys, o.seed+uint64(i)<<32+round<<48),
			in:  make([]byte, 64<<10),
		})
		sockets[g] = append(sockets[g], nc)
	}
	errs := make([]error, workers+1)
	var wg sync.WaitGroup
	wg.Go(func() { errs[workers] = usage(p, win, &s) })
	for g := range groups {
		wg.Go(func() { errs[g] = engine(sockets[g], groups[g]) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	total := all[0]
	for _, st := range all[1:] {
		total.merge(st)
	}
	if total.hist.n == 0 {
		return s, fmt.Errorf("no reply in %v", o.duration)
	}
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	s.Ops = total.hist.n
	s.OpsPerSecond = float64(s.Ops) / o.duration.Seconds()
	s.P50 = us(total.hist.quantile(.5))
	s.P99 = us(total.hist.quantile(.99))
	s.P999 = us(total.hist.quantile(.999))
	s.Max = us(time.Duration(total.hist.max))
	if s.ServerMicros = -1; s.ServerCores >= 0 {
		s.ServerMicros = s.ServerCores * 1e6 / s.OpsPerSecond
	}
	s.Misses, s.Errors, s.FirstError = total.misses, total.errors, total.firstErr
	return s, nil
}

// usage measures the processor time that the server and this program take in
// the window.
func usage(p *peer, win window, s *sample) error {
	sleepUntil(win.from)
	at, server := clock(), p.cpu()
	own, err := processCPU(os.Getpid())
	sleepUntil(win.until)
	seconds := float64(clock()-at) / 1e9
	s.ServerCores, s.LoadCores = -1, -1
	if end := p.cpu(); server >= 0 && end >= 0 {
		s.ServerCores = (end - server) / seconds
	}
	if err != nil { // no /proc
		return nil
	}
	end, err := processCPU(os.Getpid())
	s.LoadCores = (end - own) / seconds
	return err
}

func sleepUntil(ns int64) { time.Sleep(time.Duration(ns - clock())) }

// summarize fills medians, spreads and ratios in from the rounds.
func (c *caseResult) summarize() {
	last := &c.Peers[len(c.Peers)-1]
	for i := range c.Peers {
		p := &c.Peers[i]
		if len(p.Rounds) == 0 {
			continue
		}
		field := func(f func(*sample) float64) float64 {
			v := make([]float64, len(p.Rounds))
			for i := range p.Rounds {
				v[i] = f(&p.Rounds[i])
			}
			return median(v)
		}
		p.Median = sample{
			OpsPerSecond: field(func(s *sample) float64 { return s.OpsPerSecond }),
			P50:          field(func(s *sample) float64 { return s.P50 }),
			P99:          field(func(s *sample) float64 { return s.P99 }),
			P999:         field(func(s *sample) float64 { return s.P999 }),
			Max:          field(func(s *sample) float64 { return s.Max }),
			ServerCores:  field(func(s *sample) float64 { return s.ServerCores }),
			ServerMicros: field(func(s *sample) float64 { return s.ServerMicros }),
			LoadCores:    field(func(s *sample) float64 { return s.LoadCores }),
		}
		for _, s := range p.Rounds {
			p.Median.Ops += s.Ops
			p.Median.Misses += s.Misses
			p.Median.Errors += s.Errors
			p.Median.FirstError = cmp.Or(p.Median.FirstError, s.FirstError)
		}
		rate := func(a, b sample) int { return cmp.Compare(a.OpsPerSecond, b.OpsPerSecond) }
		p.Low = slices.MinFunc(p.Rounds, rate).OpsPerSecond
		p.High = slices.MaxFunc(p.Rounds, rate).OpsPerSecond
		if p == last || len(last.Rounds) != len(p.Rounds) {
			continue
		}
		v := make([]float64, len(p.Rounds))
		for i := range v {
			v[i] = p.Rounds[i].OpsPerSecond / last.Rounds[i].OpsPerSecond
		}
		p.Ratio = &ratio{To: last.Peer, Median: median(v), Low: slices.Min(v), High: slices.Max(v)}
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}
