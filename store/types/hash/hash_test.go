package hash

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store/object"
)

var (
	_ object.Packable = (*Value)(nil)
	_ object.Expiring = (*Value)(nil)
)

type modelField struct {
	name, value string
	at          int64
}

// model is what a hash should be: fields, in Redis' order where there is one, and
// their encoding.
type model struct {
	fields   []modelField
	encoding string
}

func newModel() *model { return &model{encoding: "listpack"} }

func (m *model) find(name string) int {
	return slices.IndexFunc(m.fields, func(f modelField) bool { return f.name == name })
}

func (m *model) set(name, value string, keep bool) bool {
	i := m.find(name)
	f := modelField{name, value, 0}
	if i >= 0 && keep {
		f.at = m.fields[i].at
	}
	switch {
	case i < 0:
		m.fields = append(m.fields, f)
	case f.at == m.fields[i].at:
		m.fields[i] = f
	default: // to the end
		m.fields = append(slices.Delete(m.fields, i, i+1), f)
	}
	if len(name) > MaxListpackBytes || len(value) > MaxListpackBytes || len(m.fields) > MaxListpackFields {
		m.encoding = "hashtable"
	}
	return i < 0
}

func (m *model) delete(name string) bool {
	i := m.find(name)
	if i >= 0 {
		m.fields = slices.Delete(m.fields, i, i+1)
	}
	return i >= 0
}

func (m *model) expire(name string, at int64) {
	if m.encoding == "listpack" {
		m.encoding = "listpackex"
	}
	i := m.find(name)
	if i < 0 || m.fields[i].at == at {
		return
	}
	f := m.fields[i]
	f.at = at
	m.fields = slices.Delete(m.fields, i, i+1)
	i = len(m.fields)
	if at != 0 {
		if k := slices.IndexFunc(m.fields, func(f modelField) bool { return f.at == 0 || f.at >= at }); k >= 0 {
			i = k
		}
	}
	m.fields = slices.Insert(m.fields, i, f)
}

func all(v *Value) (l []modelField) {
	v.Each(func(name string, value []byte) bool {
		at, ok := v.Expiry([]byte(name))
		if !ok {
			at = -1
		}
		l = append(l, modelField{strings.Clone(name), string(value), at})
		return true
	})
	return l
}

func (m *model) check(t *testing.T, v *Value, what string) {
	t.Helper()
	got, want := all(v), slices.Clone(m.fields)
	if m.encoding == "hashtable" {
		by := func(a, b modelField) int { return cmp.Compare(a.name, b.name) }
		slices.SortFunc(got, by)
		slices.SortFunc(want, by)
	}
	if v.Len() != len(want) || v.Encoding() != m.encoding || !slices.Equal(got, want) {
		t.Fatalf("%s: %d fields, %s: %.600v\nwant %d, %s: %.600v", what, v.Len(), v.Encoding(), got, len(want), m.encoding, want)
	}
	next := int64(0)
	for _, f := range want {
		if f.at != 0 && (next == 0 || f.at < next) {
			next = f.at
		}
	}
	if got := v.NextExpiry(); got != next {
		t.Fatalf("%s: the next dies at %d, want %d", what, got, next)
	}
	for _, f := range want {
		if b, ok := v.GetString(f.name); !ok || string(b) != f.value {
			t.Fatalf("%s: %q is %q (%v), want %q", what, f.name, b, ok, f.value)
		}
	}
	if v.t == nil {
		return
	}
	marked := 0
	for i, r := range v.t.due {
		if !v.t.m.Marked(r) || v.t.place(r) != i || i > 0 && v.t.when(v.t.due[(i-1)/2]) > v.t.when(r) {
			t.Fatalf("%s: due[%d] is out of place", what, i)
		}
	}
	for _, f := range want {
		if f.at != 0 {
			marked++
		}
	}
	if marked != len(v.t.due) {
		t.Fatalf("%s: %d fields with a time to live, %d due", what, marked, len(v.t.due))
	}
}

// packed takes a hash through a record of the keyspace, with a little room behind
// it, where it packs.
func packed(t *testing.T, v *Value, room int) {
	t.Helper()
	b, ok := v.Pack()
	if !ok {
		return
	}
	if len(b) > maxBytes || v.n > maxSmall {
		t.Fatalf("%d fields packed in %d bytes", v.n, len(b))
	}
	record := append(make([]byte, 0, len(b)+room), b...)
	clear(b) // it is the record that counts
	v.Unpack(record)
}

func TestHashesAgreeWithAModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			names := []int{4, 60, 300, 700}[seed%4]
			longest := []int{20, 65, 400}[seed/4]
			timed := seed%2 == 1
			v, m := New(), newModel()
			now := int64(1000)
			for step := range 3000 {
				name := strings.Repeat("n", rng.IntN(2)*rng.IntN(40)%(longest/2)) + strconv.Itoa(rng.IntN(names))
				value := strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(longest))
				what := fmt.Sprint("step ", step, " ", name)
				switch op := rng.IntN(12); {
				case op < 3 || op < 5 && step%1000 > 600: // shrinks at times
					if got, want := v.Delete([]byte(name)), m.delete(name); got != want {
						t.Fatalf("%s: deleted %v, want %v", what, got, want)
					}
				case op < 8:
					if got, want := v.Set([]byte(name), []byte(value)), m.set(name, value, false); got != want {
						t.Fatalf("%s: new %v, want %v", what, got, want)
					}
				case op < 9:
					if got, want := v.SetKeeping([]byte(name), []byte(value)), m.set(name, value, true); got != want {
						t.Fatalf("%s: new %v, want %v", what, got, want)
					}
				case op < 10 || !timed:
					var pairs [][]byte
					created := 0
					for range 1 + rng.IntN(5) {
						k, x := strconv.Itoa(rng.IntN(names)), strconv.Itoa(step)
						pairs = append(pairs, []byte(k), []byte(x))
						if m.set(k, x, false) {
							created++
						}
					}
					if got := v.SetPairs(pairs); got != created {
						t.Fatalf("%s: %d created, want %d", what, got, created)
					}
					for _, b := range pairs { // the caller's bytes are the caller's
						clear(b)
					}
				default:
					at := now + int64(rng.IntN(50))
					if rng.IntN(4) == 0 {
						at = 0
					}
					v.SetExpiry([]byte(name), at)
					m.expire(name, at)
				}
				if timed && step%7 == 0 {
					now += int64(rng.IntN(10))
					var gone []string
					v.Expire(now, func(part []byte) { gone = append(gone, string(part)) })
					var want []string
					for _, f := range slices.Clone(m.fields) {
						if f.at != 0 && f.at <= now {
							want = append(want, f.name)
							m.delete(f.name)
						}
					}
					slices.Sort(gone)
					slices.Sort(want)
					if !slices.Equal(gone, want) {
						t.Fatalf("%s: expired %q, want %q", what, gone, want)
					}
				}
				if step%20 == 0 {
					m.check(t, v, what)
				}
				if step%3 == 0 {
					packed(t, v, step%40)
				}
				if step%500 == 0 {
					c := v.Clone().(*Value)
					m.check(t, c, "clone")
					c.Set([]byte("only here"), []byte("x"))
					m.check(t, v, "after a change of the clone")
					rebuilt := replay(t, v)
					got, want := all(rebuilt), all(v)
					by := func(a, b modelField) int { return cmp.Compare(a.name, b.name) }
					slices.SortFunc(got, by)
					slices.SortFunc(want, by)
					if !slices.Equal(got, want) {
						t.Fatalf("rebuilt as %v, want %v", got, want)
					}
				}
			}
		})
	}
}

// replay carries out what Rebuild says.
func replay(t *testing.T, v *Value) *Value {
	t.Helper()
	r := New()
	v.Rebuild([]byte("key"), func(args ...[]byte) {
		pairs, at := args[2:], int64(0)
		if string(args[0]) == "HSETEX" {
			at, _ = strconv.ParseInt(string(args[3]), 10, 64)
			pairs = args[6:]
			if n, _ := strconv.Atoi(string(args[5])); string(args[2]) != "PXAT" || string(args[4]) != "FIELDS" || n != len(pairs)/2 {
				t.Fatalf("%q", args)
			}
		} else if string(args[0]) != "HSET" {
			t.Fatalf("%q", args)
		}
		if string(args[1]) != "key" || len(pairs) < 2 || len(pairs)%2 != 0 || len(pairs) > 2*rebuildPairs {
			t.Fatalf("%q", args)
		}
		r.SetPairs(pairs)
		for i := 0; at != 0 && i < len(pairs); i += 2 {
			r.SetExpiry(pairs[i], at)
		}
	})
	return r
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	f := func(what string, v *Value, want string) {
		t.Helper()
		if got := v.Encoding(); got != want {
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
	}
	v := New()
	for i := range MaxListpackFields {
		v.Set([]byte(fmt.Sprint(i)), nil)
	}
	f("512 fields", v, "listpack")
	v.SetExpiry([]byte("missing"), 1)
	f("with room for times", v, "listpackex")
	v.Set([]byte("512"), nil)
	f("513 fields", v, "hashtable")
	v.Delete([]byte("512"))
	f("512 fields again", v, "hashtable")
	v = New()
	v.Set([]byte("f"), make([]byte, 64))
	v.Set(make([]byte, 64), nil)
	f("64 bytes", v, "listpack")
	v.Set([]byte("f"), make([]byte, 65))
	f("value of 65 bytes", v, "hashtable")
	v = New()
	v.Set(make([]byte, 65), nil)
	f("name of 65 bytes", v, "hashtable")
	v.Delete(make([]byte, 65))
	f("empty again", v, "hashtable")
}

// TestWhatIsTooLargeForARecordStaysAnObject one limit after the other.
func TestWhatIsTooLargeForARecordStaysAnObject(t *testing.T) {
	t.Parallel()
	f := func(what string, fields int, name, value string, ok bool) {
		t.Helper()
		v, m := New(), newModel()
		for i := range fields {
			k := name + fmt.Sprint(i)
			v.Set([]byte(k), []byte(value))
			m.set(k, value, false)
		}
		m.check(t, v, what)
		if _, packs := v.Pack(); packs != ok {
			t.Fatalf("%s: packs: %t", what, packs)
		}
		for i := range fields {
			v.Delete([]byte(name + fmt.Sprint(i)))
		}
		if _, packs := v.Pack(); packs != ok {
			t.Fatalf("%s: packs once it is empty: %t", what, packs)
		}
	}
	f("nothing", 0, "", "", true)
	f("128 fields", 128, "f", "v", true)
	f("129 fields", 129, "f", "v", false)
	f("512 fields", 512, "f", "v", false)
	f("513 fields", 513, "f", "v", false)
	f("8 kB", 1, "f", strings.Repeat("v", 8<<10), true)
	f("8 kB and a byte", 1, "f", strings.Repeat("v", 8<<10+1), false)
	f("a long name", 1, strings.Repeat("n", 8<<10), "v", false)
	f("16 kB", 4, "f", strings.Repeat("v", 4<<10), false)
	f("nearly 16 kB", 4, "f", strings.Repeat("v", 4<<10-40), true)
}

func TestScanMissesNothingWhileFieldsComeAndGo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 2))
		v := New()
		stay := map[string]bool{}
		for i := range 700 {
			name := fmt.Sprint("stay", i)
			v.Set([]byte(name), nil)
			stay[name] = false
		}
		next, oldest := 0, 0
		for cursor, calls := uint64(0), 0; ; calls++ {
			if calls > 5000 {
				t.Fatal("the scan does not end")
			}
			cursor = v.Scan(cursor, 10, func(name string, _ []byte) {
				if _, ok := stay[name]; ok {
					stay[strings.Clone(name)] = true
				}
			})
			if cursor == 0 {
				break
			}
			for range rng.IntN(40) {
				v.Set(fmt.Append(nil, "other", next), nil)
				next++
			}
			for ; oldest < next && rng.IntN(30) > 0; oldest++ {
				v.Delete(fmt.Append(nil, "other", oldest))
			}
		}
		for name, seen := range stay {
			if !seen {
				t.Fatalf("seed %d: %s was there from start to end and not visited", seed, name)
			}
		}
	}
}

func TestScanTakesAnyCursor(t *testing.T) {
	t.Parallel()
	v := New()
	for i := range 600 {
		v.Set([]byte(fmt.Sprint(i)), nil)
	}
	for _, cursor := range []uint64{1, 599, 600, 601, 1 << 62, 1<<64 - 1} {
		if next := v.Scan(cursor, 1<<30, func(string, []byte) {}); next != 0 {
			t.Fatalf("cursor %d: next %d", cursor, next)
		}
	}
}

func TestSamplesAreFairAndDistinct(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 5, 100, 400, 5000} {
		v := New()
		for i := range size {
			v.Set([]byte(strconv.Itoa(i)), []byte(strconv.Itoa(i)))
		}
		count := map[string]int{}
		note := func(name string, value []byte) bool {
			if name != string(value) {
				t.Fatalf("%s has the value %s", name, value)
			}
			count[strings.Clone(name)]++
			return true
		}
		rounds := 200_000 / max(size, 1000)
		for range rounds {
			n := 1 + size/10
			seen := map[string]bool{}
			v.Sample(n, func(name string, value []byte) bool {
				seen[strings.Clone(name)] = true
				return note(name, value)
			})
			if len(seen) != n {
				t.Fatalf("%d of %d", len(seen), n)
			}
			v.Repeat(n, note)
			note(v.Random())
		}
		mean := float64(rounds*(2*(1+size/10)+1)) / float64(size)
		for name, n := range count {
			if math.Abs(float64(n)-mean) > 8*math.Sqrt(mean)+8 {
				t.Errorf("%d fields: %s came %d times, mean %.0f", size, name, n, mean)
			}
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	var sink int
	for _, size := range []int{10, 400, 5000} {
		v := New()
		for i := range size {
			v.Set(fmt.Append(nil, "field", i), fmt.Append(nil, "value", i))
		}
		name := []byte("field7")
		if n := testing.AllocsPerRun(100, func() {
			b, _ := v.Get(name)
			sink += len(b)
			v.Set(name, []byte("value8"))
			v.Each(func(name string, value []byte) bool { sink += len(name) + len(value); return true })
			v.Random()
			v.Expiry(name)
		}); n != 0 {
			t.Errorf("%d fields, %s: %v allocations", size, v.Encoding(), n)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{10, 100, 500, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			v := New()
			names := make([][]byte, size)
			for i := range size {
				names[i] = fmt.Append(nil, "field:", i)
				v.Set(names[i], fmt.Append(nil, "value:", i))
			}
			for i := 0; b.Loop(); i++ {
				v.Get(names[i*7919%size])
			}
		})
	}
}
