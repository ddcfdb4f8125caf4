package evict

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

// policies are simulated, in the order of the tables.
var policies = []policy{
	{"redis lru", redisPolicy(false)},
	{"redis lfu", redisPolicy(true)},
	{"allkeys-lru", ourPolicy("allkeys-lru", 5, false)},
	{"allkeys-lfu", ourPolicy("allkeys-lfu", 5, false)},
	{"allkeys-lhd", ourPolicy("allkeys-lhd", 5, true)},
}

// traces are made one after the other: each is large.
var traces = []struct {
	name, about string
	make        func(m maker) (*Trace, error)
}{
	{"zipf", "400,000 keys, Zipf 0.9", plain(func(m maker) *Trace { return m.zipf(400_000, 0.9) })},
	{
		"zipf + scans", "200,000 keys, Zipf 0.9; bursts of 10,000 keys asked for once after every 20,000 requests",
		plain(func(m maker) *Trace { return m.scans(200_000, 0.9, 20_000, 10_000) }),
	},
	{
		"zipf + rescans", "300,000 keys, Zipf 0.9; 10,000 keys of the same in order after every 20,000 requests",
		plain(func(m maker) *Trace { return m.rescans(300_000, 0.9, 20_000, 10_000) }),
	},
	{
		"drift", "300,000 keys, Zipf 0.9; popularity moves on by 100 ranks after every 10,000 requests",
		plain(func(m maker) *Trace { return m.shift(300_000, 0.9, 10_000, 100) }),
	},
	{
		"jumps", "300,000 keys, Zipf 0.9; others are popular after every fifth of the trace",
		plain(func(m maker) *Trace { return m.shift(300_000, 0.9, m.n/5, 60_000) }),
	},
	{
		"news", "a tenth of the requests makes a new key; keys are asked for by age, Zipf 1",
		plain(func(m maker) *Trace { return m.news(0.1, 1) }),
	},
	{"loop", "40,000 keys one after the other", plain(func(m maker) *Trace { return m.loop(40_000) })},
	{
		"questions", "Banking77 by wording, intents by Zipf 0.8 that turn once, one in eight a prompt of Arena-Hard; cost and size by the answer's words",
		maker.questions,
	},
	{"files", "200,000 files, Zipf 0.8, 64 B to 1 MB; a third is asked for once", plain(func(m maker) *Trace { return m.files(200_000, 0.8) })},
	{
		"answers", "200,000 keys, Zipf 0.9; one in ten takes 2.5 s to make and is larger, others 4 ms",
		plain(func(m maker) *Trace { return m.answers(200_000, 0.9) }),
	},
}

func plain(f func(maker) *Trace) func(maker) (*Trace, error) {
	return func(m maker) (*Trace, error) { return f(m), nil }
}

// shares are the capacities, as parts of all that a trace asks for.
var shares = []float64{0.01, 0.05, 0.2}

// row is a figure of the simulation.
type row struct {
	Trace  string  `json:"trace"`
	Share  float64 `json:"share"`
	Policy string  `json:"policy"`
	ratios
}

// ratios are the part of the requests that were hits, and of what they asked for.
type ratios struct {
	Hits  float64 `json:"hits"`  // requests
	Bytes float64 `json:"bytes"` // weighted with the sizes of objects
	Cost  float64 `json:"cost"`  // weighted with what objects cost
}

// measure runs a policy over a trace.
func measure(t *Trace, c cache) ratios {
	var found, all ratios
	for i, id := range t.IDs {
		hit := c.ask(id)
		if i < t.warm() {
			continue
		}
		all.add(t, id)
		if hit {
			found.add(t, id)
		}
	}
	return found.of(all)
}

func (r *ratios) add(t *Trace, id uint32) {
	r.Hits++
	r.Bytes += float64(t.Size[id])
	r.Cost += float64(t.Cost[id])
}

func (r ratios) of(all ratios) ratios {
	return ratios{r.Hits / all.Hits, r.Bytes / all.Bytes, r.Cost / all.Cost}
}

// simulate measures all policies over a trace at all capacities.
func simulate(ctx context.Context, t *Trace) []row {
	var jobs []func() row
	footprint := t.Footprint()
	for _, share := range shares {
		capacity := max(1, int64(share*float64(footprint)))
		for _, p := range policies {
			jobs = append(jobs, func() row {
				return row{t.Name, share, p.Name, measure(t, p.make(t, capacity))}
			})
		}
		jobs = append(jobs, func() row {
			if t.Equal {
				return row{t.Name, share, optimum, measure(t, newBelady(t, capacity))}
			}
			return row{t.Name, share, bound, t.bound(capacity)}
		})
	}
	rows := make([]row, len(jobs))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				rows[i] = jobs[i]()
			}
		})
	}
	for i := range jobs {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return rows
}

// The best that can be done, and more than can be done.
const (
	optimum = "optimum"
	bound   = "upper bound"
)

// named reports whether a name contains one of the words.
func named(words, name string) bool {
	return slices.ContainsFunc(strings.Split(words, ","), func(w string) bool { return strings.Contains(name, w) })
}

// Run carries out the command `nearcache bench evict`.
func Run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench evict", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var specs peer.Specs
	specs.Flags(fs)
	m := maker{}
	fs.IntVar(&m.n, "requests", 2_000_000, "of each trace")
	fs.Uint64Var(&m.seed, "seed", 1, "of what is random")
	which := fs.String("traces", "", "only those whose names contain one of these words, comma-separated")
	wire := fs.Int("wire", 0, "requests of each trace that are sent to the servers named, under maxmemory; 0 for none")
	churn := fs.Duration("rss", 0, "how long the server named first is churned at maxmemory, while its memory is watched; 0 for not at all")
	limit := fs.Int("maxmemory", 64, "MB, of -wire and -rss")
	out := fs.String("out", "", "folder of the results (default bench/results of the checkout; - writes none)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || m.n < 1000 || *limit < 8 {
		return errors.New("bench evict: -requests from 1000, -maxmemory from 8 on, and nothing behind the flags")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, rootErr := peer.Checkout()
	res := &result{Machine: peer.ThisMachine(), Date: time.Now().UTC().Format(time.RFC3339), Command: peer.CommandLine("nearcache bench evict", args), Requests: m.n}
	if rootErr == nil {
		res.Commit = peer.Commit(root)
	}
	if *wire > 0 || *churn > 0 {
		if err := res.servers(ctx, &specs, root, m, *which, *wire, *churn, int64(*limit)<<20, stderr); err != nil {
			return fmt.Errorf("bench evict: %w", err)
		}
	} else {
		for _, x := range traces {
			if !named(*which, x.name) {
				continue
			}
			start := time.Now()
			t, err := x.make(m)
			if err != nil {
				return fmt.Errorf("bench evict: %s: %w", x.name, err)
			}
			t.Name = x.name
			res.About = append(res.About, fmt.Sprintf("%s: %s", x.name, x.about))
			res.Rows = append(res.Rows, simulate(ctx, t)...)
			if err := ctx.Err(); err != nil {
				return err
			}
			fmt.Fprintf(stderr, "%s: %.1f s\n", x.name, time.Since(start).Seconds())
		}
		if len(res.Rows) == 0 {
			return errors.New("bench evict: no such trace")
		}
	}
	fmt.Fprint(stdout, res.markdown())
	if *out == "-" {
		return nil
	}
	dir := *out
	if dir == "" {
		if rootErr != nil {
			return rootErr
		}
		dir = filepath.Join(root, "bench", "results")
	}
	return res.write(dir)
}
