package load

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

// Run carries out the command `nearcache bench load`.
func Run(args []string, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	at, err := peer.NewPlace()
	if err != nil {
		return err
	}
	defer at.Remove()
	r := &report{
		Name: o.name, Date: time.Now().UTC().Format(time.RFC3339), Commit: peer.Commit(at.Root), Command: peer.CommandLine("nearcache bench load", args),
		Machine: peer.ThisMachine(), Settings: o.settings(),
	}
	peers, err := at.OpenAll(ctx, o.peers)
	if err != nil {
		return err
	}
	defer peer.CloseAll(peers)
	for _, p := range peers {
		r.Peers = append(r.Peers, reportPeer{Name: p.Name, Version: p.Version, Started: p.Started})
		fmt.Fprintf(stderr, "%s %s at %s\n", p.Name, p.Version, p.Addr)
	}
	if r.Cases, err = runAll(ctx, o, peers, stderr); err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, r.markdown()); err != nil {
		return err
	}
	if o.out == "-" {
		return r.failed()
	}
	dir := o.out
	if dir == "" {
		dir = filepath.Join(at.Root, "bench", "results")
	}
	if err := r.save(dir); err != nil {
		return err
	}
	return r.failed()
}

// save writes the report's files.
func (r *report) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	js, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	files := map[string][]byte{r.Name + ".json": append(js, '\n'), r.Name + ".md": []byte(r.markdown())}
	for _, p := range plots {
		if b := r.plot(p); b != nil {
			files[r.Name+p.suffix+".svg"] = b
		}
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
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
	Ratios      *ratios  `json:"ratios,omitempty"` // to the last peer
	Rounds      []sample `json:"rounds"`
}

// ratios are this peer's figures over those of the last peer.
type ratios struct {
	To         string `json:"to"`
	Throughput ratio  `json:"throughput"`
	CPU        ratio  `json:"cpu_per_command"`
	P50        ratio  `json:"p50"`
	P99        ratio  `json:"p99"`
	P999       ratio  `json:"p999"`
}

// ratio is of paired rounds: each is formed of the two in the same round.
type ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// caseResult is one test with one pipeline and one size of values.
type caseResult struct {
	Test        string       `json:"test"`
	Pipeline    int          `json:"pipeline"`
	Connections int          `json:"connections"`
	ValueSize   string       `json:"value_size,omitempty"`
	Rate        float64      `json:"rate,omitempty"` // commands a second of an open loop
	Peers       []peerResult `json:"peers"`
}

func (c *caseResult) title() string {
	s := fmt.Sprintf("%s P=%d", c.Test, c.Pipeline)
	if c.ValueSize != "" {
		s += " " + c.ValueSize + "B"
	}
	if c.Rate > 0 {
		s += fmt.Sprintf(" at %.0fk/s", c.Rate/1e3)
	}
	return s
}

// runAll measures every case on every peer.
func runAll(ctx context.Context, o *options, peers []*peer.Server, progress io.Writer) ([]caseResult, error) {
	keys, err := newSampler(o.dist, o.keys, o.seed)
	if err != nil {
		return nil, err
	}
	var out []caseResult
	var vectors *material
	for _, w := range o.tests {
		list := o.valueSizes
		if w.search {
			list = []*sizes{{table: []uint32{0}}}
		}
		for _, z := range list {
			m := vectors
			if !w.search {
				m = newMaterial(o.keys, z, o.seed)
			} else if m == nil {
				m = newMaterial(0, z, o.seed)
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

func runWorkload(ctx context.Context, o *options, w *workload, m *material, keys *sampler, peers []*peer.Server, progress io.Writer) ([]caseResult, error) {
	filled := make([]peerResult, len(peers))
	for i, p := range peers {
		fmt.Fprintf(progress, "%-10s fill %s\n", w.name, p.Name)
		n, d, err := fillPeer(p, w, m)
		filled[i] = peerResult{Peer: p.Name, FillSeconds: d.Seconds(), FillOps: n, RSS: p.RSS()}
		if err != nil {
			filled[i].Skipped = err.Error()
			fmt.Fprintf(progress, "%-10s %s is left out: %v\n", w.name, p.Name, err)
		}
	}
	pipelines, connections := o.pipelines, o.connections
	if w.search {
		pipelines, connections = []int{1}, o.searchConns
	}
	var out []caseResult
	for _, pipeline := range pipelines {
		c := caseResult{Test: w.name, Pipeline: pipeline, Connections: connections, ValueSize: m.sizes.spec, Rate: o.rate, Peers: slices.Clone(filled)}
		if err := runCase(ctx, o, load{w: w, m: m, keys: keys, pipeline: pipeline, connections: connections, rate: o.rate}, &c, peers, progress); err != nil {
			return nil, err
		}
		out = append(out, c)
		if last := c.Peers[len(c.Peers)-1]; o.at > 0 && last.Skipped == "" {
			rate := o.at * (last.Median.OpsPerSecond - last.Median.LocalPerSecond)
			d := caseResult{Test: w.name, Pipeline: pipeline, Connections: connections, ValueSize: m.sizes.spec, Rate: rate, Peers: slices.Clone(filled)}
			if err := runCase(ctx, o, load{w: w, m: m, keys: keys, pipeline: pipeline, connections: connections, rate: rate}, &d, peers, progress); err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// runCase does the rounds of one case.
func runCase(ctx context.Context, o *options, l load, c *caseResult, peers []*peer.Server, progress io.Writer) error {
	for round := range o.rounds {
		// Each round begins with another peer.
		for k := range peers {
			i := (k + round) % len(peers)
			if c.Peers[i].Skipped != "" {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			s, err := measure(ctx, o, l, peers[i], uint64(round))
			if err != nil {
				return fmt.Errorf("%s on %s: %w", c.title(), peers[i].Name, err)
			}
			c.Peers[i].Rounds = append(c.Peers[i].Rounds, s)
			fmt.Fprintf(progress, "%s round %d/%d %-10s %9.0f/s p50 %6.0f p99 %6.0f p99.9 %6.0f us, server %.2f load %.2f cores%s\n",
				c.title(), round+1, o.rounds, peers[i].Name, s.OpsPerSecond, s.P50, s.P99, s.P999, s.ServerCores, s.LoadCores, s.remark())
		}
	}
	c.summarize()
	return nil
}

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

			LocalPerSecond: field(func(s *sample) float64 { return s.LocalPerSecond }),
		}
		for _, s := range p.Rounds {
			p.Median.Ops += s.Ops
			p.Median.Misses += s.Misses
			p.Median.Errors += s.Errors
			p.Median.Unsent += s.Unsent
			p.Median.Died += s.Died
			p.Median.FirstError = cmp.Or(p.Median.FirstError, s.FirstError)
		}
		rate := func(a, b sample) int { return cmp.Compare(a.OpsPerSecond, b.OpsPerSecond) }
		p.Low = slices.MinFunc(p.Rounds, rate).OpsPerSecond
		p.High = slices.MaxFunc(p.Rounds, rate).OpsPerSecond
		if p == last || len(last.Rounds) != len(p.Rounds) {
			continue
		}
		over := func(f func(*sample) float64) ratio {
			v := make([]float64, len(p.Rounds))
			for i := range v {
				v[i] = f(&p.Rounds[i]) / f(&last.Rounds[i])
			}
			return ratio{Median: finite(median(v)), Low: finite(slices.Min(v)), High: finite(slices.Max(v))}
		}
		p.Ratios = &ratios{
			To:         last.Peer,
			Throughput: over(func(s *sample) float64 { return s.OpsPerSecond }),
			CPU:        over(func(s *sample) float64 { return s.ServerMicros }),
			P50:        over(func(s *sample) float64 { return s.P50 }),
			P99:        over(func(s *sample) float64 { return s.P99 }),
			P999:       over(func(s *sample) float64 { return s.P999 }),
		}
	}
}

// finite is v, or 0 where the figures were too small to divide: JSON knows no
// infinity.
func finite(v float64) float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	return v
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}
