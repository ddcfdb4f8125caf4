package search

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp/client"
)

// aCase is a kind of query.
type aCase struct {
	name string
	make func(c *corpus, i int) []any
	// keep says which documents the truth of the neighbours is taken from; nil if
	// there is no such truth.
	keep func(c *corpus, i, doc int) bool
	wide bool // of the documents that have no vectors
}

const neighbours = 10

func knn(ef int, filter func(c *corpus, i int) string) func(c *corpus, i int) []any {
	return func(c *corpus, i int) []any {
		q := fmt.Sprintf("%s=>[KNN %d @v $b EF_RUNTIME %d AS d]", filter(c, i), neighbours, ef)
		return []any{"FT.SEARCH", "idx", q, "PARAMS", "2", "b", c.vectors.Row(c.query(i)), "RETURN", "1", "d", "DIALECT", "2"}
	}
}

func text(format string, args ...func(c *corpus, i int) any) func(c *corpus, i int) string {
	return func(c *corpus, i int) string {
		l := make([]any, len(args))
		for k, a := range args {
			l[k] = a(c, i)
		}
		return fmt.Sprintf(format, l...)
	}
}

func search(index string, query func(c *corpus, i int) string, more ...any) func(c *corpus, i int) []any {
	return func(c *corpus, i int) []any { return append([]any{"FT.SEARCH", index, query(c, i)}, more...) }
}

func aggregate(query func(c *corpus, i int) string, steps ...any) func(c *corpus, i int) []any {
	return func(c *corpus, i int) []any { return append([]any{"FT.AGGREGATE", "idx", query(c, i)}, steps...) }
}

func word(c *corpus, i int) any  { return c.words[i*7%len(c.words)] }
func other(c *corpus, i int) any { return c.words[(i*13+5)%len(c.words)] }
func group(_ *corpus, i int) any { return "g" + strconv.Itoa(i%groups) }
func low(_ *corpus, i int) any   { return i * 37 % 9000 }
func high(_ *corpus, i int) any  { return i*37%9000 + 1000 }

func all(*corpus, int, int) bool { return true }

func inGroup(_ *corpus, i, doc int) bool { return doc%groups == i%groups }

func inNumbers(c *corpus, i, doc int) bool {
	n, l := c.number(doc), i*37%9000
	return n >= l && n <= l+1000
}

// draw is a number below n that depends on the query alone.
func draw(n int) func(c *corpus, i int) any {
	return func(_ *corpus, i int) any { return rand.New(rand.NewPCG(uint64(i), 3)).IntN(n) }
}

// span is a numeric range that one document in so many lies in.
func span(oneIn int) func(c *corpus, i int) string {
	return func(c *corpus, i int) string {
		from := draw(wideNumbers)(c, i).(int)
		return fmt.Sprintf("@number:[%d %d]", from, from+wideNumbers/oneIn)
	}
}

var cases = []aCase{
	{name: "KNN 10, EF 10", make: knn(10, text("*")), keep: all},
	{name: "KNN 10, EF 16", make: knn(16, text("*")), keep: all},
	{name: "KNN 10, EF 48", make: knn(48, text("*")), keep: all},
	{name: "KNN 10, EF 100", make: knn(100, text("*")), keep: all},
	{name: "KNN 10, EF 200", make: knn(200, text("*")), keep: all},
	{name: "KNN 10, tag of 1%", make: knn(100, text("@group:{%s}", group)), keep: inGroup},
	{name: "KNN 10, numbers of 10%", make: knn(100, text("@number:[%d %d]", low, high)), keep: inNumbers},
	{name: "VECTOR_RANGE 0.4", make: func(c *corpus, i int) []any {
		return []any{
			"FT.SEARCH", "idx", "@v:[VECTOR_RANGE 0.4 $b]=>{$YIELD_DISTANCE_AS: d}", "PARAMS", "2", "b", c.vectors.Row(c.query(i)),
			"SORTBY", "d", "RETURN", "1", "d", "DIALECT", "2",
		}
	}},
	{name: "a word", make: search("idx", text("%s", word), "NOCONTENT")},
	{name: "two words", make: search("idx", text("%s %s", word, other), "NOCONTENT")},
	{name: "one of two words", make: search("idx", text("%s|%s", word, other), "NOCONTENT")},
	{name: "numbers, sorted", make: search("idx", text("@number:[%d %d]", low, high), "SORTBY", "number", "NOCONTENT")},
	{name: "a tag", make: search("idx", text("@group:{%s}", group), "NOCONTENT")},
	{name: "documents of a tag", make: search("idx", text("@group:{%s}", group), "RETURN", "2", "text", "number")},
	{name: "group all by tag", make: aggregate(text("*"), "GROUPBY", "1", "@group", "REDUCE", "COUNT", "0", "AS", "n")},
	{name: "group 10% by tag", make: aggregate(text("@number:[%d %d]", low, high),
		"GROUPBY", "1", "@group", "REDUCE", "AVG", "1", "@number", "AS", "mean", "SORTBY", "2", "@mean", "DESC")},
	{name: "expression of 1%", make: aggregate(text("@group:{%s}", group),
		"LOAD", "2", "@number", "@text", "APPLY", "strlen(@text)*@number", "AS", "x", "SORTBY", "2", "@x", "DESC", "MAX", "10")},
	{name: "hybrid, ranks", make: func(c *corpus, i int) []any {
		return []any{"FT.HYBRID", "idx", "SEARCH", word(c, i), "VSIM", "@v", "$b", "KNN", "2", "K", "10", "PARAMS", "2", "b", c.vectors.Row(c.query(i))}
	}},
	{name: "1 in 10,000 numbers", make: search("wide", span(10000), "NOCONTENT"), wide: true},
	{name: "1 in 100 numbers", make: search("wide", span(100), "NOCONTENT"), wide: true},
	{name: "1 in 10,000 tags", make: search("wide", text("@many:{m%d}", draw(wideTags)), "NOCONTENT"), wide: true},
	{name: "tag and number", make: search("wide", func(c *corpus, i int) string {
		return fmt.Sprintf("@few:{f%d} ", i%4) + span(1000)(c, i)
	}, "NOCONTENT"), wide: true},
	{name: "count of half", make: search("wide", text("@few:{f1|f2}"), "LIMIT", "0", "0"), wide: true},
}

// truth are the keys of a query's neighbours, by a walk over all vectors.
func (c *corpus) truth(a *aCase, i int) []string {
	type near struct {
		doc int
		dot float32
	}
	var l []near
	q := c.vectors.Row(c.query(i))
	for doc := range c.docs {
		if !a.keep(c, i, doc) {
			continue
		}
		var dot float32
		for k, x := range c.vectors.Row(doc) {
			dot += x * q[k]
		}
		l = append(l, near{doc, dot})
	}
	slices.SortFunc(l, func(a, b near) int { return cmp.Compare(b.dot, a.dot) })
	keys := make([]string, 0, neighbours)
	for _, n := range l[:min(neighbours, len(l))] {
		keys = append(keys, "d:"+strconv.Itoa(n.doc))
	}
	return keys
}

// recall is the share of the true neighbours that a reply of FT.SEARCH holds.
func recall(v client.Value, truth []string) float64 {
	if len(truth) == 0 {
		return 1
	}
	found := 0
	for _, e := range v.Elems {
		if strings.HasPrefix(e.Str, "d:") && slices.Contains(truth, e.Str) {
			found++
		}
	}
	return float64(found) / float64(len(truth))
}
