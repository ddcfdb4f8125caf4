package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store/slab"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/str"
	"github.com/nearcache/nearcache/store/types/zset"
)

// say is a value as text, whatever order its parts have.
func (v *modelValue) say() string {
	switch {
	case v.fields != nil:
		var l []string
		for k, x := range v.fields {
			l = append(l, fmt.Sprintf("%s=%q", k, x))
		}
		slices.Sort(l)
		return fmt.Sprint(l, " dies ", v.at)
	case v.scores != nil:
		var l []string
		for k, x := range v.scores {
			l = append(l, fmt.Sprintf("%s:%g", k, x))
		}
		slices.Sort(l)
		return fmt.Sprint(l, " dies ", v.at)
	}
	return fmt.Sprintf("%q dies %d", v.text, v.at)
}

// sayEntry is an Encoder that writes what say says, its key before it.
func sayEntry(b []byte, db int, e *Entry) []byte {
	v := &modelValue{at: e.ExpireAt()}
	switch x := e.Value().(type) {
	case *str.Value:
		v.text = string(x.B)
	case *hash.Value:
		v.fields = map[string]string{}
		x.Each(func(name string, value []byte) bool { v.fields[string([]byte(name))] = string(value); return true })
	case *zset.Value:
		v.scores = map[string]float64{}
		for it := x.From(0, false); it.Next(); {
			v.scores[string(it.Member())] = it.Score()
		}
	}
	for _, s := range []string{modelKey(db, e.Key()), v.say()} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// heard reads blocks of sayEntry. A key that comes twice fails.
type heard map[string]string

func (h heard) add(b []byte) error {
	for len(b) > 0 {
		var s [2]string
		for i := range s {
			n, w := binary.Uvarint(b)
			s[i] = string(b[w : w+int(n)])
			b = b[w+int(n):]
		}
		if _, twice := h[s[0]]; twice {
			return fmt.Errorf("key %.50q comes twice", s[0])
		}
		h[s[0]] = s[1]
	}
	return nil
}

func (h heard) compare(t testing.TB, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if h[k] != v {
			t.Errorf("%.60q was %.100q at the cut, the snapshot has %.100q", k, v, h[k])
		}
	}
	for k, v := range h {
		if _, ok := want[k]; !ok {
			t.Errorf("%.60q was not there at the cut, the snapshot has %.100q", k, v)
		}
	}
}

func (r *random) moment() map[string]string {
	m := map[string]string{}
	for _, k := range slices.Collect(maps.Keys(r.m)) {
		if v := r.live(k); v != nil {
			m[k] = v.say()
		}
	}
	return m
}

// TestSnapshotIsOneMoment changes the keyspace in all ways there are between the
// steps of a snapshot, of which some fail half way.
func TestSnapshotIsOneMoment(t *testing.T) {
	t.Parallel()
	const rounds = 3
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := newRandom(t, seed)
			if seed%2 == 1 { // what is compressed meanwhile moves, and is not saved by that
				r.ks.SetCompression(forced)
			}
			var tx Tx
			for range 300 {
				r.step(t, &tx)
			}
			stop := errors.New("stop")
			for round := range rounds {
				r.ks.ExpireDue(0) // what is due and still there is in a snapshot, and in no moment of the model
				snap, err := r.ks.Cut(sayEntry, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := r.moment()
				if _, err := r.ks.Cut(sayEntry, nil); err != ErrSnapshot {
					t.Fatalf("a second snapshot: %v", err)
				}
				got := heard{}
				breaks := round == 1
				n := 0
				err = snap.walk(func(b []byte) ([]byte, error) {
					if n++; breaks && n == 100 {
						return b, stop
					}
					for range r.rnd.IntN(6) {
						r.step(t, &tx)
					}
					switch r.rnd.IntN(30) {
					case 0:
						r.ks.ExpireDue(0)
					case 1:
						r.ks.Maintain()
					case 2, 3:
						r.ks.Compress(time.Hour)
					}
					snap.queue.Lock()
					full := snap.queue.full
					snap.queue.full = nil
					snap.queue.Unlock()
					for _, k := range full {
						b = append(b, k...)
						snap.recycle(k)
					}
					return b[:0], got.add(b)
				}, false)
				if breaks {
					if err != stop {
						t.Fatal(err)
					}
					snap.Close()
				} else {
					if err != nil {
						t.Fatal(err)
					}
					snap.end()
					got.compare(t, want)
					if n := snap.Waiting(); n != 0 {
						t.Errorf("%d bytes wait after the end", n)
					}
				}
				if err := snap.failed.Load(); err != nil {
					t.Error(*err)
				}
				r.all(t)
				if t.Failed() {
					return
				}
			}
			r.testStore.all(func(tx *Tx) { tx.Flush(-1) })
			r.ks.Maintain()
			if st := r.ks.arena.Stats(); st.Mapped != 0 || seed%2 == 0 && r.ks.Used() != 0 {
				t.Fatalf("an empty keyspace holds %d bytes and accounts %d", st.Mapped, r.ks.Used())
			}
		})
	}
}

// TestSnapshotWhileWriting races writers, a flush and a swap of databases with
// snapshots of many keys.
func TestSnapshotWhileWriting(t *testing.T) {
	t.Parallel()
	ks := New(Options{})
	defer ks.Close()
	const keys, writers = 12_000, 4
	name := func(i int) []byte { return fmt.Appendf(nil, "key:%d", i) }
	set := func(tx *Tx, db, i int, value string) {
		tx.Begin(ks, db, 1)
		k := name(i)
		tx.LockKey(k)
		e := tx.Find(k)
		if e != nil && i%3 == 0 {
			s := e.Value().(*str.Value)
			s.B = append(s.B[:0], value...)
		} else {
			e = tx.PutString(e, k, []byte(value), 0)
		}
		tx.Changed(e, ClassString, "set")
		tx.End()
	}
	var tx Tx
	for i := range keys {
		set(&tx, i%2, i, "first")
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 7))
			var tx Tx
			for n := 0; !stop.Load(); n++ {
				ks.CatchUp()
				i := rnd.IntN(keys)
				switch rnd.IntN(2000) {
				case 0:
					tx.Begin(ks, 0, 1)
					var all LockSet
					all.AddAll()
					tx.Lock(&all)
					tx.Swap(0, 1)
					tx.End()
				case 1:
					tx.Begin(ks, 0, 1)
					var all LockSet
					all.AddAll()
					tx.Lock(&all)
					tx.Flush(rnd.IntN(3) - 1)
					tx.End()
				case 2, 3, 4, 5, 6, 7, 8:
					tx.Begin(ks, rnd.IntN(2), 1)
					k := name(i)
					tx.LockKey(k)
					tx.Delete(k, "del")
					tx.End()
				default:
					set(&tx, rnd.IntN(2), i, fmt.Sprint(w, ":", n))
				}
			}
		})
	}
	for range 6 {
		want := map[string]string{}
		snap, err := ks.Cut(sayEntry, func(*Snapshot) {
			for i := range ks.shards {
				for db, s := range ks.shards[i].dbs {
					if s == nil {
						continue
					}
					s.each(func(ref slab.Ref) {
						r := s.record(ref)
						want[modelKey(db, string(r.key()))] = (&modelValue{text: string(r.value())}).say()
					})
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		got := heard{}
		if err := snap.Emit(context.Background(), got.add); err != nil {
			t.Fatal(err)
		}
		got.compare(t, want)
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if err := ks.Validate(); err != nil {
		t.Error(err)
	}
}

// TestAWriteThatOnlyReadsFailsTheSnapshot is the last line of defence: what the
// snapshot would have lost makes it fail.
func TestAWriteThatOnlyReadsFailsTheSnapshot(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.set("a", "1")
	snap, err := s.ks.Cut(sayEntry, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.update("a", func(tx *Tx) {
		tx.Reads = true
		e := tx.Find([]byte("a"))
		e.Value().(*str.Value).B[0] = '2'
		tx.Changed(e, ClassString, "set")
	})
	if err := snap.Emit(context.Background(), func([]byte) error { return nil }); err == nil {
		t.Fatal("a snapshot that has lost a value succeeds")
	}
	s.check(t)
}

// TestWritersWaitForASlowSnapshot lets more wait than may.
func TestWritersWaitForASlowSnapshot(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	value := string(make([]byte, 100_000))
	for i := range 50 {
		s.set(fmt.Sprint("k", i), value)
	}
	snap, err := s.ks.Cut(sayEntry, nil)
	if err != nil {
		t.Fatal(err)
	}
	snap.limit.Store(1 << 20)
	if snap.Pressed() {
		t.Error("nothing waits, and it is pressed")
	}
	for i := 0; !s.ks.Behind(); i++ {
		if i == 50 {
			t.Fatal("everything is saved, and nothing waits")
		}
		s.set(fmt.Sprint("k", i), "x")
	}
	if !snap.Pressed() {
		t.Error("writers wait, and it is not pressed")
	}
	done := make(chan struct{})
	go func() {
		s.ks.CatchUp()
		close(done)
	}()
	got := heard{}
	if err := snap.Emit(context.Background(), got.add); err != nil {
		t.Fatal(err)
	}
	<-done
	if len(got) != 50 {
		t.Fatalf("%d keys of 50", len(got))
	}
}

// TestSnapshotIsGivenUpBeforeWritersWait has it end in their place.
func TestSnapshotIsGivenUpBeforeWritersWait(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	value := string(make([]byte, 100_000))
	for i := range 50 {
		s.set(fmt.Sprint("k", i), value)
	}
	given := 0
	snap, err := s.ks.Cut(sayEntry, func(at *Snapshot) { at.GiveUp = func() { given++ } })
	if err != nil {
		t.Fatal(err)
	}
	snap.limit.Store(1 << 20)
	for i := range 50 {
		s.set(fmt.Sprint("k", i), "x")
		s.ks.CatchUp()
	}
	if given != 1 || s.ks.Behind() {
		t.Errorf("it was given up %d times; writers wait: %v", given, s.ks.Behind())
	}
	if err := snap.Emit(context.Background(), func([]byte) error { return nil }); err == nil {
		t.Error("one that was given up succeeds")
	}
	if s.ks.Snapshot() != nil {
		t.Error("it has not ended")
	}
	s.check(t)
}
