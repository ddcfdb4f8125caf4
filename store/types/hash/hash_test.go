package hash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// check compares a hash with a model and looks at its accounts.
func check(t *testing.T, v *Value, model map[string]string) {
	t.Helper()
	if v.Len() != len(model) {
		t.Fatalf("%d fields, want %d", v.Len(), len(model))
	}
	bytes := 0
	for i := range v.Len() {
		name, value := v.At(i)
		if want, ok := model[name]; !ok || want != string(value) {
			t.Fatalf("%q: %q, want %q (%t)", name, value, want, ok)
		}
		if got, ok := v.GetString(name); !ok || string(got) != string(value) {
			t.Fatalf("%q is at %d and not found", name, i)
		}
		bytes += len(name) + cap(value)
	}
	if h := v.t; h != nil {
		if bytes != h.bytes {
			t.Fatalf("%d bytes accounted, %d there", h.bytes, bytes)
		}
		if h.index != nil && len(h.index) != v.Len() || h.index == nil && v.Len() > linear {
			t.Fatalf("%d fields, %d in the index", v.Len(), len(h.index))
		}
		return
	}
	off := headLen
	for range v.n {
		off = placeAt(v.small, off).end
	}
	if off != len(v.small) || off > maxBytes || v.n > maxSmall {
		t.Fatalf("%d fields take %d bytes of %d", v.n, off, len(v.small))
	}
}

// packed takes a hash through a record of the keyspace, with a little room
// behind it, where it is small.
func packed(t *testing.T, v *Value, room int) {
	t.Helper()
	b, ok := v.Pack()
	if !ok {
		return
	}
	n, encoding := v.Len(), v.Encoding()
	record := append(make([]byte, 0, len(b)+room), b...)
	clear(b) // it is the record that counts
	if v.Unpack(record); v.Len() != n || v.Encoding() != encoding {
		t.Fatalf("%d fields as a %s, before packing %d as a %s", v.Len(), v.Encoding(), n, encoding)
	}
}

func TestHashIsAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		v, model := New(), map[string]string{}
		names := 4 << (2 * (seed % 4)) // 4 to 1024
		longest := []int{20, 200}[seed/4]
		for step := range 8000 {
			name := fmt.Sprint("field", rnd.IntN(names))
			value := strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(longest))
			_, there := model[name]
			switch op := rnd.IntN(10); {
			case op < 4 || op < 6 && step%2000 > 1000: // shrinks half of the time
				if v.Delete([]byte(name)) != there {
					t.Fatalf("step %d: delete %s: want %t", step, name, there)
				}
				delete(model, name)
			case op < 9:
				if v.Set([]byte(name), []byte(value)) == there {
					t.Fatalf("step %d: set %s: want %t", step, name, !there)
				}
				model[name] = value
			default:
				var pairs [][]byte
				created := 0
				for range rnd.IntN(20) {
					name := fmt.Sprint("field", rnd.IntN(names))
					if _, there := model[name]; !there {
						created++
					}
					model[name] = value + name
					pairs = append(pairs, []byte(name), []byte(value+name))
				}
				if n := v.SetPairs(pairs); n != created {
					t.Fatalf("step %d: %d created, want %d", step, n, created)
				}
				for _, b := range pairs { // the caller's bytes are the caller's
					clear(b)
				}
			}
			if step%50 == 0 {
				check(t, v, model)
			}
			if step%3 == 0 {
				packed(t, v, step%40)
			}
		}
		check(t, v, model)
		if _, ok := v.Pack(); ok != (v.t == nil) {
			t.Fatalf("packs: %t", ok)
		}
		c := v.Clone().(*Value)
		for i := range v.Len() {
			_, value := v.At(i)
			clear(value)
		}
		check(t, c, model)
		if c.Encoding() != v.Encoding() {
			t.Fatalf("the clone is a %s, not a %s", c.Encoding(), v.Encoding())
		}
	}
}

func TestSmallHashKeepsItsOrder(t *testing.T) {
	t.Parallel()
	v := New()
	var want []string
	for i := range MaxListpackFields {
		name := fmt.Sprint(i)
		v.Set([]byte(name), []byte("v"))
		want = append(want, name)
	}
	for i := 0; i < MaxListpackFields; i += 7 {
		name := fmt.Sprint(i)
		v.Delete([]byte(name))
		want = slices.DeleteFunc(want, func(s string) bool { return s == name })
	}
	v.Set([]byte("1"), []byte("w")) // stays where it is
	for i, name := range want {
		if got, _ := v.At(i); got != name {
			t.Fatalf("at %d: %s, want %s", i, got, name)
		}
		if b, ok := v.GetString(name); !ok || len(b) != 1 {
			t.Fatalf("%s is lost", name)
		}
	}
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

// TestWhatIsTooLargeForARecordSpreads one limit after the other.
func TestWhatIsTooLargeForARecordSpreads(t *testing.T) {
	t.Parallel()
	f := func(what string, fields int, name, value string, ok bool) {
		t.Helper()
		v, model := New(), map[string]string{}
		for i := range fields {
			k := name + fmt.Sprint(i)
			v.Set([]byte(k), []byte(value))
			model[k] = value
		}
		check(t, v, model)
		if _, packs := v.Pack(); packs != ok {
			t.Fatalf("%s: packs: %t", what, packs)
		}
	}
	f("nothing", 0, "", "", true)
	f("128 fields", 128, "f", "v", true)
	f("129 fields", 129, "f", "v", false)
	f("8 kB", 1, "f", strings.Repeat("v", 8<<10), true)
	f("8 kB and a byte", 1, "f", strings.Repeat("v", 8<<10+1), false)
	f("a long name", 1, strings.Repeat("n", 8<<10), "v", false)
	f("16 kB", 4, "f", strings.Repeat("v", 4<<10), false)
	f("nearly 16 kB", 4, "f", strings.Repeat("v", 4<<10-20), true)
}

// TestAtInAnyOrder jumps about while fields change.
func TestAtInAnyOrder(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	v := New()
	var names []string
	for step := range 5000 {
		switch {
		case len(names) < 20 || len(names) < 100 && rnd.IntN(2) == 0:
			names = append(names, fmt.Sprint("f", step))
			v.Set([]byte(names[len(names)-1]), []byte("v"))
		case rnd.IntN(3) == 0:
			i := rnd.IntN(len(names))
			v.Delete([]byte(names[i]))
			names = slices.Delete(names, i, i+1)
		default:
			v.Set([]byte(names[rnd.IntN(len(names))]), make([]byte, rnd.IntN(100)))
		}
		for range 3 {
			i := rnd.IntN(len(names))
			if got, _ := v.At(i); got != names[i] {
				t.Fatalf("step %d: at %d: %s, want %s", step, i, got, names[i])
			}
		}
	}
}

func TestScanMissesNothingWhileFieldsComeAndGo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		v := New()
		stay := map[string]bool{}
		for i := range 700 {
			name := fmt.Sprint("stay", i)
			v.Set([]byte(name), nil)
			stay[name] = false
		}
		var others []string
		for cursor, calls := uint64(0), 0; ; calls++ {
			if calls > 5000 {
				t.Fatal("the scan does not end")
			}
			n := 0
			cursor = v.Scan(cursor, 10, func(name string, _ []byte) {
				n++
				if _, ok := stay[name]; ok {
					stay[name] = true
				}
			})
			if n > 10 {
				t.Fatalf("%d fields for a count of 10", n)
			}
			if cursor == 0 {
				break
			}
			switch rnd.IntN(3) {
			case 0:
				for range rnd.IntN(50) {
					name := fmt.Sprint("other", rnd.Uint64())
					v.Set([]byte(name), nil)
					others = append(others, name)
				}
			case 1:
				rnd.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
				for range rnd.IntN(len(others) + 1) {
					v.Delete([]byte(others[len(others)-1]))
					others = others[:len(others)-1]
				}
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
		n := 0
		if next := v.Scan(cursor, 1<<30, func(string, []byte) { n++ }); next != 0 || n == 0 {
			t.Fatalf("cursor %d: %d fields, next %d", cursor, n, next)
		}
	}
}

func TestValuesOfOneHSETDoNotRunIntoEachOther(t *testing.T) {
	t.Parallel()
	v := New()
	v.SetPairs([][]byte{[]byte("a"), []byte("1111"), []byte("b"), []byte("2222"), []byte("c"), []byte("3333")})
	b, _ := v.GetString("a")
	_ = append(b, "xxxx"...) // what a caller could do
	v.Set([]byte("a"), []byte("4"))
	v.Set([]byte("a"), []byte("55555555"))
	for name, want := range map[string]string{"a": "55555555", "b": "2222", "c": "3333"} {
		if got, _ := v.GetString(name); string(got) != want {
			t.Fatalf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestRebuildMakesTheSame(t *testing.T) {
	t.Parallel()
	v, model := New(), map[string]string{}
	for i := range 1000 {
		name, value := fmt.Sprint("f", i), fmt.Sprint("value", i)
		v.Set([]byte(name), []byte(value))
		model[name] = value
	}
	w := New()
	calls := 0
	v.Rebuild([]byte("key"), func(args ...[]byte) {
		calls++
		if string(args[0]) != "HSET" || string(args[1]) != "key" || len(args) > 2+2*rebuildPairs {
			t.Fatalf("%q", args)
		}
		w.SetPairs(args[2:])
	})
	if calls != 8 {
		t.Fatalf("%d commands", calls)
	}
	check(t, w, model)
}

func TestSizeFollowsWhatIsStored(t *testing.T) {
	t.Parallel()
	v := New()
	empty := v.Size()
	for i := range 5000 {
		v.Set([]byte(fmt.Sprint("field", i)), make([]byte, 1000))
	}
	if n := v.Size(); n < 5000*1000 || n > 5000*1300 {
		t.Fatalf("5 MB are %d", n)
	}
	for i := range 5000 {
		v.Delete([]byte(fmt.Sprint("field", i)))
	}
	if n := v.Size(); n > empty+2*linear*fieldSize*2 {
		t.Fatalf("an empty hash holds %d", n)
	}
}

func BenchmarkSetPairs(b *testing.B) {
	pairs := [][]byte{
		[]byte("prompt"), []byte("how do I reset my password"), []byte("response"), make([]byte, 300),
		[]byte("vector"), make([]byte, 1536), []byte("model"), []byte("minilm"),
	}
	b.ReportAllocs()
	for b.Loop() {
		New().SetPairs(pairs)
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{4, 16, 17, 100, 10_000} {
		b.Run(fmt.Sprintf("fields=%d", n), func(b *testing.B) {
			v := New()
			names := make([][]byte, n)
			for i := range names {
				names[i] = []byte(fmt.Sprintf("field:%06d", i))
				v.Set(names[i], []byte("v"))
			}
			i := 0
			for b.Loop() {
				if _, ok := v.Get(names[i%n]); !ok {
					b.Fatal("lost")
				}
				i++
			}
		})
	}
}
