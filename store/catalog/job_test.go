package catalog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/search"
)

func schemaOf(t testing.TB, text string) *search.Schema {
	t.Helper()
	s, err := search.ParseSchema(bytes.Fields([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCopiesAreNoLongerThanNeeded says how much of a long value is copied.
func TestCopiesAreNoLongerThanNeeded(t *testing.T) {
	const long = 1 << 20
	f := func(schema, value string, want int) {
		t.Helper()
		w := wantOf(t, schemaOf(t, schema))
		if w.cut == nil {
			if want != len(value) {
				t.Errorf("%s: all of %d bytes are copied", schema, len(value))
			}
			return
		}
		dst, v := w.cut(make([]byte, 3, 10), []byte(value))
		if len(dst)-3 != want {
			t.Errorf("%s: %d bytes are copied, want %d", schema, len(dst)-3, want)
		}
		if want > 0 && !bytes.Equal(v, dst[3:]) {
			t.Errorf("%s: the copy is not the value", schema)
		}
	}
	x := strings.Repeat("x", long)
	f("f NUMERIC", "12", 2)
	f("f NUMERIC", x, maxNumber)
	f("f GEO", x, maxNumber)
	f("f TAG", x, maxTag)
	f("f TAG", "a,"+x+",b", maxTag+4)
	f("f TAG SEPARATOR ;", "a,"+x+",b", maxTag)
	f("f TAG NOINDEX", x, 0)
	f("f TEXT NOINDEX", x, 0)
	f("f TEXT", x, long)
	f("f TAG SORTABLE", x, long)
	f("f TAG NOINDEX SORTABLE", x, long)
	f("f VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2", "12345678", 8)
	f("f VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2", x, 0)
}

func wantOf(t testing.TB, s *search.Schema) want {
	t.Helper()
	l, err := wantsOf("idx", s)
	if err != nil {
		t.Fatal(err)
	}
	return l[0]
}

// TestCutTagsAreTheSameTags indexes long values whole and cut.
func TestCutTagsAreTheSameTags(t *testing.T) {
	s := schemaOf(t, "f TAG")
	whole, err := search.New(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := search.New(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 9000)
	for i := range many {
		many[i] = fmt.Sprintf(" Tag %d ", i)
	}
	w := wantOf(t, s)
	for i, v := range []string{
		strings.Repeat("x", 1<<20),
		strings.Join(many, ","),
		strings.Repeat(" ", 1<<15) + "a" + strings.Repeat(" ", 1<<15) + "," + strings.Repeat("\t", 1<<15) + ",b",
		strings.Repeat(",", 1<<16),
		strings.Repeat("y z", 1<<14) + ",,c,",
	} {
		name := fmt.Sprint(i)
		_ = whole.Put(name, uint64(i+1), 0, func(string) ([]byte, bool) { return []byte(v), true })
		_, short := w.cut(nil, []byte(v))
		_ = cut.Put(name, uint64(i+1), 0, func(string) ([]byte, bool) { return short, true })
	}
	a, _ := whole.TagValues("f")
	b, _ := cut.TagValues("f")
	if len(a) < 9000 || !slices.Equal(a, b) {
		t.Errorf("%d tags of whole values, %d of cut ones", len(a), len(b))
	}
}

func TestPrefixes(t *testing.T) {
	f := func(list, key string) {
		t.Helper()
		l := strings.Split(list, " ")
		want := slices.ContainsFunc(l, func(p string) bool { return strings.HasPrefix(key, p) })
		if got := prefixesOf(l).match(key); got != want {
			t.Errorf("%q of %q: %v", key, list, got)
		}
	}
	for _, list := range []string{"", "a", "a ab abc b", "ab aa ac ab:", "b a c", "a: a b:1 b:2 ab", "zz a zz z"} {
		for _, key := range strings.Split(" a b ab abc ab: aa ac ad a: a:1 b:1 b:2x b:3 c z zz zzz 0", " ") {
			f(list, key)
		}
	}
}
