package search

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// The figures and texts here are RediSearch's: tests/pytests/test_scorers.py,
// whose functions the tests name.

// lines writes an explanation with one tab a level.
func (ex *Explain) lines(indent string) string {
	s := indent + ex.Text + "\n"
	for _, c := range ex.Of {
		s += c.lines(indent + "\t")
	}
	return s
}

// scored compares "name score" of each row, rounded to the digits given.
func (t *tester) scored(q string, o Options, digits int, want string) {
	t.Helper()
	o.WithScores = true
	if o.Num == 0 {
		o.Num = 5
	}
	res, err := t.search(q, o)
	if err != nil {
		t.Fatal(q, err)
	}
	defer res.Release()
	var got []string
	for _, r := range res.Rows {
		got = append(got, fmt.Sprintf("%s %.*f", r.Name, digits, r.Score))
	}
	if s := strings.Join(got, " "); s != want {
		t.Errorf("%s %s\n got %s\nwant %s", q, o.Scorer, s, want)
	}
}

// explained compares the explanation of a row.
func (t *tester) explained(q, scorer string, row int, want string) {
	t.Helper()
	res, err := t.search(q, Options{Num: 10, Scorer: scorer, WithScores: true, Explain: true})
	if err != nil {
		t.Fatal(q, err)
	}
	defer res.Release()
	if got := res.Rows[row].Explain.lines(""); got != want {
		t.Errorf("%s %s %d\n got %s\nwant %s", q, scorer, row, got, want)
	}
}

// testBM25STDScorerExplanation, testBM25STDNORMScorerExplanation
func TestExplainBM25STD(t *testing.T) {
	x := newTester(t, "title TEXT WEIGHT 10 body TEXT")
	x.put("doc1", "title", "hello world", "body", "lorem ist ipsum")
	x.put("doc2", "title", "hello space world", "body", "lorem ist ipsum lorem lorem")
	x.put("doc3", "title", "hello more space world", "body", "lorem ist ipsum lorem lorem")
	for i, d := range []struct{ words, term, norm, length string }{
		{"0.54", "0.27", "1.00", "23"}, {"0.52", "0.26", "0.97", "35"}, {"0.51", "0.26", "0.95", "45"},
	} {
		const term = "%s: (%s = Weight 1.00 * IDF 0.13 * (F 10.00 * (k1 1.2 + 1)) / (F 10.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len %s / Average Doc Len 34.33)))\n"
		tree := "\t(Weight 1.00 * children BM25 " + d.words + ")\n\t\t" + fmt.Sprintf(term, "hello", d.term, d.length) + "\t\t" + fmt.Sprintf(term, "world", d.term, d.length)
		x.explained("hello world", "BM25STD", i, "Final BM25 : words BM25 "+d.words+" * document score 1.00\n"+tree)
		x.explained("hello world", "BM25STD.NORM", i, "Final BM25STD.NORM: "+d.norm+" = Original Score: "+d.words+" / Max Score: 0.54\n"+tree)
	}
	x.explained("((@title:(hello => {$weight: 0.5;}|world) => {$weight: 0.7;}) => {$weight: 0.3;})", "BM25STD", 0, `Final BM25 : words BM25 0.12 * document score 1.00
	(Weight 0.30 * children BM25 0.40)
		hello: (0.13 = Weight 0.50 * IDF 0.13 * (F 10.00 * (k1 1.2 + 1)) / (F 10.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len 23 / Average Doc Len 34.33)))
		world: (0.27 = Weight 1.00 * IDF 0.13 * (F 10.00 * (k1 1.2 + 1)) / (F 10.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len 23 / Average Doc Len 34.33)))
`)
}

// testNormalizedBM25ScorerExplanation
func TestExplainTanh(t *testing.T) {
	x := newTester(t, "title TEXT")
	x.put("doc1", "title", "hello world")
	x.put("doc2", "title", "hello space world")
	x.put("doc3", "title", "hello more space world")
	x.explained("(hello world) => {$weight: 0.25}", "BM25STD.TANH", 0, `Final Normalized BM25 : tanh(stretch factor 1/4 * Final BM25 0.08)
	Final BM25 : words BM25 0.08 * document score 1.00
		(Weight 0.25 * children BM25 0.31)
			hello: (0.15 = Weight 1.00 * IDF 0.13 * (F 1.00 * (k1 1.2 + 1)) / (F 1.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len 2 / Average Doc Len 3.00)))
			world: (0.15 = Weight 1.00 * IDF 0.13 * (F 1.00 * (k1 1.2 + 1)) / (F 1.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len 2 / Average Doc Len 3.00)))
`)
	plain, err := x.search("hello world", Options{Num: 1, WithScores: true})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("doc1 %.12f", math.Tanh(plain.Rows[0].Score/20))
	x.scored("hello world", Options{Scorer: "BM25STD.TANH", Tanh: 20, Num: 1}, 12, want)
}

// testTFIDFScorerExplanation, testBM25ScorerExplanation, testDisMaxScorerExplanation,
// with every document's score 1
func TestExplainTFIDF(t *testing.T) {
	x := newTester(t, "title TEXT WEIGHT 10 other TEXT")
	x.put("doc1", "title", "hello world")
	x.put("doc2", "title", "hello another world")
	x.put("doc3", "title", "hello yet another world")
	for i := range 3 {
		x.explained("hello world", "TFIDF", i, fmt.Sprintf(`Final TFIDF : words TFIDF 20.00 * document score 1.00 / norm 10 / slop %d
	(Weight 1.00 * total children TFIDF 20.00)
		(TFIDF 10.00 = Weight 1.00 * TF 10 * IDF 1.00)
		(TFIDF 10.00 = Weight 1.00 * TF 10 * IDF 1.00)
`, i+1))
		x.explained("hello world", "BM25", i, fmt.Sprintf(`Final BM25 : words BM25 0.70 * document score 1.00 / slop %d
	(Weight 1.00 * children BM25 0.70)
		(0.35 = Weight 1.00 * IDF 1.00 * F 10 / (F 10 + k1 1.2 * (1 - b 0.5 + b 0.5 * Average Len 30.00)))
		(0.35 = Weight 1.00 * IDF 1.00 * F 10 / (F 10 + k1 1.2 * (1 - b 0.5 + b 0.5 * Average Len 30.00)))
`, i+1))
		x.explained("hello world", "DISMAX", i, `20.00 = Weight 1.00 * children DISMAX 20.00
	DISMAX 10.00 = Weight 1.00 * Frequency 10
	DISMAX 10.00 = Weight 1.00 * Frequency 10
`)
		x.explained("hello world", "DOCSCORE", i, "Document's score is 1.00\n")
	}
	x.explained("hello(world(world(hello)))", "TFIDF", 0, `Final TFIDF : words TFIDF 40.00 * document score 1.00 / norm 10 / slop 1
	(Weight 1.00 * total children TFIDF 40.00)
		(TFIDF 10.00 = Weight 1.00 * TF 10 * IDF 1.00)
		(TFIDF 10.00 = Weight 1.00 * TF 10 * IDF 1.00)
		(TFIDF 10.00 = Weight 1.00 * TF 10 * IDF 1.00)
		(TFIDF 10.00 = Weight 1.00 * TF 10 * IDF 1.00)
`)
}

// testOptionalAndWildcardScoring
func TestScoreOptionalAndWildcard(t *testing.T) {
	x := newTester(t, "title TEXT")
	x.put("doc1", "title", "some text here")
	x.put("doc2", "title", "some text more words here")
	const want = "doc2 0.7942396779178669 doc1 0.2030923674795230"
	x.scored("text ~more", Options{}, 16, want)
	x.scored("text | ~more", Options{}, 16, want)
	x.scored("*", Options{}, 16, "doc1 1.1139240529250303 doc2 0.9072164933249958")
	x.explained("*", "", 0, `Final BM25 : words BM25 1.11 * document score 1.00
	*: (1.11 = Weight 1.00 * IDF 1.00 * (F 1.00 * (k1 1.2 + 1)) / (F 1.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len 3 / Average Doc Len 4.00)))
`)
	x.explained("*ds", "", 0, `Final BM25 : words BM25 0.63 * document score 1.00
	words: (0.63 = Weight 1.00 * IDF 0.69 * (F 1.00 * (k1 1.2 + 1)) / (F 1.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len 5 / Average Doc Len 4.00)))
`)
}

// testScoreIndex, of which every document's score is 1 here
func TestScoresOfManyDocuments(t *testing.T) {
	x := newTester(t, "title TEXT WEIGHT 10 body TEXT")
	for n := 1; n < 25; n++ {
		x.put(fmt.Sprint("doc", n), "title", strings.Repeat("hello world ", n), "body", strings.Repeat("lorem ipsum ", n))
	}
	x.scored("hello world", Options{Scorer: "TFIDF"}, 2, "doc1 2.00 doc2 2.00 doc3 2.00 doc4 2.00 doc5 2.00")
	x.scored("hello world", Options{Scorer: "TFIDF.DOCNORM"}, 2, "doc1 0.91 doc2 0.91 doc3 0.91 doc4 0.91 doc5 0.91")
	x.scored("hello world", Options{Scorer: "BM25"}, 2, "doc24 1.18 doc23 1.16 doc22 1.14 doc21 1.12 doc20 1.09")
	x.scored("hello world", Options{Scorer: "DISMAX"}, 2, "doc24 480.00 doc23 460.00 doc22 440.00 doc21 420.00 doc20 400.00")
	x.scored("hello world", Options{Scorer: "BM25STD"}, 2, "doc24 0.09 doc23 0.09 doc22 0.09 doc21 0.09 doc20 0.09")
}

// A filter weighs nothing beside words in BM25STD, and as one word in the older scorers.
func TestScoreOfFilters(t *testing.T) {
	x := newTester(t, "t TEXT n NUMERIC g TAG")
	x.put("a", "t", "alpha beta", "n", "1", "g", "x,y")
	x.put("b", "t", "beta", "n", "2", "g", "y")
	x.scored("alpha @n:[1 2]", Options{}, 6, "a 0.609970") // ln 2 * 2.2/(1+1.2*(0.25+0.75*2/1.5))
	x.scored("alpha", Options{}, 6, "a 0.609970")
	x.scored("alpha", Options{Scorer: "TFIDF"}, 6, "a 2.000000")
	x.scored("alpha @n:[1 2]", Options{Scorer: "TFIDF"}, 6, "a 3.000000")
	x.scored("alpha -@g:{z}", Options{Scorer: "TFIDF"}, 6, "a 2.000000")
	x.scored("@n:[1 2]", Options{SortBy: "__key"}, 6, "a 0.000000 b 0.000000")
	x.scored("@g:{x}", Options{}, 6, "a 0.609970")
	x.scored("@g:{x|y}", Options{}, 6, "a 0.770412 b 0.211109")
	x.scored("al*", Options{}, 6, "a 0.609970")
}
