package search

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/resptest"
)

// TestEachCaseRuns takes all figures of a small set: no query may fail, and the
// neighbours of a wide search are the true ones.
func TestEachCaseRuns(t *testing.T) {
	s := resptest.Start(t)
	p, err := peer.Open(t.Context(), peer.Spec{Name: "ours", Addr: s.Addr()}, "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := newCorpus(600, 10)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{queries: 5, wide: 2000, bulk: 300, conns: 2, duration: time.Millisecond, match: regexp.MustCompile("")}
	got, err := o.measure(t.Context(), c, p, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Cases) != len(cases) || got.BytesPerDoc <= 0 || got.Bulk == nil {
		t.Fatalf("%+v", got)
	}
	for _, r := range got.Cases {
		if strings.HasPrefix(r.Name, "KNN") && r.Recall < 0.6 || r.PerSecond <= 0 {
			t.Errorf("%+v", r)
		}
	}
	var text strings.Builder
	r := &report{Docs: c.docs, Servers: []serverResult{got}}
	r.write(&text)
	for _, a := range cases {
		if !strings.Contains(text.String(), "| "+a.name+" |") {
			t.Errorf("no row of %s", a.name)
		}
	}
	if svg := r.plot("x", "y", func(c caseResult) float64 { return c.PerSecond }); !strings.Contains(string(svg), "hybrid") {
		t.Error("the plot lacks a case")
	}
}
