package near_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client/near"
	"github.com/nearcache/nearcache/resp/resptest"
)

// angles embeds "N degrees …", and counts.
type angles struct{ calls atomic.Int64 }

func (a *angles) embed(_ context.Context, prompt string) ([]float32, error) {
	a.calls.Add(1)
	var d float64
	if _, err := fmt.Sscanf(prompt, "%f", &d); err != nil {
		return nil, err
	}
	return []float32{float32(math.Cos(d * math.Pi / 180)), float32(math.Sin(d * math.Pi / 180))}, nil
}

func TestSemanticAnswersAreKeptNear(t *testing.T) {
	ctx := context.Background()
	s := resptest.Start(t)
	other := dial(t, s.Addr())
	do(t, other, "SEM.CREATE", "ns", "DIM", 2, "MAXWRONG", 1)
	c := open(t, s.Addr(), near.Options{})
	var a angles
	ns := c.Semantic("ns", near.SemanticOptions{Embed: a.embed, Scope: []string{"tenant", "acme"}})
	get := func(prompt, want string, hits, embedded int64) string {
		t.Helper()
		barrier(t, c)
		before, calls := c.Stats().Hits, a.calls.Load()
		x, err := ns.Get(ctx, near.Prompt{Text: prompt})
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Status + " " + x.Text; got != want {
			t.Errorf("%s: %q, want %q", prompt, got, want)
		}
		if h, e := c.Stats().Hits-before, a.calls.Load()-calls; h != hits || e != embedded {
			t.Errorf("%s: %d local hits and %d embeddings, want %d and %d", prompt, h, e, hits, embedded)
		}
		return x.ID
	}
	const prompt = "10 degrees is how much"
	get(prompt, "miss ", 0, 1)
	id, err := ns.Set(ctx, near.Prompt{Text: prompt}, near.Computed{Text: "little", Deps: []string{"doc"}}, "")
	if err != nil || id == "" {
		t.Fatal(id, err)
	}
	get(prompt, "exact little", 0, 0)
	get(prompt, "exact little", 1, 0)
	if got := get("12 degrees is how much?", "semantic little", 0, 1); got != id {
		t.Errorf("id %s, want %s", got, id)
	}
	get("12 degrees is how much?", "semantic little", 1, 0)

	// A nearer one comes.
	do(t, other, "SEM.SET", "ns", "12 degrees are how much", "a bit", "VEC", []float32{0.9781, 0.2079}, "SCOPE", 1, "tenant", "acme")
	get("12 degrees is how much?", "semantic a bit", 0, 1)
	// What it depends on changes; other answers stay.
	get(prompt, "exact little", 0, 0) // the nearer one's push has been about this id
	do(t, other, "SET", "doc", "new")
	get(prompt, "semantic a bit", 0, 1)
	get("12 degrees is how much?", "semantic a bit", 1, 0)
	do(t, other, "SEM.DROP", "ns")
	barrier(t, c)
	if _, err := ns.Get(ctx, near.Prompt{Text: prompt}); err == nil {
		t.Error("answered from a namespace that was dropped")
	}
}

func TestSemanticCachedComputesOnce(t *testing.T) {
	ctx := context.Background()
	s := resptest.Start(t)
	do(t, dial(t, s.Addr()), "SEM.CREATE", "ns", "DIM", 2)
	var a angles
	var computed atomic.Int64
	fail := errors.New("the model is out")
	var wg sync.WaitGroup
	for i := range 4 {
		c := open(t, s.Addr(), near.Options{})
		ns := c.Semantic("ns", near.SemanticOptions{Embed: a.embed})
		for range 25 {
			wg.Go(func() {
				prompt := near.Prompt{Text: []string{"10 degrees is how much", "10 degrees is how much?"}[i%2]}
				for {
					x, err := ns.Cached(ctx, prompt, func(context.Context) (near.Computed, error) {
						if computed.Add(1) == 1 {
							return near.Computed{}, fail
						}
						return near.Computed{Text: "little"}, nil
					})
					if errors.Is(err, fail) {
						continue
					}
					if err != nil || x.Text != "little" {
						t.Errorf("%+v, %v", x, err)
					}
					return
				}
			})
		}
	}
	wg.Wait()
	if n := computed.Load(); n != 2 {
		t.Errorf("computed %d times, once of them in vain", n)
	}
}

// BenchmarkSemanticGet is an answer that is kept here.
func BenchmarkSemanticGet(b *testing.B) {
	ctx := context.Background()
	s := resptest.Start(b)
	do(b, dial(b, s.Addr()), "SEM.CREATE", "ns", "DIM", 2)
	var a angles
	c := open(b, s.Addr(), near.Options{})
	ns := c.Semantic("ns", near.SemanticOptions{Embed: a.embed, Scope: []string{"tenant", "acme"}})
	p := near.Prompt{Text: "10 degrees is how much, and why would anybody want to know?"}
	if _, err := ns.Set(ctx, p, near.Computed{Text: "little"}, ""); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if x, err := ns.Get(ctx, p); err != nil || !x.Hit() {
			b.Fatal(x, err)
		}
	}
}
