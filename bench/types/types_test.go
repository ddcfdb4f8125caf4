package types

import (
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/resptest"
)

// TestEachCaseRuns sends every case once: no server may answer with an error.
func TestEachCaseRuns(t *testing.T) {
	s := resptest.Start(t)
	p, err := peer.Open(t.Context(), peer.Spec{Name: "ours", Addr: s.Addr()}, "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	names := map[string]bool{}
	for _, c := range costCases {
		if names[c.name] {
			t.Errorf("%s is there twice", c.name)
		}
		names[c.name] = true
		c.fill = slices.Clone(c.fill)
		for i := range c.fill {
			if c.fill[i].word != "" {
				c.fill[i].n = min(c.fill[i].n, 1000)
			}
		}
		if strings.Contains(c.name, "64 MB") {
			continue
		}
		nc, err := dial(s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		r := runner{costCase: c, c: nc, server: p, rng: rand.New(rand.NewPCG(1, 1))}
		if err := r.prepare(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := r.run(1); err != nil && !strings.Contains(c.name, "1M elements") { // of which the test has 1000
			t.Errorf("%s: %v", c.name, err)
		}
		nc.nc.Close()
	}
}

func TestReportHasARowForEachCase(t *testing.T) {
	s := resptest.Start(t)
	o := &options{rounds: 1, turn: time.Millisecond, match: regexp.MustCompile("^(getbit|set, 100 members)")}
	specs := []peer.Spec{{Name: "one", Addr: s.Addr()}, {Name: "two", Addr: s.Addr()}}
	var err error
	var at peer.Place // nothing is started
	r := &report{Servers: []string{"one", "two"}}
	if r.Cost, err = o.cost(t.Context(), specs, &at, io.Discard); err != nil {
		t.Fatal(err)
	}
	if r.Memory, err = o.memory(t.Context(), specs, &at, io.Discard); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r.write(&text)
	for _, want := range []string{"| getbit, 1 MB |", "| set, 100 members |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if len(r.Cost) != 1 || len(r.Memory) != 1 {
		t.Errorf("%d and %d rows", len(r.Cost), len(r.Memory))
	}
}
