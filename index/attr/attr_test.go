package attr

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func ids(b *index.Bitmap) []uint32 {
	out := []uint32{}
	b.Each(func(l index.Label) bool { out = append(out, uint32(l)); return true })
	return out
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func TestSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var s Set
	want := map[uint32]bool{}
	for i := range 20_000 {
		span := 20
		if i/3000%2 == 1 {
			span = 5000 // grows into a bitmap and shrinks back
		}
		id := uint32(r.IntN(span))
		if r.IntN(5) < 2+i/3000%2 {
			if s.Add(id) == want[id] {
				t.Fatal("Add", id)
			}
			want[id] = true
		} else {
			if s.Remove(id) != want[id] {
				t.Fatal("Remove", id)
			}
			delete(want, id)
		}
		if s.Len() != len(want) || s.Contains(id) != want[id] {
			t.Fatal(i, s.Len(), len(want))
		}
	}
	var b index.Bitmap
	s.OrInto(&b)
	equal(t, "set", ids(&b), slices.Sorted(maps.Keys(want)))
}

// Blocks of ids become full and empty again, in the middle of a set of others.
func TestSetOfManyIds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s Set
	want := map[uint32]bool{}
	check := func(what string, blocks int) {
		t.Helper()
		full := 0
		for _, b := range s.big.blocks {
			if b.bits != nil {
				full++
			}
		}
		if full != blocks || s.Len() != len(want) {
			t.Errorf("%s: %d blocks are bits, want %d; %d ids, want %d", what, full, blocks, s.Len(), len(want))
		}
		in := s.Ascending()
		for id := range uint32(300_000) {
			if s.Contains(id) != want[id] || id%7 == 0 && in(id) != want[id] {
				t.Fatal(what, id)
			}
		}
		var b index.Bitmap
		s.OrInto(&b)
		equal(t, what, ids(&b), slices.Sorted(maps.Keys(want)))
	}
	add := func(from, span uint32, n int) {
		for range n {
			id := from + r.Uint32N(span)
			if s.Add(id) == want[id] {
				t.Fatal("Add", id)
			}
			want[id] = true
		}
	}
	add(0, 300_000, 2000)
	check("sparse", 0)
	add(1<<16, 3<<16, 60_000)
	check("full", 3)
	if n := s.Bytes(); n < 3*8<<10 || n > 48<<10 {
		t.Errorf("%d bytes", n)
	}
	for id := range want {
		if id>>16 == 2 || id%5 > 0 && id>>16 == 3 {
			if !s.Remove(id) || s.Remove(id) {
				t.Fatal("Remove", id)
			}
			delete(want, id)
		}
	}
	check("emptied", 2)
	for id := range want {
		if !s.Remove(id) || s.Remove(id) {
			t.Fatal("Remove", id)
		}
		delete(want, id)
	}
	if s.Len() != 0 || s.big != nil {
		t.Error("not empty")
	}
}

func TestNumericAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	n := NewNumeric()
	want := map[uint32]float64{}
	var b index.Bitmap
	for i := range 30_000 {
		id := uint32(r.IntN(4000))
		switch r.IntN(4) {
		case 0:
			n.Remove(id)
			delete(want, id)
		default:
			x := float64(r.IntN(500))
			if r.IntN(50) == 0 {
				x = math.Inf(1 - 2*r.IntN(2))
			}
			n.Put(id, x)
			want[id] = x
		}
		if i%500 > 0 {
			continue
		}
		lo, hi := float64(r.IntN(500)), float64(r.IntN(500))
		var exp []uint32
		for id, x := range want {
			if x >= lo && x <= hi {
				exp = append(exp, id)
			}
		}
		slices.Sort(exp)
		b.Reset()
		n.Range(&b, lo, hi)
		equal(t, "range", ids(&b), append([]uint32{}, exp...))
		if est := n.Estimate(lo, hi); est < len(exp)/3-blockSize || est > 3*len(exp)+blockSize {
			t.Fatalf("estimate %d of %d", est, len(exp))
		}
		if n.Len() != len(want) {
			t.Fatal(n.Len(), len(want))
		}
	}
	for id, x := range want {
		if got, ok := n.Value(id); !ok || got != x {
			t.Fatal(id, got, x)
		}
	}
}

func TestSeveralNumbersOfADocument(t *testing.T) {
	n := NewNumeric()
	n.Put(1, 5, 7, 5, 9, 7)
	n.Put(2, 6)
	f := func(lo, hi float64, want ...uint32) {
		t.Helper()
		var b index.Bitmap
		n.Range(&b, lo, hi)
		equal(t, "range", ids(&b), append([]uint32{}, want...))
		for id := range uint32(4) {
			if n.In(id, lo, hi) != slices.Contains(want, id) {
				t.Errorf("%d in %v..%v: %v", id, lo, hi, !slices.Contains(want, id))
			}
		}
	}
	f(5, 5, 1)
	f(6, 6, 2)
	f(7, 8, 1)
	f(8, 8.5)
	f(5, 9, 1, 2)
	if x, ok := n.Value(1); !ok || x != 5 || n.Len() != 4 {
		t.Error(x, ok, n.Len())
	}
	n.Put(1, 8)
	f(5, 7, 2)
	f(8, 8, 1)
	n.Remove(1)
	f(5, 9, 2)
	if n.Len() != 1 || len(n.more) != 0 {
		t.Error(n.Len(), n.more)
	}
}

func TestOrderedKeepsOrder(t *testing.T) {
	for _, step := range []int{1, -1, 7919} { // ascending, descending, scattered
		o := ordered[int]{cmp: func(a, b int) int { return a - b }}
		const n = 20_011
		for i := range n {
			x := ((i*step)%n + n) % n
			if !o.insert(x) || o.insert(x) {
				t.Fatal("insert", x)
			}
		}
		next := 0
		o.from(-1, func(x int) bool {
			if x != next {
				t.Fatal(x, next)
			}
			next++
			return true
		})
		if next != n || o.n != n {
			t.Fatal(next, o.n)
		}
		for i := range n {
			if x := (i * 3) % n; !o.remove(x) || o.remove(x) {
				t.Fatal("remove", x)
			}
		}
		if len(o.blocks) != 0 || o.n != 0 {
			t.Fatal(len(o.blocks), o.n)
		}
	}
}

func TestTags(t *testing.T) {
	f := func(tags *Tags, value string, want ...string) {
		t.Helper()
		tags.Put(7, []byte(value))
		got := []string{}
		tags.Each(func(tag string, s *Set) bool {
			if !s.Contains(7) || s.Len() != 1 {
				t.Error(tag)
			}
			got = append(got, tag)
			return true
		})
		equal(t, value, got, append([]string{}, want...))
		tags.Remove(7)
		if tags.Len() != 0 || tags.Records() != 0 || tags.sorted.n != 0 {
			t.Errorf("%q leaves something", value)
		}
	}
	f(NewTags(',', false, false), " Hello World ,b,,B, ÄÖ", "b", "hello world", "äö")
	f(NewTags(',', true, false), "B,b", "B", "b")
	f(NewTags(',', false, true), "a,,", "", "a")
	f(NewTags(',', false, false), "  ")
	f(NewTags(0, false, false), "a,b", "a,b")
	f(NewTags(',', false, false), strings.Repeat("X", maxTag+5), strings.Repeat("x", maxTag))
	f(NewTags('|', false, false), "a|b,c", "a", "b,c")
}

func TestTagsAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	tags := NewTags(',', false, false)
	want := map[uint32]map[string]bool{}
	for range 5000 {
		id := uint32(r.IntN(300))
		if r.IntN(3) == 0 {
			tags.Remove(id)
			delete(want, id)
			continue
		}
		m, vals := map[string]bool{}, []string{}
		for range r.IntN(4) {
			v := fmt.Sprintf("t%d", r.IntN(40))
			m[v] = true
			vals = append(vals, strings.ToUpper(v))
		}
		tags.Put(id, []byte(strings.Join(vals, ",")))
		want[id] = m
	}
	records := 0
	for tag := range 40 {
		name := fmt.Sprintf("t%d", tag)
		exp := []uint32{}
		for id, m := range want {
			if m[name] {
				exp = append(exp, id)
			}
		}
		slices.Sort(exp)
		records += len(exp)
		var b index.Bitmap
		if s := tags.Find(name); s != nil {
			s.OrInto(&b)
		}
		equal(t, name, ids(&b), exp)
	}
	if int(tags.Records()) != records {
		t.Error(tags.Records(), records)
	}
	for id, m := range want {
		least, ok := tags.First(id)
		if sorted := slices.Sorted(maps.Keys(m)); ok != (len(sorted) > 0) || ok && least != sorted[0] {
			t.Error(least, sorted)
		}
	}
	var b, p index.Bitmap
	tags.OrPrefix(&p, "t3")
	tags.Each(func(tag string, s *Set) bool {
		if strings.HasPrefix(tag, "t3") {
			s.OrInto(&b)
		}
		return true
	})
	equal(t, "prefix", ids(&p), ids(&b))
}

func TestTokens(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		got := []string{}
		Tokens([]byte(in), nil, func(w []byte) { got = append(got, string(w)) })
		equal(t, in, got, append([]string{}, want...))
	}
	f("Hello, World!", "hello", "world")
	f("foo_bar foo-bar", "foo_bar", "foo", "bar")
	f(`foo\-bar c\+\+ back\slash end\`, "foo-bar", "c++", "back", "slash", "end")
	f("ÄPFEL über\tß", "äpfel", "über", "ß")
	f("a\x00b\xff", "a", "b\uFFFD")
	f(strings.Repeat("x", maxToken+1)+" y", "y")
	f(" ,.; ")
}

func words(s string) *TextDoc {
	var d TextDoc
	d.Add(0, []byte(s), nil)
	return &d
}

func TestStemsAndRemoval(t *testing.T) {
	stem, _ := NewStemmer("English")
	x := NewText([]TextField{{Weight: 1}, {Weight: 1, NoStem: true}}, stem)
	var d TextDoc
	x.Put(1, words("running runs"))
	x.Put(2, words("run"))
	d.Add(1, []byte("running"), nil)
	x.Put(3, &d)
	x.Put(4, words("walk"))
	find := func(word string, m Mask, want ...uint32) {
		t.Helper()
		var b index.Bitmap
		for _, w := range x.Expand(nil, word, 0) {
			x.Or(&b, w, m)
		}
		equal(t, word, ids(&b), append([]uint32{}, want...))
	}
	find("run", AllFields, 1, 2)
	find("runs", AllFields, 1, 2)
	find("running", AllFields, 1, 2, 3)
	find("running", Mask{2, 0}, 3)
	find("walking", AllFields, 4)
	if x.Terms() != 4 || x.Tokens() != 5 {
		t.Error(x.Terms(), x.Tokens())
	}
	x.Remove(1)
	find("runs", AllFields, 2)
	find("running", AllFields, 2, 3)
	for id := range uint32(5) {
		x.Remove(id)
	}
	if len(x.dict) != 0 || len(x.stems) != 0 || x.sorted.n != 0 || x.records != 0 || x.total != 0 || x.docs != 0 || x.fwdBytes != 0 || x.dictBytes != 0 {
		t.Errorf("left behind: %+v", x)
	}
}

func TestTextAgainstScan(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	stem, _ := NewStemmer("english")
	vocab := strings.Fields("run running runs runner quick quickly fox foxes jump jumps jumping lazy dog dogs happiness happy")
	x := NewText([]TextField{{Weight: 1}, {Weight: 2, NoStem: true}}, stem)
	docs := map[uint32][2][]string{}
	for range 3000 {
		id := uint32(r.IntN(200))
		if r.IntN(4) == 0 {
			x.Remove(id)
			delete(docs, id)
			continue
		}
		var doc [2][]string
		var d TextDoc
		for f := range doc {
			for range r.IntN(6) {
				doc[f] = append(doc[f], vocab[r.IntN(len(vocab))])
			}
			d.Add(f, []byte(strings.Join(doc[f], " ")), nil)
		}
		x.Put(id, &d)
		docs[id] = doc
	}
	freqs := x.Freqs(true, false)
	for _, word := range vocab {
		for mask := uint64(1); mask < 4; mask++ {
			var b index.Bitmap
			for _, w := range x.Expand(nil, word, 0) {
				x.Or(&b, w, Mask{mask})
			}
			want := []uint32{}
			for id, doc := range docs {
				for f := range doc {
					if mask>>f&1 == 1 && slices.ContainsFunc(doc[f], func(s string) bool {
						return s == word || f == 0 && (stem(s) == stem(word) || s == stem(word))
					}) {
						want = append(want, id)
						break
					}
				}
			}
			slices.Sort(want)
			equal(t, word, ids(&b), want)
		}
		if id, ok := x.Term(word); ok {
			slot, docsWith := freqs.Slot(id), 0
			for id, doc := range docs {
				freqs.Load(id)
				want, any := 0.0, false
				for f := range doc {
					for _, s := range doc[f] {
						if s == word {
							want += float64(f + 1)
							any = true
						}
					}
				}
				if any {
					docsWith++
				}
				if got := freqs.Freq(slot, AllFields, true); got != want {
					t.Fatal(word, got, want)
				}
				if length := len(doc[0]) + 2*len(doc[1]); freqs.Len != length || float64(freqs.Top) < want {
					t.Fatal(word, doc, freqs.Len, freqs.Top)
				}
			}
			if x.Docs(id) != docsWith {
				t.Fatal(x.Docs(id), docsWith)
			}
		}
	}
	var s NearScratch
	for range 500 {
		var phrase []string
		var groups [][]Match
		for range 1 + r.IntN(3) {
			w := vocab[r.IntN(len(vocab))]
			phrase = append(phrase, w)
			if id, ok := x.Term(w); ok {
				groups = append(groups, []Match{{ID: id, Exact: true}})
			} else {
				groups = append(groups, nil)
			}
		}
		for id, doc := range docs {
			want := false
			for f := range doc {
				want = want || strings.Contains(" "+strings.Join(doc[f], " ")+" ", " "+strings.Join(phrase, " ")+" ")
			}
			if got := x.Near(id, groups, AllFields, 0, true, &s); got != want {
				t.Fatal(phrase, doc, got)
			}
		}
	}
}

func TestNear(t *testing.T) {
	f := func(slop int, ordered, want bool, pos ...[]int32) {
		t.Helper()
		if near(pos, slop, ordered) != want {
			t.Error(slop, ordered, pos)
		}
	}
	f(0, true, true, []int32{0, 5}, []int32{3, 6})
	f(0, true, false, []int32{0, 5}, []int32{3, 7})
	f(1, true, true, []int32{0, 5}, []int32{3, 7})
	f(0, true, false, []int32{5}, []int32{4})
	f(0, false, true, []int32{5}, []int32{4})
	f(-1, true, true, []int32{1}, []int32{40}, []int32{400})
	f(1, false, true, []int32{9, 30}, []int32{2, 33}, []int32{31, 50})
	f(0, false, false, []int32{9, 30}, []int32{2, 33}, []int32{31, 50})
	f(0, false, false, []int32{1}, nil)
}

// The figures are those of RediSearch's tests (tests/pytests/test_scorers.py:
// testOptionalAndWildcardScoring, _test_expose_score, testTFIDFScorerExplanation).
func TestFormulas(t *testing.T) {
	f := func(s Scorer, c Corpus, n int, freq, length, want float64) {
		t.Helper()
		idf := 1.0
		if n > 0 {
			idf = s.IDF(&c, n)
		}
		if got := s.Leaf(&c, idf, freq, length); math.Abs(got-want) > 1e-12 {
			t.Error(got, want)
		}
	}
	two := Corpus{Docs: 2, AvgLen: 4}
	f(BM25STD, two, 2, 1, 3, 0.203092367479523)
	f(BM25STD, two, 0, 1, 3, 1.1139240529250303)
	f(BM25STD, two, 0, 1, 5, 0.9072164933249958)
	f(BM25STD, two, 1, 1, 5, 0.6288345545057012)
	f(BM25STD, Corpus{Docs: 1, AvgLen: 1}, 1, 1, 1, 0.2876820724517809)
	f(BM25STD, Corpus{Docs: 1}, 1, 1, 0, 0)
	f(TFIDF, Corpus{Docs: 3, AvgLen: 30}, 3, 10, 20, 10)
	f(BM25, Corpus{Docs: 4, AvgLen: 2.5}, 2, 1, 7, 0.3225806364779916)
	f(DISMAX, two, 2, 10, 3, 10)
}

func TestLengthsAndFrequencies(t *testing.T) {
	stem, _ := NewStemmer("english")
	x := NewText([]TextField{{Weight: 10}, {Weight: 0.5}}, stem)
	var d TextDoc
	d.Add(0, []byte("running runs"), nil)
	d.Add(1, []byte("running home"), nil)
	x.Put(0, &d)
	f := x.Freqs(true, true)
	slot := func(m Match) int { return f.Slot(m.ID) }
	m := x.Expand(nil, "running", 0) // the word, its stem
	word, stemmed := slot(m[0]), slot(m[1])
	f.Load(0)
	// A word counts its field's weight, at least 1; its stem a fifth of that.
	if w, s := f.Freq(word, AllFields, true), f.Freq(stemmed, AllFields, false); w != 11 || s != 5 {
		t.Error(w, s)
	}
	if f.Len != 22 || f.Top != 11 || x.AvgLen(2) != 11 {
		t.Error(f.Len, f.Top, x.AvgLen(2))
	}
	if x.Name(m[0].ID) != "running" || x.Name(m[1].ID) != "+run" {
		t.Error(x.Name(m[0].ID), x.Name(m[1].ID))
	}
	if !slices.Equal(f.Positions(word), []int32{1, 3}) || !slices.Equal(f.Positions(stemmed), []int32{1, 2, 3}) {
		t.Error(f.Positions(word), f.Positions(stemmed))
	}
	x.Remove(0)
	if x.AvgLen(1) != 0 {
		t.Error(x.AvgLen(1))
	}
}

func FuzzTextDoc(f *testing.F) {
	f.Add([]byte("hello \\- world"), []byte("\x00\xff"))
	f.Add([]byte("a a b"), []byte("running runs \\\x00run"))
	stem, _ := NewStemmer("english")
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x := NewText([]TextField{{Weight: 1}, {Weight: 1}}, stem)
		tags := NewTags(',', false, true)
		for id, v := range [][]byte{a, b, a} {
			var d TextDoc
			d.Add(0, v, nil)
			d.Add(1, b, nil)
			x.Put(uint32(id), &d)
			tags.Put(uint32(id), v)
		}
		x.Put(1, words(string(a)))
		for id := range uint32(3) {
			x.Remove(id)
			tags.Remove(id)
		}
		if len(x.dict)+len(x.stems)+x.sorted.n+int(x.records)+int(x.total)+x.docs+int(x.dictBytes)+int(x.fwdBytes) != 0 || tags.Len()+int(tags.Records())+tags.sorted.n != 0 {
			t.Fatal("something is left behind")
		}
	})
}

func BenchmarkNumericPut(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	n := NewNumeric()
	for i := range 1_000_000 {
		n.Put(uint32(i), r.Float64())
	}
	b.ReportAllocs()
	for b.Loop() {
		n.Put(uint32(r.IntN(1_000_000)), r.Float64())
	}
}

func BenchmarkTextPut(b *testing.B) {
	stem, _ := NewStemmer("english")
	x := NewText([]TextField{{Weight: 1}}, stem)
	r := rand.New(rand.NewPCG(1, 1))
	z := rand.NewZipf(r, 1.1, 1, 50_000)
	var docs [512]*TextDoc
	for i := range docs {
		var s strings.Builder
		for range 50 {
			fmt.Fprintf(&s, "word%d ", z.Uint64())
		}
		docs[i] = words(s.String())
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		x.Put(uint32(i%100_000), docs[r.IntN(len(docs))])
		i++
	}
}

func TestGeo(t *testing.T) {
	var g Geo
	g.Put(0, Place{13.361389, 38.115556}) // Palermo
	g.Put(1, Place{15.087269, 37.502669}) // Catania
	g.Put(2, Place{0, 0})
	g.Put(3, Place{100, 10}, Place{15.1, 37.5}) // of several places one is enough
	g.Remove(2)
	if d := distance(g.points[0], g.points[1]); math.Abs(d-166274.1516) > 0.2 { // GEODIST of Redis' documentation, without its rounding
		t.Error(d)
	}
	for radius, want := range map[float64][]uint32{100_000: {1, 3}, 200_000: {0, 1, 3}, 1: {}} {
		var b index.Bitmap
		g.Within(&b, 15, 37, radius)
		equal(t, "within", ids(&b), want)
	}
	if g.Len() != 4 || g.Near(2, 0, 0, 1) || !g.Near(1, 15, 37, 100_000) || !g.Near(3, 15, 37, 100_000) {
		t.Error(g)
	}
	g.Put(3, Place{0, 0})
	if g.Len() != 3 || g.Near(3, 15, 37, 100_000) || len(g.more) != 0 {
		t.Error(g)
	}
}

// TestLanguages puts documents of several languages, which share words and stems.
func TestLanguages(t *testing.T) {
	stem, _ := NewStemmer("english")
	x := NewText([]TextField{{Weight: 1}, {Weight: 1, NoStem: true}}, stem)
	lang := func(name string) Language {
		l, ok := ParseLanguage(name)
		if !ok {
			t.Fatal(name)
		}
		return l
	}
	x.SetLanguage(lang("english"))
	put := func(id uint32, language, text string) {
		d := words(text)
		if d.Language = 0; language != "" {
			d.Language = lang(language)
		}
		x.Put(id, d)
	}
	put(1, "", "houses running")
	put(2, "German", "häuser running")
	put(3, "english", "house häuser")
	put(4, "chinese", "houses")
	put(5, "french", "maisons houses")
	find := func(word, language string, want ...uint32) {
		t.Helper()
		l := Language(0)
		if language != "" {
			l = lang(language)
		}
		var b index.Bitmap
		for _, w := range x.Expand(nil, word, l) {
			x.Or(&b, w, AllFields)
		}
		equal(t, word+" "+language, ids(&b), append([]uint32{}, want...))
	}
	find("haus", "german", 2)
	find("häuser", "german", 2, 3)
	find("häuser", "", 2, 3)
	find("run", "", 1)
	find("running", "german", 1, 2)
	find("housing", "english", 1, 3, 5) // French cuts houses to the same
	find("houses", "chinese", 1, 4, 5)
	find("maison", "french", 5)
	put(2, "", "häuser running")
	find("haus", "german")
	find("run", "", 1, 2)
	for id := range uint32(6) {
		x.Remove(id)
	}
	if len(x.dict) != 0 || len(x.stems) != 0 || x.sorted.n != 0 || x.records != 0 || x.total != 0 || x.docs != 0 || x.fwdBytes != 0 || x.dictBytes != 0 {
		t.Errorf("left behind: %+v", x)
	}
	for _, g := range x.tongues {
		if g != nil && len(g.of) > 0 {
			t.Errorf("a language knows %d words of no document", len(g.of))
		}
	}
}

// TestAscendingIsContains asks sets of every density and kind for ids with gaps.
func TestAscendingIsContains(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{0, 1, smallSet, smallSet + 1, 3000, 40_000, 200_000} {
		for _, span := range []int{200_000, 1 << 22} {
			var s Set
			for range n {
				s.Add(uint32(r.IntN(span)))
			}
			for _, step := range []int{1, 2, 50, 3000, 90_000} {
				in := s.Ascending()
				for id := r.IntN(step); id < span+70_000; id += 1 + r.IntN(step) {
					if got, want := in(uint32(id)), s.Contains(uint32(id)); got != want {
						t.Fatalf("%d ids below %d, steps of %d: %d is %v", n, span, step, id, got)
					}
				}
			}
		}
	}
}

// BenchmarkFewOfMany is a quarter of ten million documents met with ten thousand others.
func BenchmarkFewOfMany(b *testing.B) {
	const docs = 10_000_000
	r := rand.New(rand.NewPCG(6, 6))
	var s Set
	for id := range uint32(docs) {
		if r.IntN(4) == 0 {
			s.Add(id)
		}
	}
	for _, few := range []int{1000, 10_000, 40_000, 100_000} {
		ids := make([]uint32, few)
		for i := range ids {
			ids[i] = uint32(r.IntN(docs))
		}
		var set, other index.Bitmap
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("few=%d/%s", few, name), func(b *testing.B) {
				for b.Loop() {
					set.Reset()
					for _, id := range ids {
						set.Add(index.Label(id))
					}
					f()
				}
			})
		}
		run("nothing", func() {})
		run("contains", func() { set.Keep(func(l index.Label) bool { return s.Contains(uint32(l)) }) })
		run("ascending", func() {
			in := s.Ascending()
			set.Keep(func(l index.Label) bool { return in(uint32(l)) })
		})
		run("list", func() {
			other.Reset()
			s.OrInto(&other)
			set.And(&other)
		})
	}
}
