package judge

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func value(t *testing.T, name, a, b string) float64 {
	t.Helper()
	i := slices.IndexFunc(Signals, func(s Signal) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no signal %q", name)
	}
	return Compare(Parse(a), Parse(b), 0.9, nil)[i]
}

func TestGuards(t *testing.T) {
	for _, c := range []struct{ guard, a, b string }{
		{"number", "Can I return it after 14 days?", "Can I return it after 40 days?"},
		{"number", "a flat with two rooms", "a flat with three rooms"},
		{"number", "How much is the 10GB plan?", "How much is the 100GB plan?"},
		{"date", "Are you open on Monday?", "Are you open on Sundays?"},
		{"date", "the weather in June", "the weather in October"},
		{"unit", "Is it due within 3 days?", "Is it due within 3 weeks?"},
		{"negation", "Do you deliver on weekends?", "Don't you deliver on weekends?"},
		{"negation", "Can I cancel?", "I cannot cancel?"},
		{"opposite", "Is the clinic open on Sundays?", "Is the clinic closed on Sundays?"},
		{"opposite", "How do I turn on the heating?", "How do I turn off the heating?"},
		{"name", "How do I reset my Gmail password?", "How do I reset my Outlook password?"},
		{"direction", "Trains from London to Leeds", "Trains from Leeds to London"},
		{"question", "When was the bridge built?", "Why was the bridge built?"},
		{"language", "Where is the bank?", "Где находится банк?"},
	} {
		for _, p := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if fired := Fired(Compare(Parse(p[0]), Parse(p[1]), 0.95, nil)); !slices.Contains(fired, c.guard) {
				t.Errorf("%q, %q: fired %v, not %s", p[0], p[1], fired, c.guard)
			}
		}
	}
	for _, c := range [][2]string{
		{"What's the minimum order?", "What is the minimum order?"},
		{"Hello, how do I cancel my order, please?", "how do i cancel my order"},
		{"Is it 1,000 euros?", "is it 1000 Euros"},
		{"How do I change my address?", "How do I update my address?"},
		{"the third of March", "the 3rd of march"},
		{"Can I get a refund?", "Can I get a refnud?"},
		{"Why don't you answer?", "Why do you not answer?"},
		{"Is the Wi-Fi free?", "is the wi-fi free"},
	} {
		e := Compare(Parse(c[0]), Parse(c[1]), 0.95, nil)
		if fired := Fired(e); fired != nil {
			t.Errorf("%q, %q: fired %v", c[0], c[1], fired)
		}
		if value(t, "same-words", c[0], c[1]) != 1 {
			t.Errorf("%q, %q: not the same words", c[0], c[1])
		}
	}
}

func TestEveryGuardHasASignal(t *testing.T) {
	for i, s := range guardSignals {
		if s < 0 {
			t.Errorf("guard %s: no signal %q", Guards[i].Name, Guards[i].By)
		}
	}
}

func TestSignals(t *testing.T) {
	for _, c := range []struct {
		signal, a, b string
		want         float64
	}{
		{"overlap", "cancel my order", "cancel my subscription", 0.5},
		{"one-exchanged", "cancel my order", "cancel my subscription", 1},
		{"one-sided", "cancel my order", "cancel my last order now", 1},
		{"loose", "book a table", "reserve a tabel", 2},
		{"number-missing", "a plan for 3 people", "a plan for people", 1},
		{"refusals", "what is banned", "what is allowed", 1},
		{"order", "does the dog bite the man", "does the man bite the dog", 1},
		{"question", "how much is it", "is it much", 1},
		{"short", "balance", "my balance", 1},
		{"letters", "exactly this", "Exactly this!", 1},
	} {
		if got := value(t, c.signal, c.a, c.b); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s of %q and %q is %v, not %v", c.signal, c.a, c.b, got, c.want)
		}
	}
}

// A pair is the same pair the other way round.
func TestEvidenceIsSymmetric(t *testing.T) {
	texts := []string{
		"", "Hi!", "How do I cancel?", "How do I not cancel my order of 3 March?", "Trains from London to Leeds",
		"trains to london from leeds", "Где банк?", strings.Repeat("many words that go on and on ", 60), "word " + strings.Repeat("x", 3000),
	}
	for _, a := range texts {
		for _, b := range texts {
			x, y := Compare(Parse(a), Parse(b), 0.8, nil), Compare(Parse(b), Parse(a), 0.8, nil)
			if !slices.Equal(x, y) {
				t.Errorf("%.40q, %.40q: %v and %v", a, b, x, y)
			}
		}
	}
}

func TestTheModelSeesWhatAnEmbeddingDoesNot(t *testing.T) {
	m := Default()
	confidence := func(a, b string, cosine float64) float64 {
		return m.Confidence(Compare(Parse(a), Parse(b), cosine, nil))
	}
	same := confidence("How do I change my delivery address?", "how can I update my delivery address", 0.93)
	for _, c := range [][2]string{
		{"How do I turn on notifications?", "How do I turn off notifications?"},
		{"Who won the cup in 2014?", "Who won the cup in 2018?"},
		{"How do I open an account at Lloyds?", "How do I open an account at Barclays?"},
	} {
		if other := confidence(c[0], c[1], 0.97); other >= same {
			t.Errorf("%q is taken for %q: %.3f, a paraphrase has %.3f", c[0], c[1], other, same)
		}
	}
}

func TestComparingTakesNoMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("a pool forgets at random under the race detector")
	}
	a, b := Parse("How do I change the address of my card from 3 March on?"), Parse("How can I update my Visa's address, please, from 4 April?")
	m, e := Default(), make(Evidence, 0, len(Signals))
	if n := testing.AllocsPerRun(100, func() { e = Compare(a, b, 0.9, e[:0]); m.Confidence(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestModelsThatAreNoneAreRefused(t *testing.T) {
	ok := func() *Model {
		m := &Model{Trees: []Tree{{{Signal: 0, At: 0.5, Left: 1, Right: 2}, {Value: -1}, {Value: 1}}}}
		for _, s := range Signals {
			m.Signals = append(m.Signals, s.Name)
		}
		return m
	}
	if err := ok().check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(m *Model){
		"a signal more":      func(m *Model) { m.Signals = append(m.Signals, "more") },
		"another signal":     func(m *Model) { m.Signals[3] = "other" },
		"an empty tree":      func(m *Model) { m.Trees[0] = nil },
		"a walk in a circle": func(m *Model) { m.Trees[0] = Tree{{Left: 1, Right: 1}, {Left: 0}, {}}; m.Trees[0][1].Left = 1 },
		"out of the tree":    func(m *Model) { m.Trees[0][0].Right = 3 },
		"limits in disorder": func(m *Model) { m.Limits = []Limit{{0.1, 0.7}, {0.2, 0.9}} },
		"no such signal":     func(m *Model) { m.Trees[0][0].Signal = len(Signals) },
	} {
		m := ok()
		if spoil(m); m.check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestLeastConfidence(t *testing.T) {
	f := func(m *Model, wrong, want float64) {
		t.Helper()
		if got := m.Least(wrong); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v wrong: %v, want %v", wrong, got, want)
		}
	}
	m := &Model{Limits: []Limit{{0.1, 0.9}, {0.2, 0.7}}}
	f(m, 0, 2)
	f(m, 0.05, 0.95)
	f(m, 0.1, 0.9)
	f(m, 0.15, 0.8)
	f(m, 0.2, 0.7)
	f(m, 0.6, 0.35)
	f(m, 1, 0)
	f(&Model{}, 0.3, 0.7)
}

func FuzzCompare(f *testing.F) {
	for _, s := range [][2]string{
		{"How do I cancel?", "How can't I cancel?"}, {"1,000.5 from to into", "’s n't '"}, {"\xff\xfe", "£€$ %"}, {"ＡＢＣ １２", "ﬁne"},
	} {
		f.Add(s[0], s[1], 0.9)
	}
	m := Default()
	f.Fuzz(func(t *testing.T, a, b string, cosine float64) {
		if !(cosine >= -1 && cosine <= 1) {
			return
		}
		pa, pb := Parse(a), Parse(b)
		e := Compare(pa, pb, cosine, nil)
		for i, v := range e {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s is %v", Signals[i].Name, v)
			}
		}
		if c := m.Confidence(e); !(c >= 0 && c <= 1) {
			t.Errorf("confidence %v", c)
		}
		if !slices.Equal(e, Compare(pb, pa, cosine, nil)) {
			t.Error("not symmetric")
		}
		if Fired(Compare(pa, pa, 1, nil)) != nil && len(pa.roles) < 2 {
			t.Error("a guard fires for a prompt and itself")
		}
	})
}

func BenchmarkConfidence(b *testing.B) {
	p, m := Parse("How do I change the address of my card from 3 March on?"), Default()
	var e Evidence
	b.ReportAllocs()
	for b.Loop() {
		e = Compare(p, Parse("How can I update my Visa's address, please, from 4 April?"), 0.9, e[:0])
		m.Confidence(e)
	}
}

// What came before two prompts is no surer the same by its texts than its cosine is worth in a conversation; one text is one text.
func TestTextContextIsNoSurerThanItsCosine(t *testing.T) {
	m := &Model{Context: &Line{At: -8, Rise: 10}}
	f := func(judged, cosine, want float64) {
		t.Helper()
		if got := m.TextContextLogOdds(judged, cosine); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v at %v: %v, want %v", judged, cosine, got, want)
		}
	}
	f(4, 0.9, 1)
	f(-1, 0.9, -1)
	f(4, 0.5, -3)
	f(4, 1, 4)
}
