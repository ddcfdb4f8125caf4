package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/resp/server"
	"github.com/nearcache/nearcache/store/semcache/embed"
)

// Run carries out the command `nearcache bench proxy`.
func Run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench proxy", flag.ContinueOnError)
	fs.SetOutput(stderr)
	n := fs.Int("n", 2000, "questions")
	clients := fs.Int("clients", 1, "how many ask at a time")
	model := fs.String("embed", "lexical", "what embeds, as the setting of that name")
	out := fs.String("out", "", "write the figures as JSON into this file, too")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || *n < 1 || *clients < 1 {
		return errors.New("bench proxy: -n and -clients are positive, and nothing follows the flags")
	}
	r, err := measure(*n, *clients, *model)
	if err != nil {
		return fmt.Errorf("bench proxy: %w", err)
	}
	r.write(stdout)
	if *out == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(*out, append(b, '\n'), 0o644)
}

// report is what a run found out.
type report struct {
	Machine   peer.Machine `json:"machine"`
	Embed     string       `json:"embed"`
	Questions int          `json:"questions"`
	Clients   int          `json:"clients"`
	Ways      []figures    `json:"ways"`
	Added     float64      `json:"added_ms"` // median of miss - direct, question by question
	EmbedP50  float64      `json:"embed_p50_ms"`
	EmbedP99  float64      `json:"embed_p99_ms"`
}

// figures are those of a way to ask, in milliseconds.
type figures struct {
	Way string  `json:"way"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// way is how a question is asked; cache is what the proxy must say.
type way struct {
	name, cache string
	stream      bool
}

var ways = []way{{name: "direct"}, {"miss", "miss", false}, {"exact", "exact", false}, {"replay", "exact", true}}

// reply is what the model says.
const reply = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Fifty-eight bytes of an answer, which is about a sentence."},"finish_reason":"stop"}],"usage":{"total_tokens":30}}`

func measure(n, clients int, model string) (*report, error) {
	m, err := datasets.Open("")
	if err != nil {
		return nil, err
	}
	questions, err := m.Banking77()
	if err != nil {
		return nil, err
	}
	if n > len(questions) {
		return nil, fmt.Errorf("there are %d questions", len(questions))
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply)
	}))
	defer upstream.Close()
	dir, err := os.MkdirTemp("", "nearcache-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cfg, err := server.LoadConfig([]string{
		"--port", "0", "--appendonly", "no", "--dir", dir, "--http", "127.0.0.1:0", "--embed", model, "--http-upstream", upstream.URL + "/v1",
	}, nil)
	if err != nil {
		return nil, err
	}
	cfg.SetLogger(slog.New(slog.DiscardHandler))
	s := server.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { cancel(); <-done }()
	select {
	case <-s.Ready():
	case err := <-done:
		done <- err
		return nil, err
	}
	b := &bench{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}, direct: upstream.URL, proxy: "http://" + s.HTTPAddr()}
	defer b.client.CloseIdleConnections()
	r := &report{Machine: peer.ThisMachine(), Embed: model, Questions: n, Clients: clients}
	// Some for nothing: connections are opened, the namespace is made.
	for _, w := range ways {
		if _, err := b.ask(w, "warming up"); err != nil {
			return nil, err
		}
	}
	took := make([][]time.Duration, len(ways))
	for i := range took {
		took[i] = make([]time.Duration, n)
	}
	var wg sync.WaitGroup
	failed := make(chan error, clients)
	for c := range clients {
		wg.Go(func() {
			for i := c; i < n; i += clients {
				for j, w := range ways {
					// Banking77's questions are alike: the number makes each one nobody has asked.
					d, err := b.ask(w, fmt.Sprintf("%d: %s", i*7919, questions[i].Text))
					if err != nil {
						failed <- err
						return
					}
					took[j][i] = d
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	added := make([]time.Duration, n)
	for i := range added {
		added[i] = took[1][i] - took[0][i]
	}
	r.Added = quantile(added, 0.5)
	for j, w := range ways {
		r.Ways = append(r.Ways, figures{w.name, quantile(took[j], 0.5), quantile(took[j], 0.99)})
	}
	r.EmbedP50, r.EmbedP99, err = embedding(model, questions[:min(n, 500)])
	return r, err
}

// embedding times the embedding of questions, one by one, with nothing remembered.
func embedding(model string, questions []datasets.Question) (p50, p99 float64, err error) {
	set, err := embed.NewSet([]string{model}, embed.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer set.Close()
	if err := set.Open(); err != nil {
		return 0, 0, err
	}
	var took []time.Duration
	for _, q := range questions {
		began := time.Now()
		if _, err := set.Models()[0].Embed(context.Background(), []string{q.Text}); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(began))
	}
	return quantile(took, 0.5), quantile(took, 0.99), nil
}

type bench struct {
	client        *http.Client
	direct, proxy string
}

func (b *bench) ask(w way, prompt string) (time.Duration, error) {
	body, err := json.Marshal(map[string]any{
		"model": "m", "stream": w.stream,
		"messages": []any{map[string]any{"role": "system", "content": "Be brief."}, map[string]any{"role": "user", "content": prompt}},
	})
	if err != nil {
		return 0, err
	}
	base, headers := b.proxy, map[string]string{"Content-Type": "application/json", "X-Cache-Mode": "both"}
	if w.cache == "" {
		base = b.direct
	} else if w.cache == "miss" {
		headers["X-Cache-Threshold"] = "1" // it is looked for, and not found
	}
	began := time.Now()
	req, err := http.NewRequest(http.MethodPost, base+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, v := range headers {
		req.Header.Set(name, v)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if got := resp.Header.Get("X-Cache"); resp.StatusCode != http.StatusOK || got != w.cache {
		return 0, fmt.Errorf("%s: status %d, x-cache %q", w.name, resp.StatusCode, got)
	}
	return took, nil
}

// quantile is in milliseconds.
func quantile(l []time.Duration, q float64) float64 {
	s := slices.Sorted(slices.Values(l))
	return float64(s[min(int(q*float64(len(s))), len(s)-1)].Nanoseconds()) / 1e6
}

func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores; %d questions, %d at a time, embedded by %s\n\n", r.Machine.CPU, r.Machine.Cores, r.Questions, r.Clients, r.Embed)
	fmt.Fprintf(w, "%-10s %8s %8s\n", "", "p50 ms", "p99 ms")
	for _, f := range r.Ways {
		fmt.Fprintf(w, "%-10s %8.3f %8.3f\n", f.Way, f.P50, f.P99)
	}
	fmt.Fprintf(w, "\na miss takes %.3f ms more than the model itself (median)\nembedding one question: %.3f ms (p50), %.3f ms (p99)\n", r.Added, r.EmbedP50, r.EmbedP99)
}
