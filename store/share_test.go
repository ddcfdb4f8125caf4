package store

import (
	"bytes"
	"testing"

	"github.com/nearcache/nearcache/store/slab"
	"github.com/nearcache/nearcache/store/types/str"
)

// What is shared stays as it is, whatever becomes of its key, and its memory is given back
// when nobody holds it any more.
func TestSharedStringsStayAsTheyAre(t *testing.T) {
	const size = 100_000
	value := func(tx *Tx, key string) *str.Value { return tx.Find([]byte(key)).Value().(*str.Value) }
	for name, change := range map[string]func(tx *Tx){
		"overwritten": func(tx *Tx) {
			tx.Changed(tx.PutString(tx.Find([]byte("k")), []byte("k"), bytes.Repeat([]byte{'n'}, size), 0), ClassString, "set")
		},
		"put": func(tx *Tx) {
			tx.Changed(tx.Put([]byte("k"), str.New(bytes.Repeat([]byte{'n'}, size)), false), ClassString, "set")
		},
		"edited": func(tx *Tx) {
			v := value(tx, "k")
			v.Grow(size)[7] = 'x'
			tx.Changed(tx.Find([]byte("k")), ClassString, "setrange")
		},
		"edited twice": func(tx *Tx) {
			for _, c := range "xy" {
				v := value(tx, "k")
				v.Grow(size)[7] = byte(c)
				tx.Changed(tx.Find([]byte("k")), ClassString, "setrange")
			}
		},
		"read, then edited": func(tx *Tx) {
			tx.Reads = true
			v := value(tx, "k")
			tx.Reads = false
			if e := tx.Find([]byte("k")); e.Value() != v {
				t.Error("another value")
			}
			v.Grow(size)[7] = 'x'
			tx.Changed(tx.Find([]byte("k")), ClassString, "setrange")
		},
		"longer": func(tx *Tx) {
			v := value(tx, "k")
			v.B = append(v.B, "more"...)
			tx.Changed(tx.Find([]byte("k")), ClassString, "append")
		},
		"given a time to live": func(tx *Tx) { tx.SetExpire(tx.Find([]byte("k")), tx.Now+1000) },
		"deleted":              func(tx *Tx) { tx.Delete([]byte("k"), "del") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			var shared []byte
			var span *slab.Span
			want := bytes.Repeat([]byte{'o'}, size)
			run := func(reads bool, f func(tx *Tx)) {
				var tx Tx
				tx.Reads = reads
				tx.Begin(s.ks, 0, 1)
				tx.LockKey([]byte("k"))
				f(&tx)
				tx.End()
			}
			run(false, func(tx *Tx) { tx.Changed(tx.PutString(nil, []byte("k"), want, 0), ClassString, "set") })
			run(true, func(tx *Tx) { shared, span = tx.Share(tx.Get([]byte("k"))) })
			if span == nil {
				t.Fatal("it is not shared")
			}
			run(false, change)
			var now []byte
			run(true, func(tx *Tx) {
				if e := tx.Find([]byte("k")); e != nil {
					now = bytes.Clone(e.Value().(*str.Value).B)
				}
			})
			if !bytes.Equal(shared, want) {
				t.Fatal("what is shared has changed")
			}
			if name != "given a time to live" && bytes.Equal(now, want) {
				t.Error("the string has not changed")
			}
			for range 20 { // others take what is free
				run(false, func(tx *Tx) {
					tx.Changed(tx.Put([]byte("k"), str.New(bytes.Repeat([]byte{'z'}, size)), false), ClassString, "set")
				})
			}
			if !bytes.Equal(shared, want) {
				t.Error("others have its memory")
			}
			before := s.ks.arena.Stats().Mapped
			span.Release()
			if n := before - s.ks.arena.Stats().Mapped; n < size {
				t.Errorf("%d bytes were given back", n)
			}
		})
	}
}

// What is in a cell, is no string, or may be changed, is not shared.
func TestWhatIsNotShared(t *testing.T) {
	s := newStore(t)
	var tx Tx
	tx.Begin(s.ks, 0, 1)
	tx.LockKey([]byte("k"))
	small := tx.PutString(nil, []byte("k"), make([]byte, 100), 0)
	tx.Reads = true
	if _, span := tx.Share(small); span != nil {
		t.Error("a cell is shared")
	}
	large := tx.PutString(small, []byte("k"), make([]byte, 100_000), 0)
	if _, span := tx.Share(large); span == nil {
		t.Error("a span is not shared")
	} else {
		span.Release()
	}
	tx.Reads = false
	if _, span := tx.Share(large); span != nil {
		t.Error("who may change it has it shared")
	}
	tx.End()
}
