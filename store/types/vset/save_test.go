package vset

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/index"
)

// savedTable is the table of labels, made in parts of so many elements.
func savedTable(v *Value, part int) []byte {
	b, next := v.AppendTable(nil, "", part)
	for next != "" {
		b, next = v.AppendTable(b, next, part)
	}
	return EndTable(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func savedGraph(t testing.TB, v *Value) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := v.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// replay makes a set of what Rebuild says of another, as a log does: no job is done. f is called when it has
// one element.
func replay(t testing.TB, v *Value, f func(n *Value)) *Value {
	t.Helper()
	n := New(v.Params)
	v.Rebuild(nil, func(args ...[]byte) {
		var attr []byte
		if len(args) > 8 {
			attr = args[9]
		}
		again(t, n, args[4], attr, args[3])
		if n.Len() == 1 {
			f(n)
		}
	})
	return n
}

func again(t testing.TB, n *Value, name, attr, raw []byte) {
	t.Helper()
	_, job, ok := n.SetRaw(name, attr, raw, DefaultEF)
	if !ok {
		t.Fatalf("%q is refused", name)
	}
	if job != nil {
		job.Postpone()
	}
}

func absorb(v *Value) {
	for at, more := uint32(0), true; more; more = at > 0 {
		var jobs []*Job
		jobs, at = v.Absorb(at)
		for _, j := range jobs {
			j.Do()
		}
	}
}

// sameFound compares what is found with all and with the graph, at a pool that finds all.
func sameFound(t *testing.T, r *rand.Rand, a, b *Value) {
	t.Helper()
	if a.Len() != b.Len() {
		t.Fatalf("%d and %d elements", a.Len(), b.Len())
	}
	text := func(l []Result) string {
		var all []string
		for _, x := range l {
			attr := "none"
			if x.Attr != nil {
				attr = *x.Attr
			}
			all = append(all, fmt.Sprint(x.Name, x.Distance, attr))
		}
		slices.Sort(all) // equally near ones are in any order
		return fmt.Sprint(all)
	}
	for range 5 {
		q := random(r, a.Dim)
		want := search(t, a, q, Query{Count: a.Len(), Truth: true})
		for _, truth := range []bool{true, false} {
			got := search(t, b, q, Query{Count: b.Len(), EF: 4 * b.Len(), Truth: truth})
			if text(got) != text(want) {
				t.Fatalf("by truth %v: found %d\n%v\nof %d\n%v", truth, len(got), text(got), len(want), text(want))
			}
		}
	}
}

// TestSavedGraphIsTakenOver saves a graph, goes on at random, and replays all: with the graph from the first element on, or
// from the last. Only what has changed since is beside it.
func TestSavedGraphIsTakenOver(t *testing.T) {
	for _, q := range quants {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprint(q, first), func(t *testing.T) {
				t.Parallel()
				const dim, n = 24, 700
				r := rand.New(rand.NewPCG(7, uint64(q)))
				v := New(Params{Dim: dim, Quant: q, M: 8})
				put := func(i int) {
					var attr []byte
					if i%3 == 0 {
						attr = fmt.Appendf(nil, "%d", i)
					}
					set(t, v, strconv.Itoa(i), random(r, dim), attr)
				}
				for i := range n {
					put(i)
				}
				for i := range 90 {
					v.Remove([]byte(strconv.Itoa(5 * i)))
				}
				graph, table := savedGraph(t, v), savedTable(v, 50)
				restore := func(n *Value) {
					if err := n.Restore(table, bytes.NewReader(graph), int64(len(graph))); err != nil {
						t.Fatal(err)
					}
				}
				same := func(late int) *Value {
					x := replay(t, v, func(n *Value) {
						if first {
							restore(n)
						}
					})
					if !first {
						restore(x)
					}
					x.Restored()
					if x.Late() != late {
						t.Fatalf("%d rows are beside the graph, want %d", x.Late(), late)
					}
					if x.graph.len() != x.Len()-late {
						t.Fatalf("%d in the graph of %d", x.graph.len(), x.Len()-late)
					}
					sameFound(t, r, v, x)
					return x
				}
				same(0)
				for i := range 60 {
					put(7*i + 1) // some are new
					v.Remove([]byte(strconv.Itoa(11*i + 2)))
				}
				changed := 0
				v.order.from(&v.elements, "", func(l uint32) bool {
					if v.at(l).number > 790 { // what there was before
						changed++
					}
					return true
				})
				x := same(changed)
				model := map[string]string{}
				v.Range("", func(name string) bool {
					e, _ := v.Find([]byte(name))
					model[name], _ = e.Attr()
					return true
				})
				check(t, x, model)
				absorb(x)
				if x.Late() != 0 || x.graph.len() != x.Len() {
					t.Fatalf("%d late, %d of %d in the graph", x.Late(), x.graph.len(), x.Len())
				}
				sameFound(t, r, v, x)
				check(t, x, model)
				for i := range 300 { // it goes on like any other
					set(t, x, strconv.Itoa(i), random(r, dim), nil)
					if i%2 == 0 {
						x.Remove([]byte(strconv.Itoa(i * 2)))
					}
				}
				if x.graph.len() != x.Len() {
					t.Fatalf("%d of %d in the graph", x.graph.len(), x.Len())
				}
			})
		}
	}
}

// TestRestoreTakesNothingThatIsDamaged flips bytes of a table and of a graph: the set is as before, and goes on.
func TestRestoreTakesNothingThatIsDamaged(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	v := New(Params{Dim: 12, Quant: Q8, M: 4})
	for i := range 530 {
		set(t, v, strconv.Itoa(i), random(r, 12), nil)
	}
	graph, table := savedGraph(t, v), savedTable(v, 1000)
	x := replay(t, v, func(*Value) {})
	restore := func(table, graph []byte) error { return x.Restore(table, bytes.NewReader(graph), int64(len(graph))) }
	for i := 0; i < len(table); i += 1 + len(table)/300 {
		bad := bytes.Clone(table)
		bad[i] ^= 1 << (i % 8)
		if err := restore(bad, graph); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("byte %d of the table: %v", i, err)
		}
		if err := restore(table[:i], graph); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("a table of %d bytes: %v", i, err)
		}
	}
	for i := 0; i < len(graph); i += 1 + len(graph)/300 {
		if err := restore(table, graph[:i]); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("a graph of %d bytes: %v", i, err)
		}
	}
	other := New(Params{Dim: 13, Quant: Q8, M: 4})
	set(t, other, "x", random(r, 13), nil)
	if err := other.Restore(table, bytes.NewReader(graph), int64(len(graph))); !errors.Is(err, index.ErrParams) {
		t.Fatalf("the graph of another dimension: %v", err)
	}
	sameFound(t, r, v, x)
}

// TestSaveWhileAllChanges races saves with writes, removals and searches: who has been told that an element is there finds it.
func TestSaveWhileAllChanges(t *testing.T) {
	t.Parallel()
	const dim, names, writers = 16, 300, 3
	v := New(Params{Dim: dim, Quant: Q8, M: 8})
	var key sync.Mutex // as the shard's
	var wg sync.WaitGroup
	r := rand.New(rand.NewPCG(5, 6))
	for i := range names * writers {
		set(t, v, fmt.Sprint(i%writers, ":", i/writers), random(r, dim), nil)
	}
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for i := range max(900/slow, 300) {
				name := fmt.Sprint(w, ":", i%names)
				x := random(r, dim)
				key.Lock()
				if r.IntN(4) == 0 {
					v.Remove([]byte(name))
				}
				_, job, _ := v.Set([]byte(name), nil, slices.Clone(x), DefaultEF)
				key.Unlock()
				if job != nil {
					job.Do()
				}
				key.Lock()
				s, _ := v.Begin(slices.Clone(x))
				key.Unlock()
				found := s.Run(Query{Count: 3, EF: 300, Epsilon: 2})
				s.End()
				if len(found) == 0 || found[0].Name != name {
					t.Errorf("%s was written, and its vector finds %v", name, found)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			var b bytes.Buffer
			if err := v.Save(&b); err != nil {
				t.Error(err)
			}
			for at, more := uint32(0), true; more; more = at > 0 {
				var jobs []*Job
				key.Lock()
				jobs, at = v.Absorb(at)
				key.Unlock()
				for _, j := range jobs {
					j.Do()
				}
			}
		}
	}
	graph, table := savedGraph(t, v), savedTable(v, 100)
	absorb(v)
	if v.Late() != 0 || v.graph.len() != v.Len() {
		t.Fatalf("%d late, %d of %d in the graph", v.Late(), v.graph.len(), v.Len())
	}
	x := replay(t, v, func(n *Value) {
		if err := n.Restore(table, bytes.NewReader(graph), int64(len(graph))); err != nil {
			t.Fatal(err)
		}
	})
	x.Restored()
	sameFound(t, r, v, x)
}

// FuzzTable reads a table of labels.
func FuzzTable(f *testing.F) {
	v := New(Params{Dim: 4, Quant: Q8, M: 4})
	for i := range 20 {
		set(f, v, strconv.Itoa(i), []float32{float32(i), 1, 2, 3}, nil)
	}
	table := savedTable(v, 7)
	f.Add(table)
	f.Add(table[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4 { // with the right checksum more is looked at
			b = EndTable(bytes.Clone(b[:len(b)-4]), crc32.Checksum(b[:len(b)-4], crc32.MakeTable(crc32.Castagnoli)))
		}
		tab, err := parseTable(b)
		if err != nil {
			return
		}
		seen := map[uint32]bool{}
		for name, l := range tab.claims {
			if l >= tab.labels || seen[l] || !tab.named[l] {
				t.Fatalf("%q: %d of %d", name, l, tab.labels)
			}
			seen[l] = true
		}
	})
}
