package semcache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store/semcache"
)

// live is a run against servers: what SEM.GET takes end to end, and what becomes of
// many identical misses.
type live struct {
	servers  peer.Specs
	entries  int
	time     time.Duration
	stampede int
	out      io.Writer
	log      io.Writer
	prompts  []string
	vectors  [][]float32
	answer   string
}

// liveResult is one row of the table, times in microseconds.
type liveResult struct {
	Server string  `json:"server"`
	What   string  `json:"what"`
	N      int     `json:"n"`
	P50    float64 `json:"p50_us"`
	P99    float64 `json:"p99_us"`
	Rate   float64 `json:"per_second"`
	Hits   float64 `json:"hits"`
}

const liveNS = "bench"

func (l *live) run() ([]liveResult, error) {
	specs, err := l.servers.List()
	if err != nil {
		return nil, err
	}
	if err := l.read(); err != nil {
		return nil, err
	}
	at, err := peer.NewPlace()
	if err != nil {
		return nil, err
	}
	defer at.Remove()
	servers, err := at.OpenAll(context.Background(), specs)
	if err != nil {
		return nil, err
	}
	defer peer.CloseAll(servers)
	var all []liveResult
	for _, s := range servers {
		r, err := l.server(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		all = append(all, r...)
	}
	machine := peer.ThisMachine()
	fmt.Fprintf(l.out, "%s, %d cores; %d entries of 384 dimensions, one client beside the server\n\n", machine.CPU, machine.Cores, l.entries)
	fmt.Fprintf(l.out, "| server | what | p50 us | p99 us | a second | hits |\n|---|---|--:|--:|--:|--:|\n")
	for _, r := range all {
		fmt.Fprintf(l.out, "| %s | %s | %.0f | %.0f | %.0f | %.3f |\n", r.Server, r.What, r.P50, r.P99, r.Rate, r.Hits)
	}
	return all, nil
}

// read takes the real questions, and moves their embeddings a little where there
// are more entries than questions.
func (l *live) read() error {
	m, err := datasets.Open("")
	if err != nil {
		return err
	}
	e, err := m.MiniLM()
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range l.entries {
		k := i % len(e.Texts)
		v, text := slices.Clone(e.Row(k)), e.Texts[k]
		if i >= len(e.Texts) {
			text = fmt.Sprintf("%s (%d)", text, i/len(e.Texts))
			for j := range v {
				v[j] += float32(r.NormFloat64() * 0.02)
			}
			semcache.Shorten(v)
		}
		l.prompts, l.vectors = append(l.prompts, text), append(l.vectors, v)
	}
	b := make([]byte, 400)
	for i := range b {
		b[i] = "abcdefghij klmnopqrst "[r.IntN(22)]
	}
	l.answer = string(b)
	return nil
}

func (l *live) server(s *peer.Server) ([]liveResult, error) {
	c := s.Ctl
	_, _ = c.Do("SEM.DROP", liveNS)
	if _, err := c.Do("SEM.CREATE", liveNS, "DIM", len(l.vectors[0])); err != nil {
		return nil, err
	}
	start := time.Now()
	for at := 0; at < len(l.prompts); {
		p := c.Pipeline()
		for ; at < len(l.prompts) && p.Len() < 256; at++ {
			p.Add("SEM.SET", liveNS, l.prompts[at], l.answer, "VEC", l.vectors[at])
		}
		if _, err := p.Run(); err != nil {
			return nil, err
		}
		fmt.Fprintf(l.log, "\rstoring %d of %d ", at, len(l.prompts))
	}
	fmt.Fprintln(l.log)
	out := []liveResult{{Server: s.Name, What: "SEM.SET, pipelined", N: l.entries, Rate: float64(l.entries) / time.Since(start).Seconds()}}
	if _, err := c.Do("SET", "plain", l.answer); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(3, 4))
	probe := func() (string, []float32) {
		i := r.IntN(len(l.prompts))
		v := slices.Clone(l.vectors[i])
		for j := range v {
			v[j] += float32(r.NormFloat64() * 0.01)
		}
		semcache.Shorten(v)
		return "please " + l.prompts[i], v
	}
	for _, w := range []struct {
		what string
		args func() []any
	}{
		{"GET of as many bytes", func() []any { return []any{"GET", "plain"} }},
		{"SEM.GET, the very prompt", func() []any { return []any{"SEM.GET", liveNS, l.prompts[r.IntN(len(l.prompts))]} }},
		{"SEM.GET with a vector, another prompt", func() []any { p, v := probe(); return []any{"SEM.GET", liveNS, p, "VEC", v} }},
	} {
		x, err := l.latency(s, w.what, w.args)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	x, err := l.herd(s)
	if err != nil {
		return nil, err
	}
	return append(out, x...), nil
}

// latency asks one question after the other.
func (l *live) latency(s *peer.Server, what string, args func() []any) (liveResult, error) {
	c, err := client.Dial(context.Background(), s.Addr, client.Options{Proto: 3})
	if err != nil {
		return liveResult{}, err
	}
	defer c.Close()
	var took []time.Duration
	hits := 0
	var busy time.Duration
	for warm, end := 100, time.Now().Add(l.time); time.Now().Before(end); warm-- {
		a := args()
		start := time.Now()
		v, err := c.Do(a...)
		d := time.Since(start)
		if err != nil {
			return liveResult{}, err
		}
		if warm > 0 {
			continue
		}
		took = append(took, d)
		busy += d
		if st, ok := v.Get("status"); !ok || st.Str == "exact" || st.Str == "semantic" {
			hits++
		}
	}
	return quantiles(s.Name, what, took, busy, hits)
}

func quantiles(server, what string, took []time.Duration, busy time.Duration, hits int) (liveResult, error) {
	if len(took) == 0 {
		return liveResult{}, errors.New("no time to measure " + what)
	}
	slices.Sort(took)
	us := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Nanoseconds()) / 1e3 }
	return liveResult{
		Server: server, What: what, N: len(took), P50: us(.5), P99: us(.99),
		Rate: float64(len(took)) / busy.Seconds(), Hits: float64(hits) / float64(len(took)),
	}, nil
}

// herd is many clients that miss the same prompt at once, half of them in other words.
// The one that gets the lease takes 100 ms, as a model might.
func (l *live) herd(s *peer.Server) ([]liveResult, error) {
	var out []liveResult
	words := []string{"what is the tallest mountain of the moon", "What is the tallest mountain of the Moon?", "what's the tallest mountain of the moon"}
	near := func(i int) []float32 {
		v := make([]float32, len(l.vectors[0]))
		v[0], v[1] = 1, 0.02*float32(i)
		semcache.Shorten(v)
		return v
	}
	for _, kind := range []struct {
		what  string
		words []string
	}{{"the same miss at once", words[:1]}, {"paraphrases of a miss at once", words}} {
		if _, err := s.Ctl.Do("SEM.INVALIDATE", liveNS, "TAG", "herd"); err != nil {
			return nil, err
		}
		var upstream, hits atomic.Int64
		took := make([]time.Duration, l.stampede)
		errs := make([]error, l.stampede)
		var ready, done sync.WaitGroup
		begin := make(chan struct{})
		for i := range l.stampede {
			ready.Add(1)
			done.Go(func() {
				errs[i] = func() error {
					c, err := client.Dial(context.Background(), s.Addr, client.Options{Proto: 3, Timeout: time.Minute})
					ready.Done()
					if err != nil {
						return err
					}
					defer c.Close()
					<-begin
					start := time.Now()
					prompt, v := kind.words[i%len(kind.words)], near(i%len(kind.words))
					r, err := c.Do("SEM.GET", liveNS, prompt, "VEC", v, "LEASE", 30000, "WAIT", 30000)
					if err != nil {
						return err
					}
					if token, ok := r.Get("token"); ok {
						upstream.Add(1)
						time.Sleep(100 * time.Millisecond)
						if _, err := c.Do("SEM.SET", liveNS, prompt, l.answer, "VEC", v, "LEASE", token.Str, "TAGS", 1, "herd"); err != nil {
							return err
						}
					} else if st, _ := r.Get("status"); st.Str == "exact" || st.Str == "semantic" {
						hits.Add(1)
					}
					took[i] = time.Since(start)
					return nil
				}()
			})
		}
		ready.Wait()
		close(begin)
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		var busy time.Duration
		for _, d := range took {
			busy = max(busy, d)
		}
		r, err := quantiles(s.Name, fmt.Sprintf("%d clients, %s: %d upstream calls", l.stampede, kind.what, upstream.Load()), took, busy, int(hits.Load()))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// writeLive puts the result beside the table.
func writeLive(path string, r []liveResult) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
