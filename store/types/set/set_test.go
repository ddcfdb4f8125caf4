package set

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store/object"
)

var _ object.Packable = (*Value)(nil)

// model is what a set should be: members, in their order where there is one, and
// the encoding of Redis.
type model struct {
	members  []string
	encoding string
}

func isInt(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

func (m *model) add(s string) bool {
	if slices.Contains(m.members, s) {
		return false
	}
	n := len(m.members)
	if m.encoding == "intset" && !isInt(s) {
		slices.SortFunc(m.members, compareInts)
		if m.encoding = "listpack"; n >= maxEntries || len(s) > maxLen {
			m.encoding = "hashtable"
		}
	}
	m.members = append(m.members, s)
	switch {
	case m.encoding == "intset":
		slices.SortFunc(m.members, compareInts)
		if n+1 > maxInts {
			m.encoding = "hashtable"
		}
	case m.encoding == "listpack" && (n+1 > maxEntries || len(s) > maxLen):
		m.encoding = "hashtable"
	}
	return true
}

func compareInts(a, b string) int {
	x, _ := strconv.ParseInt(a, 10, 64)
	y, _ := strconv.ParseInt(b, 10, 64)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (m *model) remove(s string) bool {
	i := slices.Index(m.members, s)
	if i < 0 {
		return false
	}
	m.members = slices.Delete(m.members, i, i+1)
	return true
}

func all(v *Value) []string {
	var l []string
	v.Each(func(m []byte) bool { l = append(l, string(m)); return true })
	return l
}

func (m *model) check(t *testing.T, v *Value, what string) {
	t.Helper()
	got, want := all(v), slices.Clone(m.members)
	if m.encoding == "hashtable" {
		slices.Sort(got)
		slices.Sort(want)
	}
	if v.Len() != len(want) || v.Encoding() != m.encoding || !slices.Equal(got, want) {
		t.Fatalf("%s: %d members, %s: %.500q\nwant %d, %s: %.500q", what, v.Len(), v.Encoding(), got, len(want), m.encoding, want)
	}
}

func TestSetsAgreeWithAModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			ints := []int{100, 70, 100, 0}[seed%4] // per cent
			longest := []int{10, 70, 500}[seed%3]
			names := []int{40, 300, 1200}[seed/4]
			member := func() string {
				i := rng.IntN(names)
				if i*7919%100 < ints {
					return strconv.FormatInt([]int64{int64(i), int64(i) << 12, -int64(i) << 40, math.MaxInt64 - int64(i), math.MinInt64 + int64(i)}[i%5], 10)
				}
				return strings.Repeat("m", i%longest) + strconv.Itoa(i) + "x"
			}
			v, m := &Value{}, &model{encoding: "intset"}
			packed := true
			for step := range 3000 {
				s := member()
				what := fmt.Sprint("step ", step, " ", s)
				if rng.IntN(10) < 4+3*(step/1000%2) {
					if got, want := v.Remove([]byte(s)), m.remove(s); got != want {
						t.Fatalf("%s: removed %v, want %v", what, got, want)
					}
				} else if got, want := v.Add([]byte(s)), m.add(s); got != want {
					t.Fatalf("%s: added %v, want %v", what, got, want)
				}
				s = member()
				if got, want := v.Has([]byte(s)), slices.Contains(m.members, s); got != want {
					t.Fatalf("%s: has %s: %v, want %v", what, s, got, want)
				}
				if step%10 == 0 {
					m.check(t, v, what)
				}
				if b, ok := v.Pack(); ok {
					if !packed || len(b) > maxBytes {
						t.Fatalf("%s: packs to %d bytes, before: %v", what, len(b), packed)
					}
					record := append(make([]byte, 0, len(b)+rng.IntN(40)), b...)
					clear(b) // it is the record that counts
					v.Unpack(record)
				} else {
					packed = false
				}
				if step%200 == 0 {
					c := v.Clone().(*Value)
					m.check(t, c, "clone")
					c.Add([]byte("only here"))
					m.check(t, v, "after a change of the clone")
					r := &Value{}
					v.Rebuild([]byte("key"), func(args ...[]byte) {
						for _, x := range args[2:] {
							r.Add(x)
						}
					})
					got, want := all(r), all(v)
					slices.Sort(got)
					slices.Sort(want)
					if !slices.Equal(got, want) {
						t.Fatalf("rebuilt as %q", got)
					}
					scanned := map[string]bool{}
					for cursor := uint64(0); ; {
						if cursor = v.Scan(cursor, 5, func(m []byte) { scanned[string(m)] = true }); cursor == 0 {
							break
						}
					}
					if len(scanned) != v.Len() {
						t.Fatalf("scanned %d of %d", len(scanned), v.Len())
					}
				}
			}
		})
	}
}

func TestFirstEncoding(t *testing.T) {
	f := func(first string, count int, want string) {
		t.Helper()
		if v := New([]byte(first), count); v.Encoding() != want {
			t.Errorf("%q of %d: %s, want %s", first, count, v.Encoding(), want)
		}
	}
	f("1", 1, "intset")
	f("1", 512, "intset")
	f("1", 513, "hashtable")
	f("a", 1, "listpack")
	f("a", 128, "listpack")
	f("a", 129, "hashtable")
	f("01", 1, "listpack")
}

func TestResultsSettleAsIntsets(t *testing.T) {
	f := func(want string, list ...string) {
		t.Helper()
		v := NewListpack()
		for _, s := range list {
			v.Add([]byte(s))
		}
		v.Settle()
		if v.Encoding() != want || v.Len() != len(list) {
			t.Errorf("%.100q: %s of %d", list, v.Encoding(), v.Len())
		}
		for _, s := range list {
			if !v.Has([]byte(s)) {
				t.Errorf("%s is lost", s)
			}
		}
	}
	f("intset", "30000", "-1", "2", "9223372036854775807")
	f("listpack", "3", "x")
	var many []string
	for i := range 512 {
		many = append(many, strconv.Itoa(i*3))
	}
	f("intset", many...)
	f("hashtable", append(many, "x")...)
	f("hashtable", append(many, "-5")...)
}

func TestSamplesAreFairAndDistinct(t *testing.T) {
	for _, size := range []int{1, 5, 100, 600, 5000} {
		for _, prefix := range []string{"", "m"} {
			v := &Value{}
			for i := range size {
				v.Add(fmt.Appendf(nil, "%s%d", prefix, i))
			}
			count := map[string]int{}
			rounds := 400_000 / max(size, 1000)
			for range rounds {
				n := 1 + size/10
				seen := map[string]bool{}
				v.Sample(n, func(m []byte) bool { seen[string(m)] = true; return true })
				if len(seen) != n {
					t.Fatalf("%d of %d", len(seen), n)
				}
				for m := range seen {
					if !v.Has([]byte(m)) {
						t.Fatalf("%q is no member", m)
					}
					count[m]++
				}
				v.Repeat(n, func(m []byte) bool { count[string(m)]++; return true })
				count[string(v.Random())]++
			}
			mean := float64(rounds*(2*(1+size/10)+1)) / float64(size)
			for m, n := range count {
				if math.Abs(float64(n)-mean) > 8*math.Sqrt(mean)+8 {
					t.Errorf("%d members: %s came %d times, mean %.0f", size, m, n, mean)
				}
			}
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	var sink int
	for _, size := range []int{10, 100, 5000} {
		for _, prefix := range []string{"", "member"} {
			v := &Value{}
			for i := range size {
				v.Add(fmt.Appendf(nil, "%s%d", prefix, i))
			}
			m, missing := fmt.Appendf(nil, "%s%d", prefix, size/2), []byte("missing")
			if n := testing.AllocsPerRun(100, func() {
				if v.Has(m) && !v.Has(missing) && !v.Add(m) {
					sink++
				}
				sink += len(v.Random())
				v.Each(func(m []byte) bool { sink += len(m); return true })
			}); n != 0 {
				t.Errorf("%d members, %s: %v allocations", size, v.Encoding(), n)
			}
		}
	}
}
