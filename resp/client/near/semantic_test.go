package near_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// What takes longer than its lease is computed once, and stored.
func TestSemanticLeaseIsRenewedWhileItIsComputed(t *testing.T) {
	// A lease does end where the machine stands still for so long: the next attempt has a longer one.
	for lease := 600 * time.Millisecond; ; lease *= 2 {
		wrong := computeLongerThan(t, lease)
		if wrong == "" {
			return
		}
		if lease > 20*time.Second {
			t.Fatal(wrong)
		}
	}
}

// computeLongerThan has four ask at once for what takes longer than its lease, and returns what is wrong then.
func computeLongerThan(t *testing.T, lease time.Duration) (wrong string) {
	t.Helper()
	s := resptest.Start(t)
	do(t, dial(t, s.Addr()), "SEM.CREATE", "ns", "DIM", 2)
	var a angles
	var computed atomic.Int64
	var wg sync.WaitGroup
	got := make([]string, 4)
	for i := range 2 {
		ns := open(t, s.Addr(), near.Options{}).Semantic("ns", near.SemanticOptions{Embed: a.embed, Lease: lease})
		for j := range 2 {
			wg.Go(func() {
				x, err := ns.Cached(t.Context(), near.Prompt{Text: "10 degrees is how much"}, func(ctx context.Context) (near.Computed, error) {
					computed.Add(1)
					select {
					case <-time.After(lease * 5 / 2):
						return near.Computed{Text: "little"}, nil
					case <-ctx.Done():
						return near.Computed{}, ctx.Err()
					}
				})
				if err != nil || x.Text != "little" || x.ID == "" {
					got[2*i+j] = fmt.Sprintf("%+v, %v\n", x, err)
				}
			})
		}
	}
	wg.Wait()
	if n := computed.Load(); n != 1 {
		wrong = fmt.Sprintf("computed %d times\n", n)
	}
	return wrong + strings.Join(got, "")
}

// A lease that comes when nobody waits for it any more would have all others wait until it ends.
func TestSemanticLeaseOfWhoHasLeftIsGivenBack(t *testing.T) {
	s := resptest.Start(t)
	other := dial(t, s.Addr())
	do(t, other, "SEM.CREATE", "ns", "DIM", 2)
	ns := open(t, s.Addr(), near.Options{}).Semantic("ns", near.SemanticOptions{Lease: 10 * patience})
	p := near.Prompt{Text: "10 degrees is how much", Vector: []float32{1, 0}}
	answer := func(text string) func(context.Context) (near.Computed, error) {
		return func(context.Context) (near.Computed, error) { return near.Computed{Text: text}, nil }
	}
	do(t, other, "CLIENT", "PAUSE", patience.Milliseconds(), "ALL")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if x, err := ns.Cached(ctx, p, answer("no")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%+v, %v", x, err)
	}
	do(t, other, "CLIENT", "UNPAUSE")
	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	if x, err := ns.Cached(ctx, p, answer("little")); err != nil || x.Text != "little" {
		t.Errorf("%+v, %v", x, err)
	}
}

// What was computed is returned though it cannot be stored.
func TestSemanticAnswerIsReturnedThoughTheServerIsAway(t *testing.T) {
	s := resptest.Start(t)
	other := dial(t, s.Addr())
	do(t, other, "SEM.CREATE", "ns", "DIM", 2)
	f := func(prompt string, before func(c *near.Client)) {
		t.Helper()
		c := open(t, s.Addr(), near.Options{})
		p := near.Prompt{Text: prompt, Vector: []float32{1, 0}}
		x, err := c.Semantic("ns", near.SemanticOptions{}).Cached(t.Context(), p, func(context.Context) (near.Computed, error) {
			before(c)
			return near.Computed{Text: "little"}, nil
		})
		if err != nil || x.Text != "little" || x.ID != "" {
			t.Errorf("%s: %+v, %v", prompt, x, err)
		}
	}
	f("away", func(c *near.Client) { _ = c.Close() })
	do(t, other, "SET", "k", "v")
	f("full", func(*near.Client) { do(t, other, "CONFIG", "SET", "maxmemory", 1) })
	do(t, other, "CONFIG", "SET", "maxmemory", 0)
}

// What came before a prompt divides the copies as it divides the entries.
func TestSemanticContextsAreNotCrossed(t *testing.T) {
	ctx := context.Background()
	s := resptest.Start(t)
	do(t, dial(t, s.Addr()), "SEM.CREATE", "ns", "DIM", 2, "MAXWRONG", 1)
	c := open(t, s.Addr(), near.Options{})
	var a angles
	ns := c.Semantic("ns", near.SemanticOptions{Embed: a.embed})
	const prompt, noon = "10 degrees is how much", "20 degrees was it at noon"
	set := func(answer string, p near.Prompt) {
		t.Helper()
		if id, err := ns.Set(ctx, p, near.Computed{Text: answer}, ""); err != nil || id == "" {
			t.Fatal(id, err)
		}
	}
	// get asks twice: the second time nothing is embedded, and a hit is here.
	get := func(want string, p near.Prompt, embedded int64) {
		t.Helper()
		barrier(t, c)
		calls := a.calls.Load()
		for i := range 2 {
			before := c.Stats().Hits
			x, err := ns.Get(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			if got := x.Status + " " + x.Text; got != want {
				t.Errorf("%+v: %q, want %q", p, got, want)
			}
			if !x.Hit() {
				return
			}
			if h := c.Stats().Hits - before; h != int64(i) {
				t.Errorf("%+v: %d local hits, want %d", p, h, i)
			}
		}
		if n := a.calls.Load() - calls; n != embedded {
			t.Errorf("%+v: %d embeddings, want %d", p, n, embedded)
		}
	}
	west := []float32{-1, 0.1}
	set("little", near.Prompt{Text: prompt, Before: noon})
	get("exact little", near.Prompt{Text: prompt, Before: noon}, 0)
	get("semantic little", near.Prompt{Text: prompt, Before: "21 degrees was it at noon"}, 2)
	get("miss ", near.Prompt{Text: prompt}, 0)
	get("miss ", near.Prompt{Text: prompt, Context: noon}, 0)
	get("miss ", near.Prompt{Text: prompt, BeforeVector: west}, 0)
	set("much", near.Prompt{Text: prompt, BeforeVector: west})
	get("exact much", near.Prompt{Text: prompt, BeforeVector: west}, 0)
	set("some", near.Prompt{Text: prompt, Context: "c"})
	get("exact some", near.Prompt{Text: prompt, Context: "c"}, 0)
	if x, err := ns.Get(ctx, near.Prompt{Text: prompt, Before: noon}); err != nil || x.Text != "little" {
		t.Errorf("%+v, %v", x, err)
	}

	// Where one word ends and the next begins is part of the question.
	set("one", near.Prompt{Text: "c 10", Context: "a\x00b", Vector: west})
	get("exact one", near.Prompt{Text: "c 10", Context: "a\x00b", Vector: west}, 0)
	get("miss ", near.Prompt{Text: "b\x00c 10", Context: "a", Vector: west}, 0)
}

func TestConversation(t *testing.T) {
	talk := []near.Message{
		{Role: "system", Content: "Be brief."},
		{Role: "user", Content: "Do you ship to Norway?"},
		{Role: "assistant", Content: "Yes."},
		{Role: "user", Content: "How long?"},
	}
	f := func(messages []near.Message, similar bool, context, before string) {
		t.Helper()
		p := near.Conversation(messages, similar)
		if p.Text != messages[len(messages)-1].Content || p.Context != context || p.Before != before {
			t.Errorf("%+v, want context %q and %q before", p, context, before)
		}
	}
	// The client for Python makes the same.
	f(talk, false, "251dbe8a9f39e7edba70a1e4eb4d1aeb", "")
	f(talk, true, near.Conversation([]near.Message{talk[0], talk[1]}, false).Context, "Yes.\nDo you ship to Norway?\n")
	f(talk[3:], true, "", "")
	f(talk[2:], true, "", "Yes.\n")
	long := near.Message{Role: "user", Content: strings.Repeat("x", 1<<20)}
	f([]near.Message{long, talk[3]}, true, near.Conversation([]near.Message{long, talk[3]}, false).Context, "")
	tool := []near.Message{talk[1], {Role: "tool", Content: "How long?"}}
	f(tool, true, near.Conversation(tool, false).Context, "")
	if near.Conversation(tool, false).Context == near.Conversation([]near.Message{talk[1], talk[3]}, false).Context {
		t.Error("what a tool says is what the user says")
	}
	if p := near.Conversation(nil, true); p.Text != "" {
		t.Errorf("%+v", p)
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
