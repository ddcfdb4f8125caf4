package slab

import (
	"errors"
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"
)

// checkArena checks the page allocator's figures against its bitmaps.
func checkArena(t testing.TB, a *Arena) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &a.mu.pages
	free, dirty, touched, split := 0, 0, int64(0), int64(0)
	for i := range s.chunks {
		c := &s.chunks[i]
		n, d := 0, 0
		for w := range c.free {
			n += bits.OnesCount64(c.free[w])
			d += bits.OnesCount64(c.dirty[w])
			if c.dirty[w]&^c.free[w] != 0 {
				t.Fatalf("chunk %d: pages in use are free to give back", i)
			}
		}
		if n != int(c.nfree) || d != int(c.ndirty) {
			t.Fatalf("chunk %d: counts %d, %d, want %d, %d", i, c.nfree, c.ndirty, n, d)
		}
		free, dirty = free+n, dirty+d
		if c.touched {
			touched++
		} else if n < chunkPages {
			t.Fatalf("chunk %d has pages in use and no headers", i)
		}
		if c.split {
			split++
		}
		longest, row := 0, 0
		for p := range chunkPages {
			if c.free[p/64]>>(p%64)&1 != 0 {
				row++
				longest = max(longest, row)
			} else {
				row = 0
			}
		}
		if s.longest(i) != longest {
			t.Fatalf("chunk %d: the longest row is %d, want %d", i, s.longest(i), longest)
		}
	}
	for l := 1; l < treeLevels; l++ {
		for i, v := range s.tree[l] {
			want := uint16(0)
			for _, x := range s.tree[l-1][i*fan : min(i*fan+fan, len(s.tree[l-1]))] {
				want = max(want, x)
			}
			if v != want {
				t.Fatalf("tree level %d: %d is %d, want %d", l, i, v, want)
			}
		}
	}
	if int64(dirty) != s.dirty || touched != s.touched || split != s.split || int64(len(s.chunks)*chunkPages-free) != s.taken {
		t.Fatalf("sums are wrong: dirty %d, want %d; touched %d, want %d; split %d, want %d; taken %d, want %d",
			s.dirty, dirty, s.touched, touched, s.split, split, s.taken, len(s.chunks)*chunkPages-free)
	}
}

// piece is a number of pages in use.
type piece struct{ page, n int }

func TestPagesCoalesce(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	a := newTestArena(t)
	var pieces []piece
	used := map[int]bool{0: true}
	for step := range 30_000 {
		if r.IntN(100) < 50+step/3000%2*10-5 {
			n := 1 + r.IntN(1+r.IntN(40))
			if r.IntN(100) == 0 {
				n = 1 + r.IntN(3000)
			}
			page, err := a.take(n)
			if err != nil {
				t.Fatal(err)
			}
			for p := range n {
				if used[int(page)+p] {
					t.Fatalf("page %d is handed out twice", int(page)+p)
				}
				used[int(page)+p] = true
			}
			*a.base8(page) = 1
			*a.base8(page + uint32(n) - 1) = 1
			pieces = append(pieces, piece{int(page), n})
		} else if len(pieces) > 0 {
			i := r.IntN(len(pieces))
			p := pieces[i]
			pieces[i] = pieces[len(pieces)-1]
			pieces = pieces[:len(pieces)-1]
			for k := range p.n {
				delete(used, p.page+k)
			}
			a.give(uint32(p.page), p.n)
		}
		if step%500 == 0 {
			a.Trim(r.IntN(8 << 20))
			checkArena(t, a)
		}
	}
	for _, p := range pieces {
		a.give(uint32(p.page), p.n)
	}
	checkArena(t, a)
	if s := a.Stats(); s.Mapped != 0 {
		t.Fatalf("%+v after giving all back", s)
	}
	chunks := len(a.mu.chunks)
	// All is one piece again: no growing for nearly all of it.
	if page, err := a.take((chunks - 1) * chunkPages); err != nil || page != chunkPages || len(a.mu.chunks) != chunks {
		t.Fatalf("take gives page %d, %v; %d chunks of %d before", page, err, len(a.mu.chunks), chunks)
	}
}

func (a *Arena) base8(page uint32) *byte { return &a.Bytes(Ref(page)*pageUnits, 1)[0] }

func TestTheEndOfTheAddresses(t *testing.T) {
	a, err := newArena(minReserve)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.NewSpan(minReserve); !errors.Is(err, ErrFull) { // page 0 is missing
		t.Fatalf("a span of everything: %v", err)
	}
	if _, err := a.NewSpan(1 << 60); !errors.Is(err, ErrFull) {
		t.Fatalf("a huge span: %v", err)
	}
	s, err := a.NewSpan(minReserve - chunkSize)
	if err != nil {
		t.Fatal(err)
	}
	b := s.Bytes()
	b[0], b[len(b)-1] = 1, 1
	var h Heap
	h.Init(a)
	var refs []Ref
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !errors.Is(err, ErrFull) {
				t.Fatalf("panic %v", err)
			}
		}()
		for {
			refs = append(refs, h.Alloc(1000))
		}
	}()
	if want := chunkSize / 1024 * 9 / 10; len(refs) < want {
		t.Fatalf("%d cells, want %d", len(refs), want)
	}
	s.Release()
	refs = append(refs, h.Alloc(1000))
	for _, r := range refs {
		h.Free(r, 1000)
	}
	if s := a.Stats(); s.Mapped != 0 {
		t.Fatalf("%+v", s)
	}
	checkArena(t, a)
}

func TestSpansAreSharedByGoroutines(t *testing.T) {
	a := newTestArena(t)
	var wg sync.WaitGroup
	hand := make(chan *Span, 16)
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for range 300 {
				s, err := a.NewSpan(r.IntN(1 << (12 + r.IntN(11))))
				if err != nil {
					t.Error(err)
					return
				}
				b := s.Bytes()
				if s.Len() != len(b) || s.Cap() < len(b) {
					t.Errorf("%d bytes, Len %d, Cap %d", len(b), s.Len(), s.Cap())
				}
				for i := 0; i < len(b); i += 1000 {
					b[i] = byte(len(b))
				}
				s.Retain()
				hand <- s
				s.Release()
			}
		})
		wg.Go(func() {
			for range 300 {
				s := <-hand
				b := s.Bytes()
				for i := 0; i < len(b); i += 1000 {
					if b[i] != byte(len(b)) {
						t.Error("a span was overwritten")
						break
					}
				}
				s.Release()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			a.Trim(4 << 20)
		}
	}()
	var h Heap
	h.Init(a)
	var refs []Ref
	for i := range 50_000 {
		refs = append(refs, h.Alloc(100))
		a.Bytes(refs[i], 100)[99] = byte(i)
	}
	wg.Wait()
	<-done
	for i, r := range refs {
		if a.Bytes(r, 100)[99] != byte(i) {
			t.Fatal("a cell was overwritten")
		}
		h.Free(r, 100)
	}
	checkArena(t, a)
	if s := a.Stats(); s.Mapped != 0 {
		t.Errorf("%+v after the last Release", s)
	}
}

func TestReleaseOnceTooOftenPanics(t *testing.T) {
	a := newTestArena(t)
	s, err := a.NewSpan(0)
	if err != nil || s.Cap() != pageSize {
		t.Fatal(s, err)
	}
	s.Release()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s.Release()
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	a := newTestArena(t)
	var h Heap
	h.Init(a)
	r := rand.New(rand.NewPCG(1, 1))
	refs := make([]Ref, 1000)
	sizes := make([]int, 1000)
	for i := range refs {
		sizes[i] = size(r)
		refs[i] = h.Alloc(sizes[i])
	}
	i := 0
	if n := testing.AllocsPerRun(10_000, func() {
		h.Free(refs[i], sizes[i])
		sizes[i] = size(r)
		refs[i] = h.Alloc(sizes[i])
		i = (i + 1) % len(refs)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
