package types

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

// costRow is what a case costs each server; its figures are in the order of the
// servers.
type costRow struct {
	Name   string    `json:"name"`
	Micros []float64 `json:"us"`     // a command, median of the turns
	CPU    []float64 `json:"us_cpu"` // of the server's processes, over all turns
	Ratio  []float64 `json:"ratio"`  // of the time to that of the last server, median
	Low    []float64 `json:"ratio_low"`
	High   []float64 `json:"ratio_high"`
}

func (o *options) cost(ctx context.Context, specs []peer.Spec, at *peer.Place, progress io.Writer) ([]costRow, error) {
	servers, err := at.OpenAll(ctx, specs)
	if err != nil {
		return nil, err
	}
	defer peer.CloseAll(servers)
	var rows []costRow
	for _, c := range costCases {
		if !o.match.MatchString(c.name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row, err := o.costOf(c, servers)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(progress, "%-45s %8.2f us, ratio %.2f\n", c.name, row.Micros[0], row.Ratio[0])
		rows = append(rows, row)
	}
	return rows, nil
}

// runner sends a case to a server.
type runner struct {
	costCase
	c        *conn
	rng      *rand.Rand
	server   *peer.Server
	commands int // in one call of do
	cpu      float64
	ran      int // commands that cpu is for
}

func (r *runner) prepare() error {
	r.c.add("FLUSHALL")
	if err := r.c.flush(1); err != nil {
		return err
	}
	for _, f := range r.fill {
		n, err := 0, error(nil)
		add := func(words ...string) {
			if r.c.add(words...); n < 10 {
				n++
				return
			}
			if err == nil {
				err = r.c.flush(n + 1)
			}
			n = 0
		}
		if f.word == "" {
			for i := range f.n {
				add(f.args(i)...)
			}
		} else {
			f.each(add)
		}
		if err == nil {
			err = r.c.flush(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run does a number of batches and returns the seconds that they took.
func (r *runner) run(batches int) (float64, error) {
	var took time.Duration
	before := r.server.CPU()
	for range batches {
		n := 0
		for range max(r.batch, 1) {
			r.do(r.rng, func(words ...string) {
				r.c.add(words...)
				n++
			})
		}
		start := time.Now()
		if err := r.c.flush(n); err != nil {
			return 0, err
		}
		took += time.Since(start)
		r.ran += n
		r.commands = n
	}
	r.cpu += r.server.CPU() - before
	return took.Seconds(), nil
}

func (o *options) costOf(c costCase, servers []*peer.Server) (row costRow, err error) {
	row.Name = c.name
	runners := make([]*runner, len(servers))
	for i, s := range servers {
		nc, err := dial(s.Addr)
		if err != nil {
			return row, err
		}
		defer nc.nc.Close()
		runners[i] = &runner{costCase: c, c: nc, server: s, rng: rand.New(rand.NewPCG(1, 1))}
		if err := runners[i].prepare(); err != nil {
			return row, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	// As many batches as take the slowest about a turn, and once to warm up.
	batches := 1
	for {
		slowest := 0.0
		for _, r := range runners {
			took, err := r.run(batches)
			if err != nil {
				return row, fmt.Errorf("%s: %w", r.server.Name, err)
			}
			slowest = max(slowest, took)
		}
		if slowest >= o.turn.Seconds()/2 || batches > 1<<20 {
			break
		}
		batches = max(batches+1, min(batches*8, int(float64(batches)*o.turn.Seconds()/max(slowest, 1e-6))))
	}
	for _, r := range runners {
		r.cpu, r.ran = 0, 0
	}
	n := len(runners)
	times := make([][]float64, n)
	for round := range o.rounds {
		for k := range n {
			i := k
			if round%2 == 1 {
				i = n - 1 - k
			}
			took, err := runners[i].run(batches)
			if err != nil {
				return row, fmt.Errorf("%s: %w", runners[i].server.Name, err)
			}
			times[i] = append(times[i], took*1e6/float64(batches*runners[i].commands))
		}
	}
	for i, r := range runners {
		ratios := make([]float64, o.rounds)
		for k := range ratios {
			ratios[k] = times[i][k] / times[n-1][k]
		}
		slices.Sort(ratios)
		slices.Sort(times[i])
		row.Micros = append(row.Micros, times[i][len(times[i])/2])
		row.Ratio = append(row.Ratio, ratios[len(ratios)/2])
		row.Low = append(row.Low, ratios[0])
		row.High = append(row.High, ratios[len(ratios)-1])
		row.CPU = append(row.CPU, r.cpu*1e6/float64(max(r.ran, 1)))
	}
	return row, nil
}

func (r *report) writeCost(w io.Writer) {
	var columns []string
	for i, name := range r.Servers {
		columns = append(columns, name, "its cpu")
		if i < len(r.Servers)-1 {
			columns = append(columns, "ratio", "low to high")
		}
	}
	head(w, "case", columns)
	for _, row := range r.Cost {
		fmt.Fprintf(w, "| %s |", row.Name)
		for i := range r.Servers {
			fmt.Fprintf(w, " %.2f | %.2f |", row.Micros[i], row.CPU[i])
			if i < len(r.Servers)-1 {
				fmt.Fprintf(w, " %.2f | %.2f to %.2f |", row.Ratio[i], row.Low[i], row.High[i])
			}
		}
		fmt.Fprintln(w)
	}
}
