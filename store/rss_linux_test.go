//go:build !race

package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
)

// processRSS is what the kernel says the process holds, without files.
func processRSS(t testing.TB) int64 {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, ok := bytes.Cut(b, []byte("RssAnon:"))
	if !ok {
		t.Skip("the kernel does not say")
	}
	n, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestScatteredDeletionsGiveMemoryBack deletes nine of ten keys at random, so that
// hardly a page is empty by itself, and asks the kernel what is left. It runs
// alone.
func TestScatteredDeletionsGiveMemoryBack(t *testing.T) {
	s := newStore(t)
	s.ks.observers = nil
	const n = 400_000
	value := make([]byte, 150)
	rnd := rand.New(rand.NewPCG(17, 18))
	key := func(i int) []byte { return fmt.Appendf(nil, "key:%012d", i) }
	var tx Tx
	before := processRSS(t)
	for i := range n {
		k := key(i)
		tx.Begin(s.ks, 0, 0)
		tx.LockKey(k)
		tx.Changed(tx.PutString(nil, k, value[:100+i%50], 0), ClassString, "set")
		tx.End()
	}
	full := processRSS(t) - before
	var left []int
	for i := range n {
		if rnd.IntN(10) == 0 {
			left = append(left, i)
			continue
		}
		k := key(i)
		tx.Begin(s.ks, 0, 0)
		tx.LockKey(k)
		tx.Delete(k, "del")
		tx.End()
	}
	// Steps of a few records each: until nothing more comes of it.
	steps := 0
	for was := int64(-1); was != resident(s.ks) && steps < 1000; steps += 10 {
		was = resident(s.ks)
		for range 10 {
			s.ks.Maintain()
		}
	}
	s.check(t)
	after := processRSS(t) - before
	t.Logf("%d MB of keys, %d after %d steps", full>>20, after>>20, steps)
	if full < n*100 {
		t.Fatalf("%d MB for %d keys", full>>20, n)
	}
	if after > full*3/10+keepFree {
		t.Errorf("%d MB are held for a tenth of what took %d", after>>20, full>>20)
	}
	for _, i := range left {
		k := key(i)
		tx.Begin(s.ks, 0, 0)
		tx.LockKey(k)
		if e := tx.Find(k); e == nil {
			t.Fatalf("%s is lost", k)
		}
		tx.End()
	}
}
