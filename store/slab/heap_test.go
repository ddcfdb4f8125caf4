package slab

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
)

func newTestArena(t testing.TB) *Arena {
	t.Helper()
	a, err := NewArena()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// model is a heap and what its cells should hold: every byte of a cell follows
// from the cell's number, so that overlaps show.
type model struct {
	t     testing.TB
	a     *Arena
	h     Heap
	cells []cell
	at    map[Ref]int // index into cells
	used  int64
}

type cell struct {
	ref    Ref
	n      int
	canary uint64
}

func newModel(t testing.TB, a *Arena) *model {
	m := &model{t: t, a: a, at: map[Ref]int{}}
	m.h.Init(a)
	return m
}

func (m *model) fill(c cell) {
	b := m.a.Bytes(c.ref, c.n)
	for i := range b {
		b[i] = byte(c.canary>>(i%8*8)) + byte(i>>3)
	}
}

func (m *model) check(c cell) {
	m.t.Helper()
	for i, x := range m.a.Bytes(c.ref, c.n) {
		if x != byte(c.canary>>(i%8*8))+byte(i>>3) {
			m.t.Fatalf("cell %#x of %d bytes was overwritten at %d", c.ref, c.n, i)
		}
	}
}

func (m *model) alloc(n int, canary uint64) {
	m.t.Helper()
	c := cell{m.h.Alloc(n), n, canary}
	if c.ref == 0 || c.ref >= 1<<40 {
		m.t.Fatalf("Alloc(%d) = %#x", n, c.ref)
	}
	if _, ok := m.at[c.ref]; ok {
		m.t.Fatalf("cell %#x is handed out twice", c.ref)
	}
	m.fill(c)
	m.at[c.ref] = len(m.cells)
	m.cells = append(m.cells, c)
	m.used += int64(Cell(n))
}

func (m *model) free(i int) {
	m.t.Helper()
	c := m.cells[i]
	m.check(c)
	m.h.Free(c.ref, c.n)
	delete(m.at, c.ref)
	last := len(m.cells) - 1
	if i != last {
		m.cells[i] = m.cells[last]
		m.at[m.cells[i].ref] = i
	}
	m.cells = m.cells[:last]
	m.used -= int64(Cell(c.n))
}

func (m *model) move(r Ref, size int) {
	i, ok := m.at[r]
	if !ok {
		m.t.Fatalf("Evacuate names %#x, which is no cell", r)
	}
	c := m.cells[i]
	if size != Cell(c.n) {
		m.t.Fatalf("Evacuate says that a cell of %d bytes has %d", c.n, size)
	}
	to := m.h.Alloc(c.n)
	if to/pageUnits == r/pageUnits {
		m.t.Fatal("a cell under evacuation stays in its page")
	}
	copy(m.a.Bytes(to, c.n), m.a.Bytes(r, c.n))
	m.h.Free(r, c.n)
	delete(m.at, r)
	m.cells[i].ref = to
	m.at[to] = i
}

// validate checks the heap's lists and figures against its headers.
func (m *model) validate() {
	m.t.Helper()
	if m.h.Used() != m.used {
		m.t.Fatalf("Used is %d, want %d", m.h.Used(), m.used)
	}
	held, empty := int64(0), 0
	for c := range m.h.lists {
		l, cl := &m.h.lists[c], &classes[c]
		cells, used := int32(0), int32(0)
		visit := func(page uint32, list uint8) {
			r := m.a.run(page)
			free := 0
			for _, w := range r.free {
				free += bits.OnesCount64(w)
			}
			if int(r.class) != c || r.list != list || int(cl.cells)-free != int(r.used) {
				m.t.Fatalf("class %d: header of page %d is wrong: %+v", c, page, *r)
			}
			if list != unlisted && listOf(r.used, cl.cells) != uint32(list) {
				m.t.Fatalf("a run with %d of %d cells is in list %d", r.used, cl.cells, list)
			}
			if r.used == 0 {
				empty++
			}
			cells += int32(cl.cells)
			used += int32(r.used)
			held += int64(cl.pages) * pageSize
		}
		for list, page := range l.head {
			for prev := uint32(0); page != 0; prev, page = page, m.a.run(page).next {
				visit(page, uint8(list))
				if m.a.run(page).prev != prev {
					m.t.Fatalf("class %d list %d: page %d does not know the one before", c, list, page)
				}
			}
		}
		if l.current != 0 {
			visit(l.current, unlisted)
		}
		if cells != l.cells || used != l.used {
			m.t.Fatalf("class %d: %d of %d cells, want %d of %d", c, l.used, l.cells, used, cells)
		}
	}
	if held != m.h.Held() {
		m.t.Fatalf("Held is %d, want %d", m.h.Held(), held)
	}
	if empty > 1 {
		m.t.Fatalf("%d empty runs are kept", empty)
	}
}

// size draws small sizes more often.
func size(r *rand.Rand) int { return 1 + r.IntN(1+r.IntN(1+r.IntN(MaxCell))) }

func TestRandomAllocAndFree(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 5))
		a := newTestArena(t)
		ms := []*model{newModel(t, a), newModel(t, a), newModel(t, a)}
		for step := range 20_000 {
			m := ms[r.IntN(len(ms))]
			grow := step/4000%2 == 0
			switch p := r.IntN(100); {
			case len(m.cells) == 0 || p < 30 || grow && p < 60:
				m.alloc(size(r), r.Uint64())
			case p < 99:
				m.free(r.IntN(len(m.cells)))
			case r.IntN(4) == 0:
				m.h.Evacuate(r.IntN(100_000), m.move)
			}
			if step%1000 == 0 {
				a.Trim(r.IntN(16 << 20))
				checkArena(t, a)
				for _, m := range ms {
					m.validate()
				}
			}
		}
		held := int64(0)
		for _, m := range ms {
			held += m.h.Held()
		}
		if got := a.Stats().Mapped; got != held {
			t.Errorf("%d bytes are mapped, the heaps hold %d", got, held)
		}
		for _, m := range ms {
			for len(m.cells) > 0 {
				m.free(r.IntN(len(m.cells)))
			}
			m.validate()
			if m.h.Held() != 0 {
				t.Errorf("an empty heap holds %d bytes", m.h.Held())
			}
		}
		checkArena(t, a)
		if s := a.Stats(); s.Mapped != 0 || s.Free == 0 {
			t.Errorf("after freeing all: %+v", s)
		}
		a.Trim(1 << 40)
		if s := a.Stats(); s.Free >= chunkSize { // page 0 keeps a chunk
			t.Errorf("after Trim: %+v", s)
		}
	}
}

func TestEverySize(t *testing.T) {
	a := newTestArena(t)
	m := newModel(t, a)
	for n := range MaxCell + 1 {
		if got := Cell(n); got < n || got%8 != 0 || n > minCell && float64(got) > 1.126*float64(n)+8 {
			t.Fatalf("Cell(%d) = %d", n, got)
		}
	}
	for _, cl := range classes {
		tail := int(cl.pages)*pageSize - int(cl.cells)*cl.size
		if cl.cells == 0 || cl.cells > maxCells || float64(tail) > 0.032*float64(cl.pages*pageSize) {
			t.Errorf("cells of %d bytes: %d in %d pages", cl.size, cl.cells, cl.pages)
		}
		for at := range cl.cells {
			if off := at * cl.units; uint32(uint64(off)*cl.magic>>32) != at {
				t.Fatalf("cells of %d bytes: %d is not found", cl.size, at)
			}
		}
		for range 2*cl.cells + 1 {
			m.alloc(cl.size, uint64(len(m.cells))*0x9e3779b97f4a7c15)
			m.alloc(cl.size-7, uint64(len(m.cells))*0x9e3779b97f4a7c15)
		}
	}
	m.validate()
	for i := 0; len(m.cells) > 0; i++ {
		m.free(i * 7919 % len(m.cells))
	}
	if m.h.Held() != 0 || a.Stats().Mapped != 0 {
		t.Errorf("held %d, mapped %d after freeing all", m.h.Held(), a.Stats().Mapped)
	}
}

func TestOneCellTakesASmallRun(t *testing.T) {
	a := newTestArena(t)
	for n := 1; n <= MaxCell; n += 13 {
		var h Heap
		h.Init(a)
		h.Alloc(n)
		most := int64(72 << 10)
		if n <= smallCell {
			most = pageSize
		} else if n <= 1<<10 {
			most = 5 * pageSize
		}
		if h.Held() > most {
			t.Errorf("a cell of %d bytes takes %d", n, h.Held())
		}
	}
}

func TestFreeTwicePanics(t *testing.T) {
	a := newTestArena(t)
	var h Heap
	h.Init(a)
	panics := func(what string, f func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if recover() == nil {
				t.Errorf("%s does not panic", what)
			}
		}()
		f()
	}
	for _, n := range []int{16, 100, 3000, MaxCell} {
		r, keep := h.Alloc(n), h.Alloc(n)
		panics("free between cells", func() { h.Free(r+1, n) })
		panics("free of another size", func() { h.Free(r, 5000) })
		h.Free(r, n)
		panics("double free", func() { h.Free(r, n) })
		h.Free(keep, n)
		panics("double free of the last cell", func() { h.Free(keep, n) })
		a.Trim(1 << 40)
		panics("double free of what the system has", func() { h.Free(keep, n) })
	}
	panics("a cell too large", func() { h.Alloc(MaxCell + 8) })
	panics("a negative cell", func() { h.Alloc(-9) })
}

func TestReset(t *testing.T) {
	a := newTestArena(t)
	r := rand.New(rand.NewPCG(1, 1))
	m, other := newModel(t, a), newModel(t, a)
	for range 10_000 {
		m.alloc(size(r), r.Uint64())
		other.alloc(size(r), r.Uint64())
	}
	m.h.Reset()
	m.cells, m.at, m.used = nil, map[Ref]int{}, 0
	m.validate()
	if got := a.Stats().Mapped; got != other.h.Held() {
		t.Errorf("%d bytes are mapped, want %d", got, other.h.Held())
	}
	for range 10_000 {
		m.alloc(size(r), r.Uint64())
	}
	m.validate()
	for i := range other.cells {
		other.check(other.cells[i])
	}
}

func TestEvacuation(t *testing.T) {
	for _, keep := range []float64{0.05, 0.3, 0.7} {
		for _, n := range []func(*rand.Rand) int{
			func(r *rand.Rand) int { return 80 + r.IntN(48) },
			func(r *rand.Rand) int { return 1000 + r.IntN(3000) },
		} {
			a := newTestArena(t)
			r := rand.New(rand.NewPCG(3, 3))
			m := newModel(t, a)
			for m.used < 32<<20 {
				m.alloc(n(r), r.Uint64())
			}
			for i := len(m.cells) - 1; i >= 0; i-- {
				if r.Float64() > keep {
					m.free(i)
				}
			}
			before := float64(m.h.Used()) / float64(m.h.Held())
			steps := 1
			for m.h.Evacuate(64<<10, m.move) {
				steps++
				if steps > 10_000 {
					t.Fatal("Evacuate does not end")
				}
			}
			m.validate()
			after := float64(m.h.Used()) / float64(m.h.Held())
			t.Logf("%.0f%% survive: %.1f%% → %.1f%% in %d steps", keep*100, before*100, after*100, steps)
			if after < 0.85 {
				t.Errorf("occupancy %.3f after evacuation", after)
			}
			for _, c := range m.cells {
				m.check(c)
			}
			if m.h.Evacuate(1<<30, func(Ref, int) { t.Error("evacuation goes on after its end") }) {
				t.Error("more to do")
			}
		}
	}
}

func TestEvacuationOfCellsThatStay(t *testing.T) {
	a := newTestArena(t)
	m := newModel(t, a)
	for range 10_000 {
		m.alloc(100, uint64(len(m.cells)))
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 7_000 {
		m.free(r.IntN(len(m.cells)))
	}
	if m.h.Evacuate(1<<30, func(Ref, int) {}) {
		t.Error("more to do where nothing moves")
	}
	m.validate()
	// The owner deletes what it is asked to move, and others with it.
	for m.h.Evacuate(1000, func(r Ref, _ int) {
		m.free(m.at[r])
		for range min(50, len(m.cells)) {
			m.free(len(m.cells) / 2)
		}
	}) {
		m.validate()
	}
	m.validate()
}

func FuzzHeap(f *testing.F) {
	f.Add([]byte("\x00\x10\x00\x10\x80\x00\x01\x20\xff\xf0\xc0\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := newArena(minReserve)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		m := newModel(t, a)
		var spans []*Span
		for ; len(b) >= 2; b = b[2:] {
			x := int(binary.LittleEndian.Uint16(b))
			switch arg := x >> 3; x & 7 {
			case 0, 1, 2:
				m.alloc(min(arg*3, MaxCell), uint64(arg)*0x9e3779b97f4a7c15)
			case 3, 4:
				if len(m.cells) > 0 {
					m.free(arg % len(m.cells))
				}
			case 5:
				m.h.Evacuate(arg*16, m.move)
			case 6:
				if s, err := a.NewSpan(arg << (arg & 7)); err == nil && len(spans) < 64 {
					spans = append(spans, s)
				} else if err == nil {
					s.Release()
				}
			case 7:
				if len(spans) > 0 && arg&1 != 0 {
					i := arg % len(spans)
					spans[i].Release()
					spans = append(spans[:i], spans[i+1:]...)
				} else {
					a.Trim(arg << 12)
				}
			}
		}
		m.validate()
		checkArena(t, a)
		for len(m.cells) > 0 {
			m.free(0)
		}
		for _, s := range spans {
			s.Release()
		}
		if s := a.Stats(); s.Mapped != 0 {
			t.Errorf("%+v after freeing all", s)
		}
	})
}

func ExampleHeap() {
	a, err := NewArena()
	if err != nil {
		panic(err)
	}
	defer a.Close()
	var h Heap
	h.Init(a)
	const text = "a record"
	r := h.Alloc(len(text))
	copy(a.Bytes(r, len(text)), text)
	fmt.Printf("%s in %d bytes\n", a.Bytes(r, len(text)), Cell(len(text)))
	h.Free(r, len(text))
	// Output: a record in 16 bytes
}
