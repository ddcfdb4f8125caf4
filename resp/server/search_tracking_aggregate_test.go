package server_test

import (
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

// TestTrackedAggregations: aggregations and hybrid queries are watched as a whole:
// any write of the index counts, once.
func TestTrackedAggregations(t *testing.T) {
	s := resptest.Start(t, "--search-tracking", "yes")
	w := newTracker(t, s.Addr())
	w.do("FT.CREATE", "ix", "PREFIX", 1, "d:", "SCHEMA", "g", "TAG", "t", "TEXT", "v", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
	w.do("HSET", "d:1", "g", "a", "t", "some words", "v", []float32{1, 0})
	a := newTracker(t, s.Addr(), "NOLOOP")
	for _, q := range [][]any{
		{"FT.AGGREGATE", "ix", "*", "GROUPBY", 1, "@g", "REDUCE", "COUNT", 0, "AS", "n"},
		{"FT.HYBRID", "ix", "SEARCH", "words", "VSIM", "@v", "$q", "PARAMS", 2, "q", []float32{0, 0}},
		{"FT.AGGREGATE", "ix", "nothing", "WITHCURSOR"},
	} {
		name := "__ft__:{ix}"
		v := a.do(q...)
		if len(q) > 3 && q[3] == "WITHCURSOR" {
			v = v.Elems[0]
		}
		if key, _ := v.Get("tracking"); key.Str != name {
			t.Errorf("%v: pseudo-key %q", q[0], key.Str)
		}
		w.do("HSET", "x:1", "g", "a") // is not in the index
		if got := a.told(); got != "" {
			t.Errorf("%v: told of %q", q[0], got)
		}
		w.do("HSET", "d:1", "g", "b")
		w.do("HSET", "d:1", "g", "c")
		if got := a.told(); got != name {
			t.Errorf("%v: told of %q", q[0], got)
		}
	}
	if _, err := a.Do("FT.AGGREGATE", "ix", "*", "APPLY", "@none", "AS", "x"); err == nil {
		t.Error("an expression of nothing is taken")
	}
	w.do("HSET", "d:1", "g", "d")
	if got := a.told(); got != "" {
		t.Errorf("told of %q after a mistake", got)
	}
}
