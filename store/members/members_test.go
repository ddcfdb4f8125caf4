package members

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// validate looks at the accounts of a table and holds it against a model: the
// heads of members by mark and bytes.
func validate(t *testing.T, x *Table, model map[string]uint64) {
	t.Helper()
	n, size := 0, 0
	for i, p := range x.index.dir {
		if i > 0 && p == x.index.dir[i-1] {
			continue
		}
		used := 0
		for _, r := range p.refs {
			if r != 0 {
				used++
			}
		}
		if used != p.n {
			t.Fatalf("a piece of %d records counts %d", used, p.n)
		}
		n += p.n
		size += 5*len(p.refs) + 64
	}
	if n != len(model) || x.Len() != n {
		t.Fatalf("%d members, %d in pieces, want %d", x.Len(), n, len(model))
	}
	if size += 8 * max(0, len(x.index.dir)-1); size != x.index.bytes {
		t.Fatalf("pieces of %d bytes, %d counted", size, x.index.bytes)
	}
	held := 0
	for _, pages := range [][][]byte{x.arena.pages, x.arena.lone} {
		for _, page := range pages {
			held += cap(page)
		}
	}
	if held != x.arena.held {
		t.Fatalf("pages of %d bytes, %d counted", held, x.arena.held)
	}
	seen := 0
	x.Each(func(r Ref) bool {
		key := fmt.Sprint(x.Marked(r), string(x.Member(r)))
		if head, ok := model[key]; !ok || x.arena.head > 0 && binary.LittleEndian.Uint64(x.Head(r)) != head {
			t.Fatalf("%.50q is there: %v", key, ok)
		}
		seen++
		return true
	})
	if seen != len(model) {
		t.Fatalf("%d visited of %d", seen, len(model))
	}
}

func TestTablesAgreeWithMaps(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			names := []int{50, 3000, 40_000, 3000}[seed%4]
			longest := []int{12, 300}[seed/4]
			head := []int{8, 0}[seed%2]
			x, model := New(head), map[string]uint64{}
			for step := range 30_000 {
				i := rng.IntN(names)
				member := []byte(strings.Repeat(fmt.Sprint(i, " "), 1+i%longest))
				if i%1000 == 0 { // a page of its own
					member = []byte(strings.Repeat(fmt.Sprint(i), 9000))
				}
				mark := rng.IntN(2) == 0
				key := fmt.Sprint(mark, string(member))
				h := HashOf(member)
				_, there := model[key]
				r := x.Find(member, mark, h)
				if (r != 0) != there {
					t.Fatalf("step %d: %.40q is found: %v, want %v", step, key, r != 0, there)
				}
				switch grow := step%10_000 < 6_000; {
				case there && (!grow || rng.IntN(4) == 0):
					x.Remove(r, h)
					delete(model, key)
				case !there && grow:
					r = x.Add(member, mark, h)
					if head > 0 {
						if binary.LittleEndian.Uint64(x.Head(r)) != 0 {
							t.Fatal("a new head is not zero")
						}
						binary.LittleEndian.PutUint64(x.Head(r), uint64(step))
						model[key] = uint64(step)
					} else {
						model[key] = 0
					}
				}
				if step%5000 == 0 {
					validate(t, x, model)
				}
			}
			validate(t, x, model)
			left := x.Len()
			for key := range model {
				mark := key[0] == 't'
				member := []byte(key[strings.IndexByte(key, 'e')+1:])
				h := HashOf(member)
				x.Remove(x.Find(member, mark, h), h)
				delete(model, key)
				if left--; left%2000 == 0 {
					validate(t, x, model)
				}
			}
		})
	}
}

// TestTailsAgreeWithAMap changes members' tails and marks.
func TestTailsAgreeWithAMap(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 2))
			type value struct {
				mark bool
				tail string
			}
			x, model := NewTailed(), map[string]value{}
			check := func(x *Table) {
				t.Helper()
				if x.Len() != len(model) {
					t.Fatalf("%d members, want %d", x.Len(), len(model))
				}
				live := 0
				x.Each(func(r Ref) bool {
					if want := model[string(x.Member(r))]; string(x.Tail(r)) != want.tail || x.Marked(r) != want.mark {
						t.Fatalf("%q: %.50q %v, want %.50q %v", x.Member(r), x.Tail(r), x.Marked(r), want.tail, want.mark)
					}
					live += int(x.arena.unitsOf(r)) * unit
					return true
				})
				if live != x.arena.live {
					t.Fatalf("%d bytes live, %d counted", live, x.arena.live)
				}
			}
			for step := range 20_000 {
				name := fmt.Sprint("name", rng.IntN(500))
				v := value{rng.IntN(2) == 0, strings.Repeat("v", rng.IntN([]int{8, 200, 3000, 40_000}[rng.IntN(40)/13]))}
				h := HashOf([]byte(name))
				r := x.Find([]byte(name), false, h)
				_, there := model[name]
				switch {
				case (r != 0) != there:
					t.Fatalf("step %d: %s is found: %v, want %v", step, name, r != 0, there)
				case !there:
					x.AddTailed([]byte(name), v.mark, []byte(v.tail), h)
					model[name] = v
				case rng.IntN(4) == 0:
					x.Remove(r, h)
					delete(model, name)
				default:
					if by := x.SetTail(r, v.mark, []byte(v.tail), h); by != x.Find([]byte(name), true, h) {
						t.Fatalf("step %d: %s is not found where it is", step, name)
					}
					model[name] = v
				}
				if step%2000 == 0 {
					check(x)
				}
			}
			c := x.Clone()
			check(c)
			for name := range model {
				h := HashOf([]byte(name))
				c.SetTail(c.Find([]byte(name), false, h), false, []byte("other"), h)
			}
			check(x)
		})
	}
}

// TestRandomIsFair counts how often members come, in a table of many pieces and
// in what has shrunk to a few.
func TestRandomIsFair(t *testing.T) {
	x := New(0)
	const all, left = 30_000, 200
	member := func(i int) []byte { return fmt.Appendf(nil, "member-%d", i) }
	for i := range all {
		x.Add(member(i), false, HashOf(member(i)))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	counts := map[Ref]int{}
	const draws = 600_000
	for range draws {
		counts[x.Random(rng.Uint64)]++
	}
	for r, n := range counts { // 20 each on average
		if n > 60 {
			t.Fatalf("%s came %d times", x.Member(r), n)
		}
	}
	if len(counts) < all-10 {
		t.Fatalf("only %d came", len(counts))
	}
	for i := left; i < all; i++ {
		h := HashOf(member(i))
		x.Remove(x.Find(member(i), false, h), h)
	}
	clear(counts)
	for range draws / 10 {
		counts[x.Random(rng.Uint64)]++
	}
	if len(counts) != left {
		t.Fatalf("%d of %d came", len(counts), left)
	}
}

// TestScanSeesWhatStays changes a table between the calls.
func TestScanSeesWhatStays(t *testing.T) {
	x := New(0)
	rng := rand.New(rand.NewPCG(1, 3))
	member := func(i int) []byte { return fmt.Appendf(nil, "m%d", i) }
	const stay = 2000
	for i := range stay {
		x.Add(member(i), false, HashOf(member(i)))
	}
	next, oldest := stay, stay
	seen := map[string]bool{}
	calls := 0
	for cursor := uint64(0); ; {
		cursor = x.Scan(cursor, 10, func(r Ref) { seen[string(x.Member(r))] = true })
		calls++
		if cursor == 0 {
			break
		}
		if calls < 100 {
			for range rng.IntN(300) {
				x.Add(member(next), false, HashOf(member(next)))
				next++
			}
		} else {
			for ; oldest < next && rng.IntN(300) > 0; oldest++ {
				h := HashOf(member(oldest))
				x.Remove(x.Find(member(oldest), false, h), h)
			}
		}
	}
	for i := range stay {
		if !seen[string(member(i))] {
			t.Fatalf("%s was there all the time", member(i))
		}
	}
	all := 0
	if cursor := x.Scan(0, x.Len(), func(Ref) { all++ }); cursor != 0 || all != x.Len() {
		t.Fatalf("all at once: %d of %d, cursor %d", all, x.Len(), cursor)
	}
}
