package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// What is expected changes nothing of what is found, whether it comes or not.
func TestExpectedLookups(t *testing.T) {
	t.Parallel()
	ks := New(Options{})
	defer ks.Close()
	keys := make([][]byte, 200)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%d", i)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	there := map[string]bool{}
	var tx Tx
	for range 200 {
		var l [16]Lookup
		var of [16]int
		for i := range l {
			of[i] = rng.IntN(len(keys))
			ks.Look(&l[i], 0, keys[of[i]])
		}
		for i := range l {
			ks.Fetch(&l[i])
		}
		for i := range l {
			key := keys[of[i]]
			switch rng.IntN(4) {
			case 0:
				tx.Expect(nil)
			case 1: // another one comes
				key = keys[rng.IntN(len(keys))]
				fallthrough
			default:
				tx.Expect(&l[i])
			}
			tx.Begin(ks, 0, 0)
			if err := tx.TryLockKey(key); err != nil {
				t.Fatal(err)
			}
			if e := tx.Get(key); (e != nil) != there[string(key)] || e != nil && e.Key() != string(key) {
				t.Fatalf("%s is %v, and was there: %v", key, e, there[string(key)])
			}
			if rng.IntN(2) == 0 {
				there[string(key)] = tx.Delete(key, "del") && false
			} else {
				tx.PutString(tx.Peek(key), key, key, 0)
				there[string(key)] = true
			}
			tx.End()
		}
	}
	tx.Expect(nil)
	for _, key := range keys {
		tx.Begin(ks, 0, 0)
		tx.LockKey(key)
		if e := tx.Get(key); (e != nil) != there[string(key)] {
			t.Errorf("%s is %v, and was there: %v", key, e, there[string(key)])
		}
		tx.End()
	}
	if err := ks.Validate(); err != nil {
		t.Error(err)
	}
}

// Look and Fetch read tables that others grow, shrink and give back.
func TestFetchWhileTablesChange(t *testing.T) {
	t.Parallel()
	ks := New(Options{})
	defer ks.Close()
	const keys = 20_000
	key := func(i int) []byte { return fmt.Appendf(nil, "key:%d", i) }
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		var tx Tx
		for round := range 6 {
			for i := range keys {
				tx.Begin(ks, 0, 0)
				tx.LockKey(key(i))
				if round%2 == 0 {
					tx.PutString(nil, key(i), []byte("value"), 0)
				} else {
					tx.Delete(key(i), "del")
				}
				tx.End()
			}
			ks.Maintain()
		}
	})
	for n := range 2 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(n)))
			var l [16]Lookup
			for {
				select {
				case <-done:
					return
				default:
				}
				for i := range l {
					ks.Look(&l[i], 0, key(rng.IntN(keys)))
				}
				for i := range l {
					ks.Fetch(&l[i])
				}
			}
		})
	}
	wg.Wait()
}
