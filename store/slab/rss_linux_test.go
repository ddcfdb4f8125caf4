//go:build !race

package slab

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// rss is the process' resident memory in bytes.
func rss(t testing.TB) int64 {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	n, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n * int64(os.Getpagesize())
}

func TestTrimGivesMemoryBack(t *testing.T) {
	const n = 128 << 20
	a := newTestArena(t)
	var h Heap
	h.Init(a)
	refs := make([]Ref, n/120+1)
	for i := range refs {
		refs[i] = 1
	}
	refs = refs[:0]
	empty := rss(t)
	for h.Used() < n {
		r := h.Alloc(120)
		a.Bytes(r, 1)[0] = 1
		refs = append(refs, r)
	}
	full := rss(t) - empty
	if full < n*9/10 {
		t.Fatalf("%d bytes resident of %d", full, n)
	}
	// Every second half of a megabyte: no whole chunk becomes free.
	part := func(r Ref) bool { return r*8>>19&1 == 0 }
	for _, r := range refs {
		if part(r) {
			h.Free(r, 120)
		}
	}
	for a.Trim(1<<20) > 0 {
	}
	checkArena(t, a)
	if s, got := a.Stats(), rss(t)-empty; got > n*6/10+8<<20 || s.Free > 1<<20 {
		t.Errorf("half is freed: %d MB resident, %+v", got>>20, s)
	}
	for _, r := range refs {
		if !part(r) {
			h.Free(r, 120)
		}
	}
	a.Trim(1 << 40)
	checkArena(t, a)
	if got := rss(t) - empty; got > 12<<20 {
		t.Errorf("all is freed: %d MB resident", got>>20)
	}
	// And it can be used again, in huge pages.
	for range refs {
		a.Bytes(h.Alloc(120), 1)[0] = 1
	}
	if a.mu.split > 1 {
		t.Errorf("%d chunks are without huge pages", a.mu.split)
	}
}
