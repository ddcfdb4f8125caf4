package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestLookupDeletesWhatIsDue(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.update("k", func(tx *Tx) {
		tx.SetExpire(s.put(tx, "k", "v"), s.now+100)
	})
	s.now += 99
	s.update("k", func(tx *Tx) {
		if tx.Find([]byte("k")) == nil {
			t.Fatal("gone a millisecond too early")
		}
	})
	s.now++
	s.log = nil
	s.update("k", func(tx *Tx) {
		if tx.Get([]byte("k")) != nil {
			t.Fatal("there after its time")
		}
		if hits, misses := tx.TakeHits(); hits != 0 || misses != 1 {
			t.Fatalf("%d hits, %d misses", hits, misses)
		}
	})
	s.want(t, "expired k", "DEL k")
	if s.ks.Expired() != 1 || s.ks.Used() != 0 {
		t.Fatalf("expired %d, used %d", s.ks.Expired(), s.ks.Used())
	}
}

func TestExpireDueDeletesUnreadKeysAndNoOthers(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const n = 3000
	for i := range n {
		key := fmt.Sprint("k", i)
		s.update(key, func(tx *Tx) {
			tx.DB = i % Databases
			e := s.put(tx, key, "v")
			if i%3 != 0 {
				tx.SetExpire(e, s.now+int64(1+i%3))
			}
		})
	}
	if got := s.ks.ExpireDue(0); got != 0 {
		t.Fatalf("%d expired before their time", got)
	}
	s.now++
	if got := s.ks.ExpireDue(0); got != 0 {
		t.Fatalf("%d expired before their time", got)
	}
	s.now++
	s.ks.SetActiveExpire(false)
	if got := s.ks.ExpireDue(0); got != 0 {
		t.Fatalf("%d expired while switched off", got)
	}
	s.ks.SetActiveExpire(true)
	if got := s.ks.ExpireDue(100); got < 100 || got > 100+expireSlice {
		t.Fatalf("%d expired with a limit of 100", got)
	}
	s.ks.ExpireDue(0)
	if got := s.ks.Expired(); got != n/3 {
		t.Fatalf("%d expired, want %d", got, n/3)
	}
	s.now++
	if got := s.ks.ExpireDue(0); got != n/3 {
		t.Fatalf("%d expired, want %d", got, n/3)
	}
	s.now += 1 << 40
	if got := s.ks.ExpireDue(0); got != 0 {
		t.Fatalf("%d keys without a time to live expired", got)
	}
	keys, volatile := s.count()
	if keys != n/3 || volatile != 0 {
		t.Fatalf("%d keys, %d volatile", keys, volatile)
	}
	s.check(t)
}

// TestNextExpiryFollowsEveryChange would miss keys in ExpireDue if a shard
// forgot to publish the soonest time.
func TestNextExpiryFollowsEveryChange(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	rnd := rand.New(rand.NewPCG(9, 10))
	for step := range 20_000 {
		key := fmt.Sprint("k", rnd.IntN(400))
		s.update(key, func(tx *Tx) {
			tx.DB = rnd.IntN(3)
			switch e := tx.Find([]byte(key)); {
			case e == nil:
				tx.SetExpire(s.put(tx, key, "v"), s.now+int64(rnd.IntN(100)))
			case rnd.IntN(3) == 0:
				tx.Delete([]byte(key), "del")
			default:
				tx.SetExpire(e, int64(rnd.IntN(2))*(s.now+int64(1+rnd.IntN(100))))
			}
		})
		if step%500 == 0 {
			s.check(t) // knows what is due next
		}
		s.now += int64(rnd.IntN(2))
	}
}
