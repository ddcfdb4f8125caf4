package stream

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

type entry struct {
	id    ID
	pairs []string
}

type pend struct {
	consumer    string // "" for nobody
	time, count int64
	tick        int // orders those of the same time
}

type modelGroup struct {
	last      ID
	pel       map[ID]pend
	consumers map[string]bool
	ticks     int
}

func (g *modelGroup) set(id ID, consumer string, time, count int64) {
	g.ticks++
	g.pel[id] = pend{consumer, time, count, g.ticks}
}

// byTime lists what is pending, the oldest first.
func (g *modelGroup) byTime() []ID {
	return slices.SortedFunc(maps.Keys(g.pel), func(a, b ID) int {
		p, q := g.pel[a], g.pel[b]
		if owned := cmp.Compare(min(len(p.consumer), 1), min(len(q.consumer), 1)); owned != 0 {
			return owned
		}
		return cmp.Or(cmp.Compare(p.time, q.time), cmp.Compare(p.tick, q.tick))
	})
}

// model is a stream that is plainly right.
type model struct {
	entries    []entry
	last       ID
	maxDeleted ID
	added      int64
	groups     map[string]*modelGroup
}

func (m *model) find(id ID) (int, bool) {
	return slices.BinarySearchFunc(m.entries, id, func(e entry, id ID) int { return e.id.Compare(id) })
}

func (m *model) delete(id ID) bool {
	i, ok := m.find(id)
	if ok {
		m.entries = slices.Delete(m.entries, i, i+1)
		if m.maxDeleted.Less(id) {
			m.maxDeleted = id
		}
	}
	return ok
}

func (m *model) referenced(id ID) bool {
	for _, g := range m.groups {
		if _, pending := g.pel[id]; pending || g.last.Less(id) {
			return true
		}
	}
	return false
}

func (m *model) dropRefs(id ID) {
	for _, g := range m.groups {
		delete(g.pel, id)
	}
}

// trim is Trim without whole blocks only: limit and Approx are not asked for.
func (m *model) trim(t Trim) (deleted int64) {
	var left []entry
	for i, e := range m.entries {
		if t.ByID && !e.id.Less(t.MinID) || !t.ByID && int64(len(left)+len(m.entries)-i) <= t.MaxLen {
			left = append(left, m.entries[i:]...)
			break
		}
		if t.Refs == AckedOnly && m.referenced(e.id) {
			left = append(left, e)
			continue
		}
		if t.Refs == DropRefs {
			m.dropRefs(e.id)
		}
		deleted++
	}
	m.entries = left
	return deleted
}

// validate checks what must hold of a stream whatever is in it.
func (v *Value) validate(t *testing.T) {
	t.Helper()
	var length int64
	blocks, bytes, last := 0, 0, ID{}
	for _, leaf := range v.leaves {
		if len(leaf) == 0 || len(leaf) > leafSize {
			t.Fatalf("a leaf of %d blocks", len(leaf))
		}
		for i := range leaf {
			b := &leaf[i]
			blocks++
			bytes += cap(b.data)
			live, dead, size := 0, 0, 0
			c := b.begin()
			for ; b.next(&c); b.skip(&c) {
				if size == 0 && c.id != b.first || !last.Less(c.id) {
					t.Fatalf("block %v: entry %v after %v", b.first, c.id, last)
				}
				last = c.id
				size++
				if c.flags&flagDead != 0 {
					dead++
				} else {
					live++
				}
			}
			if c.pos != len(b.data) || live != int(b.live) || dead != int(b.dead) || last != b.last || size > MaxBlockEntries {
				t.Fatalf("block %v to %v: %d live of %d, %d dead of %d, last %v", b.first, b.last, live, b.live, dead, b.dead, last)
			}
			length += int64(live)
		}
	}
	if length != v.length || blocks != v.blocks || bytes != v.bytes {
		t.Fatalf("%d entries of %d, %d blocks of %d, %d bytes of %d", length, v.length, blocks, v.blocks, bytes, v.bytes)
	}
	pending, names := 0, 0
	for _, g := range v.groups {
		pending += g.byID.n
		names += groupSize + len(g.Name)
		for _, c := range g.consumers {
			names += consumerSize + len(c.Name)
		}
		g.validate(t)
	}
	if pending != v.pending || names != v.names {
		t.Fatalf("%d pending of %d, names of %d bytes of %d", pending, v.pending, names, v.names)
	}
	if v.minKnown {
		least := MaxID
		for _, g := range v.groups {
			if g.last.Less(least) {
				least = g.last
			}
		}
		if least != v.minLast {
			t.Fatalf("the least last ID is %v, not %v", least, v.minLast)
		}
	}
}

func (g *Group) validate(t *testing.T) {
	t.Helper()
	owned := 0
	check := func(o *order, owner uint32, any bool) {
		t.Helper()
		n, last := 0, key{}
		for li, leaf := range o.leaves {
			if len(leaf) == 0 || len(leaf) > orderLeaf {
				t.Fatalf("a leaf of %d references", len(leaf))
			}
			for i, ref := range leaf {
				k := g.key(ref, o.byTime)
				if n > 0 && !last.less(k) {
					t.Fatalf("leaf %d, %d: %v after %v", li, i, k, last)
				}
				if !any && g.at(ref).owner != owner {
					t.Fatalf("%v is owned by %d, not %d", g.at(ref).ID, g.at(ref).owner, owner)
				}
				last = k
				n++
			}
		}
		if n != o.n {
			t.Fatalf("%d references of %d", n, o.n)
		}
	}
	check(&g.byID, 0, true)
	check(&g.times, 0, true)
	if g.byID.n != g.times.n {
		t.Fatalf("%d by ID, %d by time", g.byID.n, g.times.n)
	}
	for _, c := range g.consumers {
		check(&c.byID, c.slot, false)
		owned += c.byID.n
		if g.slots[c.slot] != c {
			t.Fatalf("consumer %s is not in its place", c.Name)
		}
	}
	if owned+g.Unowned() != g.Len() {
		t.Fatalf("%d owned and %d not of %d", owned, g.Unowned(), g.Len())
	}
}

// read reads the entries from an iterator.
func read(next func() bool, it *Iter) (l []entry) {
	for next() {
		e := entry{id: it.ID}
		for range it.Fields {
			name, value := it.Field()
			e.pairs = append(e.pairs, string(name), string(value))
		}
		l = append(l, e)
	}
	return l
}

func sameEntries(t *testing.T, what string, got, want []entry) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b entry) bool { return a.id == b.id && slices.Equal(a.pairs, b.pairs) }) {
		t.Fatalf("%s: %.500v\nwant %.500v", what, got, want)
	}
}

func (m *model) between(from, to ID) (l []entry) {
	for _, e := range m.entries {
		if !e.id.Less(from) && !to.Less(e.id) {
			l = append(l, e)
		}
	}
	return l
}

func same(t *testing.T, v *Value, m *model, rng *rand.Rand) {
	t.Helper()
	v.validate(t)
	if v.Len() != int64(len(m.entries)) || v.Last() != m.last || v.MaxDeleted() != m.maxDeleted || v.Added() != m.added {
		t.Fatalf("%d entries, last %v, deleted %v, added %d; want %d, %v, %v, %d",
			v.Len(), v.Last(), v.MaxDeleted(), v.Added(), len(m.entries), m.last, m.maxDeleted, m.added)
	}
	first, top := ID{}, ID{}
	if n := len(m.entries); n > 0 {
		first, top = m.entries[0].id, m.entries[n-1].id
	}
	if v.First() != first || v.Top() != top {
		t.Fatalf("from %v to %v, want %v to %v", v.First(), v.Top(), first, top)
	}
	from, to := MinID, MaxID
	if rng.IntN(3) > 0 && len(m.entries) > 0 {
		from, to = m.entries[rng.IntN(len(m.entries))].id, ID{m.last.Ms * rng.Uint64N(1000) / 999, rng.Uint64N(3)}
	}
	want := m.between(from, to)
	var it Iter
	v.Range(&it, from, to)
	sameEntries(t, fmt.Sprintf("range %v %v", from, to), read(it.Next, &it), want)
	if n := v.Count(from, to, 0); n != int64(len(want)) {
		t.Fatalf("%d between %v and %v, want %d", n, from, to, len(want))
	}
	var back Reverse
	v.Reverse(&back, from, to)
	slices.Reverse(want)
	sameEntries(t, fmt.Sprintf("reverse %v %v", from, to), read(back.Next, &back.Iter), want)
	if len(v.Groups()) != len(m.groups) {
		t.Fatalf("%d groups, want %d", len(v.Groups()), len(m.groups))
	}
	for name, want := range m.groups {
		sameGroup(t, v.Group([]byte(name)), want)
	}
}

func sameGroup(t *testing.T, g *Group, want *modelGroup) {
	t.Helper()
	if g == nil || g.Last() != want.last || g.Len() != len(want.pel) || len(g.Consumers()) != len(want.consumers) {
		t.Fatalf("group %+v, want %+v", g, want)
	}
	known := func(p Pending) {
		t.Helper()
		w, ok := want.pel[p.ID]
		name := ""
		if p.Consumer != nil {
			name = p.Consumer.Name
		}
		if !ok || name != w.consumer || p.Time != w.time || p.Count != w.count {
			t.Fatalf("%+v of %q, want %+v", p, name, w)
		}
	}
	var got []ID
	g.EachOldest(func(p Pending) bool {
		known(p)
		got = append(got, p.ID)
		return true
	})
	if ids := want.byTime(); !slices.Equal(got, ids) {
		t.Fatalf("by time %v, want %v", got, ids)
	}
	got = got[:0]
	g.Each(nil, MinID, func(p Pending) bool {
		known(p)
		got = append(got, p.ID)
		return true
	})
	if ids := slices.SortedFunc(maps.Keys(want.pel), ID.Compare); !slices.Equal(got, ids) {
		t.Fatalf("by ID %v, want %v", got, ids)
	}
	for name := range want.consumers {
		c := g.Consumer([]byte(name))
		n := 0
		g.Each(c, MinID, func(p Pending) bool {
			if p.Consumer != c {
				t.Fatalf("%v of %v among those of %s", p.ID, p.Consumer, name)
			}
			n++
			return true
		})
		if n != c.Len() {
			t.Fatalf("%d pending for %s, want %d", n, name, c.Len())
		}
	}
}

// TestStreamIsAsAModel does random things to a stream and to one that is plainly
// right.
func TestStreamIsAsAModel(t *testing.T) {
	for _, size := range []int{30, 400, 4000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(size), 1))
			v, m := New(), &model{groups: map[string]*modelGroup{}}
			pick := func(s ...string) string { return s[rng.IntN(len(s))] }
			id := func() ID {
				if n := len(m.entries); n > 0 && rng.IntN(5) > 0 {
					return m.entries[rng.IntN(n)].id
				}
				return ID{rng.Uint64N(m.last.Ms + 2), rng.Uint64N(3)}
			}
			group := func() (*Group, *modelGroup) {
				name := pick("g", "h", "")
				return v.Group([]byte(name)), m.groups[name]
			}
			for step := range 6_000 {
				switch n := rng.IntN(100); {
				case n < 40 && len(m.entries) < size:
					next := ID{m.last.Ms + rng.Uint64N(3), rng.Uint64N(3)}
					if next.Ms == m.last.Ms {
						next.Seq = m.last.Seq + rng.Uint64N(3)
					}
					e := entry{id: next}
					for range 1 + rng.IntN(3) {
						e.pairs = append(e.pairs, pick("f", "g", "7", ""), pick("v", "-1", "9223372036854775807", "-9223372036854775808",
							"01", "2305843009213693952", "-2305843009213693951", strings.Repeat("x", rng.IntN(700)), fmt.Sprint(rng.IntN(1e6)-5e5)))
					}
					args := make([][]byte, len(e.pairs))
					for i, s := range e.pairs {
						args[i] = []byte(s)
					}
					err := v.Append(next, args)
					if (err == nil) != m.last.Less(next) {
						t.Fatalf("step %d: append %v after %v: %v", step, next, m.last, err)
					}
					if err == nil {
						m.entries = append(m.entries, e)
						m.last = next
						m.added++
					}
				case n < 55:
					id, refs := id(), Refs(rng.IntN(3))
					_, has := m.find(id)
					wantKept := refs == AckedOnly && m.referenced(id)
					if refs == DropRefs {
						m.dropRefs(id)
					}
					deleted, kept := v.DeleteRefs(id, refs)
					if !wantKept && deleted != m.delete(id) || wantKept != kept || kept && deleted || v.Has(id) != (has && kept) {
						t.Fatalf("step %d: delete %v %d: %v %v", step, id, refs, deleted, kept)
					}
				case n == 55 && len(m.entries) > size/2:
					trim := Trim{ByID: rng.IntN(2) == 0, Refs: Refs(rng.IntN(3)), MaxLen: int64(rng.IntN(size)), MinID: id()}
					want := m.trim(trim)
					if got, _ := v.Trim(trim); got != want {
						t.Fatalf("step %d: %+v: %d, want %d", step, trim, got, want)
					}
				case n == 56 && len(m.entries) > size/2:
					// Of whole blocks it is known that they are whole.
					trim := Trim{Approx: true, MaxLen: int64(rng.IntN(size)), Limit: int64(rng.IntN(2) * 150)}
					got, before := v.Trim(trim)
					if left := int64(len(m.entries)) - got; left < min(trim.MaxLen, int64(len(m.entries))) || trim.Limit > 0 && got > trim.Limit {
						t.Fatalf("step %d: %+v: %d", step, trim, got)
					}
					m.entries = m.entries[got:]
					if len(m.entries) > 0 && m.entries[0].id.Less(before) {
						t.Fatalf("step %d: %v is left before %v", step, m.entries[0].id, before)
					}
				case n < 59:
					name, last := pick("g", "h", ""), id()
					_, there := m.groups[name]
					if (v.CreateGroup([]byte(name), last, UnknownReads) == nil) != there {
						t.Fatalf("step %d: create %q", step, name)
					}
					if !there {
						m.groups[name] = &modelGroup{last: last, pel: map[ID]pend{}, consumers: map[string]bool{}}
					}
				case n == 59 && rng.IntN(10) == 0:
					if g, want := group(); want != nil {
						v.DeleteGroup(g)
						delete(m.groups, g.Name)
					}
				default:
					g, want := group()
					if want == nil {
						continue
					}
					consumer := pick("c", "d", "e")
					switch n := rng.IntN(40); {
					case n == 0:
						want.last = id()
						g.SetLast(want.last)
					case n == 1 && rng.IntN(8) == 0:
						if want.consumers[consumer] {
							left := 0
							for id, p := range want.pel {
								if p.consumer == consumer {
									left++
									delete(want.pel, id)
								}
							}
							if got := g.DeleteConsumer(g.Consumer([]byte(consumer))); got != left {
								t.Fatalf("step %d: %d were pending, want %d", step, got, left)
							}
							delete(want.consumers, consumer)
						}
					case n < 14:
						id := id()
						_, pending := want.pel[id]
						delete(want.pel, id)
						if g.Ack(id) != pending {
							t.Fatalf("step %d: ack %v", step, id)
						}
					case n < 16:
						id, count := id(), int64(rng.IntN(5))
						g.Release(id, count)
						want.set(id, "", 0, count)
					default:
						if (g.CreateConsumer([]byte(consumer), 7) == nil) != want.consumers[consumer] {
							t.Fatalf("step %d: consumer %q", step, consumer)
						}
						want.consumers[consumer] = true
						for range 1 + rng.IntN(10) {
							id, time, count := id(), int64(1+rng.IntN(5)), int64(rng.IntN(5))
							g.Set(id, g.Consumer([]byte(consumer)), time, count)
							want.set(id, consumer, time, count)
						}
					}
				}
				if step%50 == 0 {
					same(t, v, m, rng)
				}
			}
			same(t, v, m, rng)
			c := v.Clone().(*Value)
			for len(m.entries) > 0 { // a clone shares nothing
				v.Delete(m.entries[len(m.entries)-1].id)
				m2 := m.entries[len(m.entries)-1]
				m.entries = m.entries[:len(m.entries)-1]
				if !c.Has(m2.id) {
					t.Fatalf("%v went from the clone", m2.id)
				}
			}
			for _, g := range v.Groups() {
				for g.Len() > 0 {
					first, _ := g.Bounds()
					g.Ack(first)
				}
			}
			v.validate(t)
			c.validate(t)
			if v.Len() != 0 || v.Blocks() != 0 || v.bytes != 0 || v.pending != 0 {
				t.Fatalf("%d entries, %d blocks, %d bytes are left", v.Len(), v.Blocks(), v.bytes)
			}
		})
	}
}

// TestFindGoesAnywhere asks for IDs in any order, there or not.
func TestFindGoesAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	v := New()
	for i := range uint64(1000) {
		_ = v.Append(ID{i * 2, i % 3}, [][]byte{[]byte("f"), fmt.Append(nil, i)})
		if i%5 == 0 {
			v.Delete(ID{i * 2, i % 3})
		}
	}
	var it Iter
	at := uint64(0)
	for range 20_000 {
		if at += rng.Uint64N(3); rng.IntN(50) == 0 || at >= 2000 {
			at = rng.Uint64N(2000)
		}
		id := ID{at, at / 2 % 3}
		want := at%2 == 0 && at/2%5 != 0 && at < 2000
		if got := it.Find(v, id); got != want || got != v.Has(id) {
			t.Fatalf("%v: %v, want %v", id, got, want)
		}
		if want {
			if _, value := it.Field(); string(value) != fmt.Sprint(at/2) {
				t.Fatalf("%v: %s", id, value)
			}
		}
	}
}

// TestBlockOfTombstones trims by an ID that is between the last entry that is left
// and a tombstone behind it.
func TestBlockOfTombstones(t *testing.T) {
	v := New()
	pairs := [][]byte{[]byte("f"), []byte("v")}
	for i := range uint64(3) {
		_ = v.Append(ID{1 + i, 0}, pairs)
	}
	v.Delete(ID{3, 0})
	if n, _ := v.Trim(Trim{ByID: true, MinID: ID{3, 0}}); n != 2 || v.Len() != 0 || v.Top() != MinID || v.First() != MinID {
		t.Fatalf("%d trimmed, %d left, from %v to %v", n, v.Len(), v.First(), v.Top())
	}
	_ = v.Append(ID{5, 0}, pairs)
	for i := range uint64(MaxBlockEntries) {
		_ = v.Append(ID{6 + i, 0}, pairs)
	}
	for i := range uint64(MaxBlockEntries) {
		v.Delete(ID{6 + i, 0})
	}
	if v.Len() != 1 || v.Top() != (ID{5, 0}) || v.First() != (ID{5, 0}) {
		t.Fatalf("%d left, from %v to %v", v.Len(), v.First(), v.Top())
	}
	v.validate(t)
}

func TestIDsAreReadAsRedisReadsThem(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got := "no"
		if id, ok := ParseID([]byte(text), 9); ok {
			got = id.String()
		}
		if got != want {
			t.Fatalf("%q: %s, want %s", text, got, want)
		}
	}
	f("1-2", "1-2")
	f("1", "1-9")
	f("0-0", "0-0")
	f("18446744073709551615-18446744073709551615", "18446744073709551615-18446744073709551615")
	f("18446744073709551616-0", "no")
	f("01-002", "1-2")
	f(" 1- 2", "1-2")
	f("+1-+2", "1-2")
	f("1-", "no")
	f("-1", "no")
	f("-", "no")
	f("", "no")
	f("1-2-3", "no")
	f("1-x", "no")
	f("1-*", "no")
	f("1-2\x00x", "1-2")
	f(strings.Repeat("0", 126)+"1", "1-9")
	f(strings.Repeat("0", 127)+"1", "no")
	if id, auto, ok := ParseAutoID([]byte("5-*")); !ok || !auto || id != (ID{5, 0}) {
		t.Fatal(id, auto, ok)
	}
}

func TestIDsThatFollow(t *testing.T) {
	if id, ok := MaxID.Next(); ok || id != MinID {
		t.Fatal(id, ok)
	}
	if id, ok := MinID.Prev(); ok || id != MaxID {
		t.Fatal(id, ok)
	}
	last := ID{1, MaxID.Seq}
	if id, ok := last.Next(); !ok || id != (ID{2, 0}) {
		t.Fatal(id, ok)
	}
	if id, ok := (ID{2, 0}).Prev(); !ok || id != last {
		t.Fatal(id, ok)
	}
	v := New()
	v.SetIDs(last, 0, ID{})
	if id, ok := v.NextID(0); !ok || id != (ID{2, 0}) {
		t.Fatal(id, ok)
	}
	if _, ok := v.NextSeq(1); ok {
		t.Fatal("there is no number left in 1")
	}
	v.SetIDs(MaxID, 0, ID{})
	if _, ok := v.NextID(5); ok {
		t.Fatal("there is no ID left")
	}
}

func TestProducersForget(t *testing.T) {
	v := New()
	v.Configure(10, 3)
	id := func(ms uint64) ID { return ID{Ms: ms} }
	for i := range uint64(5) {
		v.Remember([]byte("p"), fmt.Append(nil, i), id(1000+i), 1000)
	}
	if _, ok := v.Lookup([]byte("p"), []byte("1"), 1000); ok {
		t.Fatal("more than three are remembered")
	}
	if got, ok := v.Lookup([]byte("p"), []byte("2"), 1000); !ok || got != id(1002) {
		t.Fatal(got, ok)
	}
	if _, ok := v.Lookup([]byte("p"), []byte("3"), 11003); ok {
		t.Fatal("remembered for longer than ten seconds")
	}
	if _, ok := v.Lookup([]byte("p"), []byte("4"), 11003); !ok {
		t.Fatal("not remembered for ten seconds")
	}
	c := v.Clone().(*Value)
	if v.Configure(10, 3) || !v.Configure(11, -1) {
		t.Fatal("only another setting is a change")
	}
	if p := v.Producers(); p.PIDs != 0 || p.IIDs != 0 || p.Added != 5 || v.producers.bytes != 0 {
		t.Fatalf("%+v, %d bytes", p, v.producers.bytes)
	}
	if p := c.Producers(); p.PIDs != 1 || p.IIDs != 1 {
		t.Fatalf("the clone forgot: %+v", p)
	}
	c.ExpireIIDs(1 << 40)
	if p := c.Producers(); p.PIDs != 0 || c.producers.bytes != 0 {
		t.Fatalf("%+v, %d bytes", p, c.producers.bytes)
	}
	// Of producers that come once and never again those too old go.
	now := int64(1_000_000)
	for i := range 10_000 {
		now += 10
		c.Remember(fmt.Append(nil, "p", i), []byte("x"), id(uint64(now)), now)
		if n := c.Producers().PIDs; n > 2*1000+firstSweep {
			t.Fatalf("%d producers are remembered", n)
		}
	}
}

func TestAutoIIDHeedsNoOrder(t *testing.T) {
	a := AutoIID(nil, [][]byte{[]byte("f"), []byte("v"), []byte("g"), []byte("w")})
	b := AutoIID(nil, [][]byte{[]byte("g"), []byte("w"), []byte("f"), []byte("v")})
	c := AutoIID(nil, [][]byte{[]byte("fv"), []byte(""), []byte("g"), []byte("w")})
	if !bytes.Equal(a, b) || bytes.Equal(a, c) || len(a) != 16 {
		t.Fatalf("%x %x %x", a, b, c)
	}
}

// TestPoolShrinks acknowledges most of what is pending, and adds more.
func TestPoolShrinks(t *testing.T) {
	v := New()
	g := v.CreateGroup([]byte("g"), MinID, 0)
	c := g.CreateConsumer([]byte("c"), 0)
	const n = 50_000
	for i := range uint64(n) {
		g.Set(ID{i, 1}, c, int64(i%7), 1)
	}
	for i := range uint64(n) {
		if i%100 != 0 {
			g.Ack(ID{i, 1})
		}
	}
	g.validate(t)
	if g.Len() != n/100 || int(g.used) > 8*chunkSize+n/25 {
		t.Fatalf("%d pending in a pool of %d", g.Len(), g.used)
	}
	for i := range uint64(n) {
		if p, ok := g.Find(ID{i, 1}); ok != (i%100 == 0) || ok && (p.Consumer != c || p.Time != int64(i%7)) {
			t.Fatalf("%d: %+v %v", i, p, ok)
		}
	}
}

// TestSizeIsWhatItTakes compares Size with what the heap grows by.
func TestSizeIsWhatItTakes(t *testing.T) {
	f := func(name string, fill func(*Value)) {
		t.Helper()
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		v := New()
		fill(v)
		real := float64(heap()) - float64(before)
		if size := float64(v.Size()); real > 1.2*size || size > 1.2*real {
			t.Errorf("%s: %.0f bytes, Size says %.0f", name, real, size)
		}
		runtime.KeepAlive(v)
	}
	f("entries", func(v *Value) {
		for i := range uint64(100_000) {
			_ = v.Append(ID{i + 1, 0}, [][]byte{[]byte("temperature"), fmt.Append(nil, i), []byte("place"), []byte("somewhere")})
		}
	})
	f("pending", func(v *Value) {
		g := v.CreateGroup([]byte("g"), MinID, 0)
		for i := range uint64(200_000) {
			c := g.Consumer(fmt.Append(nil, i%10))
			if c == nil {
				c = g.CreateConsumer(fmt.Append(nil, i%10), 0)
			}
			g.Set(ID{i, 0}, c, int64(i), 1)
		}
	})
	f("producers", func(v *Value) {
		for i := range uint64(2000) {
			for k := range 50 {
				v.Remember(fmt.Append(nil, "producer", i), fmt.Append(nil, "message", k), ID{1 << 50, i}, 0)
			}
		}
	})
}
