package store

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// A Tx that takes long (a script in an endless loop) must not keep others
// waiting for a mutex, where nobody can tell them why. So it lends: it goes on
// holding its shards, but not their mutexes. Whoever locks such a shard then
// finds that it is lent, lets go of all it has, and either hears the reason or
// waits for the end.

// lease marks shards that are held without their mutex.
type lease struct {
	reason error
	done   chan struct{} // closed at the end of the Tx
}

// Lend gives the mutexes of the shards that the Tx holds to those who wait for
// them. Until End they cannot do more than see the reason: TryLock returns it.
func (tx *Tx) Lend(reason error) {
	if tx.lease != nil || tx.single < 0 && tx.held == (LockSet{}) {
		return
	}
	tx.lease = &lease{reason, make(chan struct{})}
	tx.ks.leases.add(tx.lease)
	tx.eachHeld(func(sh *shard) {
		sh.lent = tx.lease
		sh.Unlock()
	})
}

// reclaim ends a lease: the mutexes are held again.
func (tx *Tx) reclaim() {
	tx.eachHeld(func(sh *shard) {
		sh.Lock()
		sh.lent = nil
	})
	tx.ks.leases.drop(tx.lease)
	close(tx.lease.done)
	tx.lease = nil
}

// leases are those in force.
type leases struct {
	n  atomic.Int32
	mu struct {
		sync.Mutex
		all map[*lease]struct{}
	}
}

func (l *leases) add(x *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.all == nil {
		l.mu.all = map[*lease]struct{}{}
	}
	l.mu.all[x] = struct{}{}
	l.n.Add(1)
}

func (l *leases) drop(x *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mu.all, x)
	l.n.Add(-1)
}

// Lent is why some shards are lent, nil where none is: for those who are about
// to visit all of them and would have to wait.
func (ks *Keyspace) Lent() error {
	if ks.leases.n.Load() == 0 {
		return nil
	}
	ks.leases.mu.Lock()
	defer ks.leases.mu.Unlock()
	for l := range ks.leases.mu.all {
		return l.reason
	}
	return nil
}

// eachHeld calls f with the shards that the Tx holds, in ascending order.
func (tx *Tx) eachHeld(f func(*shard)) {
	if tx.single >= 0 {
		f(&tx.ks.shards[tx.single])
		return
	}
	for w, m := range tx.held {
		for ; m != 0; m &= m - 1 {
			f(&tx.ks.shards[w<<6+bits.TrailingZeros64(m)])
		}
	}
}

// TryLockKey is LockKey, except that where the shard is lent it takes nothing
// and returns the reason.
func (tx *Tx) TryLockKey(key []byte) error {
	i := tx.home(key)
	sh := &tx.ks.shards[i]
	sh.Lock()
	if l := sh.lent; l != nil {
		sh.Unlock()
		return l.reason
	}
	tx.single = i
	return nil
}

// TryLock is Lock, except that where a shard is lent it takes nothing and
// returns the reason.
func (tx *Tx) TryLock(s *LockSet) error {
	if l := tx.lock(s); l != nil {
		return l.reason
	}
	return nil
}

// lock takes the shards of a set, or none where one is lent.
func (tx *Tx) lock(s *LockSet) *lease {
	for w, m := range s {
		for ; m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m)
			sh := &tx.ks.shards[w<<6+i]
			sh.Lock()
			tx.held[w] |= 1 << i
			if l := sh.lent; l != nil {
				tx.unlock() // this one too
				return l
			}
		}
	}
	return nil
}

// wait locks a shard, when it is lent after it has come back.
func (sh *shard) wait() {
	for sh.Lock(); sh.lent != nil; sh.Lock() {
		l := sh.lent
		sh.Unlock()
		<-l.done
	}
}

// tryShard is lockShard, except that it takes no shard that is lent.
func (tx *Tx) tryShard(i int) bool {
	if !tx.ks.shards[i].try() {
		return false
	}
	tx.single = i
	return true
}

// try locks a shard unless it is lent.
func (sh *shard) try() bool {
	sh.Lock()
	if sh.lent == nil {
		return true
	}
	sh.Unlock()
	return false
}
