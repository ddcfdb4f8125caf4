package semcache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

func TestCurve(t *testing.T) {
	s := set{"", []pair{{Label: 1, Cosine: .9}, {Label: 0, Cosine: .8}, {Label: 1, Cosine: .8}, {Label: 0, Cosine: .5}, {Label: 1, Cosine: .4}}}
	c := curve(s, func(i int) float64 { return s.pairs[i].Cosine })
	want := []point{{1. / 3, 0, .9}, {2. / 3, .5, .8}, {2. / 3, 1, .5}, {1, 1, .4}}
	if len(c) != len(want) {
		t.Fatalf("%v", c)
	}
	for i := range c {
		if c[i] != want[i] {
			t.Errorf("point %d is %v, not %v", i, c[i], want[i])
		}
	}
	if got := at(c, 0.5); got != want[1] {
		t.Errorf("at .5: %v", got)
	}
	if got := at(c, 0.49); got != want[0] {
		t.Errorf("at .49: %v", got)
	}
	if got := served(s, func(i int) bool { return s.pairs[i].Cosine >= .5 }); got.Hits != 2./3 || got.Wrong != 1 {
		t.Errorf("served: %v", got)
	}
}

func TestSameAnswer(t *testing.T) {
	for _, c := range []struct {
		a, b []string
		want int
	}{
		{[]string{"14 december 1972"}, []string{"december 1972", "14 december 1972"}, 1},
		{[]string{"14 december 1972"}, []string{"december 1972"}, -1},
		{[]string{"bob russell"}, []string{"neil diamond"}, 0},
		{[]string{"isle of man"}, []string{"house of lords"}, 0},
	} {
		if got := sameAnswer(c.a, c.b); got != c.want {
			t.Errorf("%v, %v: %d", c.a, c.b, got)
		}
	}
	if plain(" The Beatles! ") != "beatles" {
		t.Errorf("%q", plain(" The Beatles! "))
	}
}

func TestPairsThatAreNoneAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the data sets")
	}
	f := filepath.Join(t.TempDir(), "pairs.jsonl")
	for _, line := range []string{`{"a":"x","b":"y","label":2,"cosine":0.5}`, `{"a":"x","b":"y","label":1,"cosine":5}`, `{"a":`} {
		if err := os.WriteFile(f, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := external(f); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
}

// Scores that say too much, by a known line, are brought back to it.
func TestCalibrate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s judged
	var scores []float64
	for range 40_000 {
		x := r.Float64()*12 - 6
		p := pair{}
		if r.Float64() < 1/(1+math.Exp(-0.5*x)) {
			p.Label = 1
		}
		s.pairs = append(s.pairs, p)
		scores = append(scores, x)
	}
	m := judge.Model{Worth: calibrate([]judged{s}, [][]float64{scores})}
	for x := -5.0; x <= 5; x += 0.5 {
		if got := m.LogOdds(x); math.Abs(got-0.5*x) > 0.25 {
			t.Errorf("a score of %g is worth %.3f, not %.3f", x, got, 0.5*x)
		}
	}
	// Labels that scores tell apart: it rises, and is certain of nothing.
	for i := range s.pairs {
		s.pairs[i].Label = 0
		if scores[i] > 0 {
			s.pairs[i].Label = 1
		}
	}
	m.Worth = calibrate([]judged{s}, [][]float64{scores})
	if lo, hi := m.Probability(-4), m.Probability(4); !(lo > 0 && lo < 0.1 && hi > 0.9 && hi < 1) {
		t.Errorf("%g %g", lo, hi)
	}
}

// A small run from pairs to report: what is asked of a model, that it is not asked about what it learned, and that the files are there.
func TestARunReports(t *testing.T) {
	var sets []judged
	for _, name := range []string{"a", "b"} {
		s := set{name: name}
		for i := range 400 {
			p := pair{A: "How do I cancel my order?", B: "how can i cancel my order", Label: 1, Kind: "case", Cosine: .8 + float64(i%10)/100}
			if i%2 == 0 {
				p = pair{A: "How do I cancel my order?", B: "How do I cancel my flight?", Label: 0, Kind: "word", Cosine: .85 + float64(i%10)/100}
			}
			s.pairs = append(s.pairs, p)
		}
		sets = append(sets, weigh(s))
	}
	r := report{Sets: []result{assess(sets[0], new(course).train(sets[1:]), sets[1:])}}
	if got := at(r.Sets[0].Model, 0.02).Hits; got != 1 {
		t.Errorf("hits of the judge at 2%%: %v", got)
	}
	if got := at(r.Sets[0].Cosine, 0.02).Hits; got != 0 {
		t.Errorf("hits of the cosine at 2%%: %v; the pairs are made so that it has none", got)
	}
	var table bytes.Buffer
	r.print(&table)
	dir := t.TempDir()
	if err := r.write(dir, table.String()); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"semcache.md", "semcache.json", "semcache.svg"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil || len(b) == 0 {
			t.Errorf("%s: %v, %d bytes", f, err, len(b))
		}
	}
	var back report
	b, _ := os.ReadFile(filepath.Join(dir, "semcache.json"))
	if err := json.Unmarshal(b, &back); err != nil || back.Sets[0].Same != 200 || back.Sets[0].AtModel[1].Hits != 1 {
		t.Errorf("%v %+v", err, back)
	}
}

// In a trace in which the words say nothing, the neighbours do: each answer is a heap of prompts, and some lie between two.
func TestNeighboursAreLearned(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const dim, answers = 24, 12
	unit := func() []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		semcache.Shorten(v)
		return v
	}
	heaps := func(name string) trace {
		x := trace{name: name}
		p := judge.Parse("is it open")
		var center [answers][]float32
		for i := range center {
			center[i] = unit()
		}
		for range 800 {
			a, b := r.IntN(answers), r.IntN(answers)
			v := unit()
			vek32.MulNumber_Inplace(v, 0.5)
			vek32.Add_Inplace(v, center[a])
			vek32.Add_Inplace(v, vek32.MulNumber(center[b], r.Float32()*0.9))
			semcache.Shorten(v)
			x.requests = append(x.requests, request{prompt: p, vector: v, answer: fmt.Sprint(a)})
		}
		return x
	}
	m := &judge.Model{Prior: 10, Middle: 0.85}
	for _, s := range judge.Signals {
		m.Signals = append(m.Signals, s.Name)
	}
	learned, other := heaps("x"), heaps("y")
	c := &course{sets: []judged{}, traces: []trace{learned, other}, grown: map[string]*judge.Model{"": m}}
	c.look(m, "y")
	got := follow("y", other.around(800, maxNear), m, nil)
	cosine, among := got.Rules[0].AtWrong[2].Hits, got.Rules[2].AtWrong[2].Hits
	if among <= cosine+0.1 {
		t.Errorf("hits at 3%% wrong: cosine %.3f, with neighbours %.3f", cosine, among)
	}
}
