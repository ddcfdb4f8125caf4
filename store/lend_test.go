package store

import (
	"errors"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/store/types/str"
)

var errScript = errors.New("a script runs")

// TestLentShardsAreRefused: who wants a shard that is lent hears why, keeps
// nothing, and gets the others.
func TestLentShardsAreRefused(t *testing.T) {
	ks := New(Options{})
	var long Tx
	long.Begin(ks, 0, 1)
	var set LockSet
	set.Add([]byte("a"))
	set.Add([]byte("b"))
	long.Lock(&set)
	long.Lend(errScript)
	long.Put([]byte("a"), str.New([]byte("1")), false)

	var tx Tx
	tx.Begin(ks, 0, 2)
	if err := tx.TryLockKey([]byte("a")); err != errScript {
		t.Fatal(err)
	}
	var all LockSet
	all.AddAll()
	if err := tx.TryLock(&all); err != errScript {
		t.Fatal(err)
	}
	if err := tx.TryLockKey([]byte("c")); err != nil {
		t.Fatal(err)
	}
	tx.End()

	done := make(chan struct{})
	go func() {
		defer close(done)
		var tx Tx
		tx.Begin(ks, 0, 3)
		tx.Lock(&all)
		if tx.Peek([]byte("a")) == nil {
			t.Error("a is missing")
		}
		tx.End()
	}()
	long.End()
	<-done
	tx.Begin(ks, 0, 2)
	if err := tx.TryLock(&all); err != nil {
		t.Fatal(err)
	}
	tx.End()
}

// TestLendingRaces: many who lend, wait, expire and evict at once neither
// deadlock nor see half of what another does.
func TestLendingRaces(t *testing.T) {
	ks := New(Options{})
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d"), []byte("e")}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			var tx Tx
			for i := range 300 {
				var set LockSet
				set.Add(keys[(g+i)%len(keys)])
				set.Add(keys[(g*i)%len(keys)])
				if i%17 == 0 {
					set.AddAll()
				}
				tx.Begin(ks, 0, uint64(g+1))
				if g%2 == 0 {
					tx.Lock(&set)
				} else if tx.TryLock(&set) != nil {
					continue
				}
				if i%3 == 0 {
					tx.Lend(errScript)
				}
				k := keys[(g+i)%len(keys)]
				e := tx.Put(k, str.New([]byte("v")), false)
				if i%5 == 0 {
					tx.SetExpire(e, tx.Now+1)
				}
				tx.Changed(e, ClassString, "set")
				tx.FinishCommand([][]byte{[]byte("SET"), k, []byte("v")})
				DoAll(tx.End())
			}
		})
	}
	for range 200 {
		ks.ExpireDue(0)
		var tx Tx
		tx.Begin(ks, 0, 0)
		tx.Len(0)
		ks.evictOne(&tx, &shardKeys{ks: ks})
		ks.Learn()
		ks.Maintain()
	}
	wg.Wait()
}
