package tracking

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store/slab"
)

func newKeys(t testing.TB) *keys {
	a, err := slab.NewArena()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	k := &keys{arena: a}
	for i := range k.stripes {
		k.stripes[i].mu.heap.Init(a)
	}
	return k
}

// model is what keys should hold: readers by key.
type model map[string]map[number]bool

func (m model) check(t testing.TB, k *keys) {
	t.Helper()
	items, n, bytes := 0, 0, int64(0)
	for i := range k.stripes {
		st := &k.stripes[i]
		held := int64(0)
		for _, slot := range st.mu.slots {
			if slot == 0 {
				continue
			}
			key, numbers := k.record(slot)
			l := decode(numbers)
			items, n = items+len(l), n+1
			held += int64(slab.Cell(headSize + len(key) + len(numbers)))
			if want := slices.Sorted(maps.Keys(m[string(key)])); !slices.Equal(l, want) {
				t.Fatalf("%.20q has readers %v, want %v", key, l, want)
			}
		}
		if held != st.mu.heap.Used() {
			t.Fatalf("records of %d bytes in %d", held, st.mu.heap.Used())
		}
		for key, l := range st.mu.big {
			items, n = items+len(l), n+1
			held += int64(bigCost + len(key) + 4*cap(l))
			if want := slices.Sorted(maps.Keys(m[key])); !slices.Equal(l, want) {
				t.Fatalf("%.20q has readers %v, want %v", key, l, want)
			}
		}
		bytes += held + int64(8*len(st.mu.slots))
	}
	want := 0
	for _, l := range m {
		want += len(l)
	}
	if n != len(m) || items != want || k.n.Load() != int64(n) || k.items.Load() != int64(items) || k.bytes.Load() != bytes {
		t.Fatalf("%d keys and %d items in %d bytes, counted %d, %d, %d; want %d, %d",
			n, items, bytes, k.n.Load(), k.items.Load(), k.bytes.Load(), len(m), want)
	}
}

// TestKeysAgainstAMap makes random changes, of keys that share their hash, of
// keys too long for a cell and of keys with too many readers for one.
func TestKeysAgainstAMap(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 1))
		k, m, hashes := newKeys(t), model{}, maphash.MakeSeed()
		name := func() string {
			switch rng.IntN(20) {
			case 0:
				return strings.Repeat("long", 5000+rng.IntN(2))
			case 1:
				return ""
			}
			return fmt.Sprint("key:", rng.IntN(400))
		}
		hash := func(key string) uint64 {
			h := maphash.String(hashes, key)
			if seed%2 == 1 {
				h &= 0x3 | 0x7<<61 // few stripes, few homes
			}
			return h
		}
		for step := range 4000 {
			key := name()
			switch c := number(rng.IntN(40)); rng.IntN(400) {
			default:
				k.add(hash(key), []byte(key), c)
				if m[key] == nil {
					m[key] = map[number]bool{}
				}
				m[key][c] = true
			case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25:
				l := k.take(hash(key), key, nil)
				if want := slices.Sorted(maps.Keys(m[key])); !slices.Equal(l, want) {
					t.Fatalf("took readers %v, want %v", l, want)
				}
				delete(m, key)
			case 11:
				for i := range k.stripes {
					k.drop(&k.stripes[i], func(n number) bool { return n%8 == c%8 })
				}
				for key, l := range m {
					maps.DeleteFunc(l, func(n number, _ bool) bool { return n%8 == c%8 })
					if len(l) == 0 {
						delete(m, key)
					}
				}
			case 12, 13, 14:
				place := rng.Uint64()
				k.evict(&k.stripes[place%stripes], place/stripes, func(key string, l []number) {
					if want := slices.Sorted(maps.Keys(m[key])); !slices.Equal(l, want) {
						t.Fatalf("evicts %q of %v, want %v", key, l, want)
					}
					delete(m, key)
				})
			case 15:
				for c := range number(5000) { // beyond a cell
					k.add(hash(key), []byte(key), 2*c)
					if m[key] == nil {
						m[key] = map[number]bool{}
					}
					m[key][2*c] = true
				}
			}
			if step%500 == 0 {
				m.check(t, k)
			}
		}
		m.check(t, k)
		k.clear()
		model{}.check(t, k)
		if k.bytes.Load() != 0 {
			t.Fatalf("%d bytes left", k.bytes.Load())
		}
	}
}

// TestTrackedKeysAreSmall holds the sizes of the package's promise: 64 bytes a
// key of 20 with one reader, 16 each further reader.
func TestTrackedKeysAreSmall(t *testing.T) {
	k, seed := newKeys(t), maphash.MakeSeed()
	const n = 100000
	fill := func(c number) int64 {
		for i := range n {
			key := fmt.Appendf(nil, "user:session:%07d", i)
			k.add(maphash.Bytes(seed, key), key, c)
		}
		held := k.bytes.Load()
		for i := range k.stripes {
			held += k.stripes[i].mu.heap.Held() - k.stripes[i].mu.heap.Used()
		}
		return held
	}
	one := fill(1)
	for c := range number(9) {
		fill(2 + c)
	}
	ten := fill(11)
	t.Logf("%.1f bytes a key with one reader, %.1f each further one", float64(one)/n, float64(ten-one)/n/10)
	if one > 64*n || ten-one > 16*10*n {
		t.Errorf("a key takes %d bytes, each further reader %d", one/n, (ten-one)/n/10)
	}
}

func TestPrefixesAgainstAList(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var p prefixes
	list := map[string]map[*client]bool{}
	word := func(most int) string {
		b := make([]byte, rng.IntN(most+1))
		for i := range b {
			b[i] = "ab\x00\xff"[rng.IntN(4)]
		}
		return string(b)
	}
	clients := []*client{{}, {}, {}}
	for range 5000 {
		s, c := word(6), clients[rng.IntN(3)]
		if rng.IntN(5) < 3 && len(list) < 40 {
			p.add(c, []string{s})
			if list[s] == nil {
				list[s] = map[*client]bool{}
			}
			list[s][c] = true
		} else {
			p.remove(c, []string{s})
			if delete(list[s], c); len(list[s]) == 0 {
				delete(list, s)
			}
		}
		key, got, want := word(9), 0, 0
		p.aboveLocked(key, func(n *node) { got += 10 + len(n.clients) })
		for s, l := range list {
			if strings.HasPrefix(key, s) {
				want += 10 + len(l)
			}
		}
		if got != want || p.n.Load() != int64(len(list)) {
			t.Fatalf("%q is below %d, want %d; %d prefixes, want %d", key, got, want, p.n.Load(), len(list))
		}
	}
	for s, l := range list {
		for c := range l {
			p.remove(c, []string{s})
		}
	}
	if len(p.root.kids) != 0 || p.root.clients != nil {
		t.Error("nodes are left")
	}
}

func BenchmarkKeys(b *testing.B) {
	k, seed := newKeys(b), maphash.MakeSeed()
	names := make([][]byte, 1<<17)
	for i := range names {
		names[i] = fmt.Appendf(nil, "user:session:%07d", i)
	}
	b.ReportAllocs()
	i := 0
	var room [16]number
	for b.Loop() {
		name := names[i&(len(names)-1)]
		h := maphash.Bytes(seed, name)
		k.add(h, name, 1)
		k.add(h, name, 2)
		k.take(h, string(name), room[:0])
		i++
	}
}
