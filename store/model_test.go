package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/str"
	"github.com/nearcache/nearcache/store/types/zset"
)

// model is what a keyspace should hold: by database and key.
type model map[string]*modelValue

type modelValue struct {
	text   string             // of a string
	fields map[string]string  // of a hash
	scores map[string]float64 // of a sorted set
	at     int64              // expiry
}

// random runs random operations on a keyspace and on a model.
type random struct {
	*testStore
	rnd *rand.Rand
	m   model
}

func modelKey(db int, key string) string { return fmt.Sprint(db, ":", key) }

// lengths of values: around all limits of records, cells and spans.
var lengths = []int{0, 1, 5, 16, 40, 64, 100, 200, 255, 256, 1000, 4000, 4095, 4096, 4100, 9000, 16_000, 16_384, 16_800, 16_896, 17_000, 30_000, 70_000}

func (r *random) length() int {
	n := lengths[min(r.rnd.IntN(len(lengths)), r.rnd.IntN(len(lengths)))]
	return max(0, n+r.rnd.IntN(5)-2)
}

func (r *random) text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + (n+i*i)%26)
	}
	if n >= 8 {
		binary.LittleEndian.PutUint64(b, r.rnd.Uint64())
	}
	return string(b)
}

// key is one of few, so that they meet; some are long.
func (r *random) key() string {
	k := fmt.Sprint("k", r.rnd.IntN(60))
	switch r.rnd.IntN(30) {
	case 0:
		k += string(bytes.Repeat([]byte("x"), 250+r.rnd.IntN(10)))
	case 1:
		k += string(bytes.Repeat([]byte("x"), 17_000))
	case 2:
		return ""
	}
	return k
}

func (r *random) ttl() int64 {
	switch r.rnd.IntN(12) {
	case 0:
		return noDeadline + int64(r.rnd.IntN(3)) - 1 // around what the wheel files
	case 1:
		return 1<<62 + int64(r.rnd.IntN(1000))
	}
	return r.now + 1 + r.rnd.Int64N(1<<(1+r.rnd.IntN(20)))
}

// live is what the model has under a key, nil where it has expired.
func (r *random) live(k string) *modelValue {
	v := r.m[k]
	if v != nil && v.at != 0 && v.at <= r.now {
		delete(r.m, k)
		return nil
	}
	return v
}

// compare fails where the entry is not what the model says.
func (r *random) compare(t testing.TB, e *Entry, v *modelValue, what string) {
	t.Helper()
	if (e == nil) != (v == nil) {
		t.Fatalf("%s: there: %t, want %t", what, e != nil, v != nil)
	}
	if e == nil {
		return
	}
	if e.ExpireAt() != v.at {
		t.Fatalf("%s: expires at %d, want %d", what, e.ExpireAt(), v.at)
	}
	if e.Size() <= len(e.Key()) {
		t.Fatalf("%s: size %d", what, e.Size())
	}
	switch {
	case v.fields != nil:
		h, ok := e.Value().(*hash.Value)
		if !ok || h.Len() != len(v.fields) || e.Type() != hash.Type {
			t.Fatalf("%s: %v, want %d fields", what, e.Value(), len(v.fields))
		}
		h.Each(func(name string, value []byte) bool {
			if v.fields[name] != string(value) {
				t.Fatalf("%s: field %s is %.20q, want %.20q", what, name, value, v.fields[name])
			}
			return true
		})
	case v.scores != nil:
		z, ok := e.Value().(*zset.Value)
		if !ok || z.Len() != len(v.scores) || e.Type() != zset.Type {
			t.Fatalf("%s: %v, want %d members", what, e.Value(), len(v.scores))
		}
		for it := z.From(0, false); it.Next(); {
			if s, ok := v.scores[string(it.Member())]; !ok || s != it.Score() {
				t.Fatalf("%s: member %s has %g, want %g", what, it.Member(), it.Score(), s)
			}
		}
	default:
		s, ok := e.Value().(*str.Value)
		if !ok || string(s.B) != v.text || e.Type() != str.Type {
			t.Fatalf("%s: %d bytes, want %d", what, len(s.B), len(v.text))
		}
	}
}

// step does one operation on one or two keys, in one Tx that holds all shards
// or as few as it needs.
func (r *random) step(t testing.TB, tx *Tx) {
	db := r.rnd.IntN(3)
	a, b := r.key(), r.key()
	var set LockSet
	set.Add([]byte(a))
	set.Add([]byte(b))
	tx.Begin(r.ks, db, 1)
	tx.NoTouch = r.rnd.IntN(4) == 0
	switch r.rnd.IntN(10) {
	case 0:
		set.AddAll()
		tx.Lock(&set)
	case 1, 2:
		tx.Lock(&set)
	default:
		b = a
		tx.LockKey([]byte(a))
	}
	for range 1 + r.rnd.IntN(4) { // an EXEC of some commands
		r.command(t, tx, db, a, b)
		tx.FinishCommand(nil)
	}
	tx.End()
}

func (r *random) command(t testing.TB, tx *Tx, db int, a, b string) {
	ka, kb := modelKey(db, a), modelKey(db, b)
	va := r.live(ka)
	e := tx.Find([]byte(a))
	r.compare(t, e, va, ka)
	keep := r.rnd.IntN(3) == 0
	put := func(v *modelValue) {
		if keep && va != nil {
			v.at = va.at
		}
		r.m[ka] = v
	}
	switch op := r.rnd.IntN(16); {
	case op == 0: // SET
		text := r.text(r.length())
		at := []int64{0, KeepTTL, r.ttl()}[r.rnd.IntN(3)]
		e = tx.PutString(e, []byte(a), []byte(text), at)
		tx.Changed(e, ClassString, "set")
		v := &modelValue{text: text, at: max(at, 0)}
		if at == KeepTTL && va != nil {
			v.at = va.at
		}
		r.m[ka] = v
	case op == 1: // the same by an object
		text := r.text(r.length())
		put(&modelValue{text: text})
		tx.Changed(tx.Put([]byte(a), str.Copy([]byte(text)), keep), ClassString, "set")
	case op == 2 && va != nil && va.fields == nil && va.scores == nil: // APPEND
		more := r.text(r.length())
		if len(va.text)+len(more) > 200_000 {
			return
		}
		s := e.Value().(*str.Value)
		s.B = append(s.B, more...)
		va.text += more
		tx.Changed(e, ClassString, "append")
	case op == 3 && va != nil && len(va.text) > 0: // SETRANGE, without a word at times
		i := r.rnd.IntN(len(va.text))
		s := e.Value().(*str.Value)
		s.B[i] ^= 1
		b := []byte(va.text)
		b[i] ^= 1
		va.text = string(b)
		tx.Changed(e, ClassString, "setrange")
	case op <= 6: // HSET, HDEL
		var h *hash.Value
		v := &modelValue{fields: map[string]string{}}
		if va != nil && va.fields != nil {
			h, v = e.Value().(*hash.Value), va
		} else {
			h = hash.New()
			put(v)
			e = tx.Put([]byte(a), h, keep)
		}
		for range 1 + r.rnd.IntN(4) {
			name := fmt.Sprint("f", r.rnd.IntN(1+r.rnd.IntN(200)))
			if r.rnd.IntN(4) == 0 && len(v.fields) > 1 {
				h.Delete([]byte(name))
				delete(v.fields, name)
			} else {
				v.fields[name] = r.text(r.length() / 8)
				h.Set([]byte(name), []byte(v.fields[name]))
			}
		}
		if len(v.fields) == 0 {
			h.Set([]byte("f"), nil)
			v.fields["f"] = ""
		}
		tx.Changed(e, ClassHash, "hset")
	case op <= 8: // ZADD, ZREM
		var z *zset.Value
		v := &modelValue{scores: map[string]float64{}}
		if va != nil && va.scores != nil {
			z, v = e.Value().(*zset.Value), va
		} else {
			z = zset.New(1, 1)
			put(v)
			e = tx.Put([]byte(a), z, keep)
		}
		for range 1 + r.rnd.IntN(40) {
			member := fmt.Sprint("m", r.rnd.IntN(1+r.rnd.IntN(300)))
			if r.rnd.IntN(3) == 0 && len(v.scores) > 1 {
				z.Remove([]byte(member))
				delete(v.scores, member)
			} else {
				v.scores[member] = float64(r.rnd.IntN(1000))
				z.Set([]byte(member), v.scores[member])
			}
		}
		tx.Changed(e, ClassZSet, "zadd")
	case op == 9: // DEL
		if tx.Delete([]byte(a), "del") != (va != nil) {
			t.Fatalf("%s: deleted, was there: %t", ka, va != nil)
		}
		delete(r.m, ka)
	case op == 10 && va != nil: // EXPIRE, PERSIST
		at := []int64{0, r.ttl()}[r.rnd.IntN(2)]
		tx.SetExpire(e, at)
		tx.Changed(e, ClassGeneric, "expire")
		va.at = at
	case op == 11 && va != nil && a != b: // RENAME
		o, at := e.Value(), e.ExpireAt()
		tx.Delete([]byte(a), "rename_from")
		e = tx.Put([]byte(b), o, false)
		tx.SetExpire(e, at)
		tx.Changed(e, ClassGeneric, "rename_to")
		delete(r.m, ka)
		r.m[kb] = va
	case op == 12 && va != nil && a != b: // COPY
		at := e.ExpireAt()
		e = tx.Put([]byte(b), e.Value().Clone(), false)
		tx.SetExpire(e, at)
		tx.Changed(e, ClassGeneric, "copy_to")
		r.m[kb] = &modelValue{va.text, maps.Clone(va.fields), maps.Clone(va.scores), va.at}
	case op == 13 && va != nil: // a Go object of a type that does not pack
		e = tx.Put([]byte(a), &counter{n: 1}, keep)
		tx.Changed(e, ClassString, "set")
		if c, ok := tx.Find([]byte(a)).Value().(*counter); !ok || c.n != 1 {
			t.Fatal("is not what was put")
		}
		tx.Delete([]byte(a), "del")
		delete(r.m, ka)
	case op == 14 && tx.HoldsAll() && r.rnd.IntN(10) == 0: // FLUSHDB
		tx.Flush(db)
		for k := range r.m {
			if k[0] == byte('0'+db) {
				delete(r.m, k)
			}
		}
	case op == 14 && tx.HoldsAll() && r.rnd.IntN(2) == 0: // SWAPDB
		other := (db + 1) % 2
		tx.Swap(db, other)
		swapped := model{}
		for k, v := range r.m {
			switch k[0] {
			case byte('0' + db):
				k = modelKey(other, k[2:])
			case byte('0' + other):
				k = modelKey(db, k[2:])
			}
			swapped[k] = v
		}
		r.m = swapped
	case op == 15: // time passes
		tx.Now += int64(r.rnd.IntN(1 << r.rnd.IntN(12)))
		r.now = tx.Now
	}
	r.compare(t, tx.Peek([]byte(a)), r.live(ka), ka)
	r.compare(t, tx.Peek([]byte(b)), r.live(kb), kb)
}

// all compares the keyspace with the model as a whole.
func (r *random) all(t testing.TB) {
	t.Helper()
	for k := range r.m {
		r.live(k)
	}
	var tx Tx
	n := 0
	for db := range 3 {
		tx.Begin(r.ks, db, 1)
		tx.Each(func(e *Entry) bool {
			k := modelKey(db, e.Key())
			r.compare(t, e, r.m[k], k)
			n++
			return true
		})
	}
	if n != len(r.m) {
		t.Fatalf("%d keys, want %d", n, len(r.m))
	}
	r.check(t)
}

func newRandom(t testing.TB, seed uint64) *random {
	t.Helper()
	s := newStore(t)
	s.ks.observers = nil
	return &random{testStore: s, rnd: rand.New(rand.NewPCG(seed, 21)), m: model{}}
}

func TestKeyspaceIsAMap(t *testing.T) {
	t.Parallel()
	const steps = 5000
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := newRandom(t, seed)
			var tx Tx
			for i := range steps {
				r.step(t, &tx)
				if r.rnd.IntN(20) == 0 {
					r.ks.ExpireDue(0)
				}
				if r.rnd.IntN(20) == 0 {
					r.ks.Maintain()
				}
				if i%200 == 0 {
					r.all(t)
				}
			}
			r.all(t)
			r.testStore.all(func(tx *Tx) { tx.Flush(-1) })
			r.ks.Maintain()
			if st := r.ks.arena.Stats(); st.Mapped != 0 || r.ks.Used() != 0 {
				t.Fatalf("an empty keyspace holds %d bytes and accounts %d", st.Mapped, r.ks.Used())
			}
		})
	}
}

// TestWhatNobodyAnnouncesLeavesRecordsWhole changes values without Changed, as a
// command that fails half way does, and reads them all the same.
func TestWhatNobodyAnnouncesLeavesRecordsWhole(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	rnd := rand.New(rand.NewPCG(31, 32))
	for step := range 6000 {
		key := fmt.Sprint("k", rnd.IntN(20))
		s.update(key, func(tx *Tx) {
			e := tx.Find([]byte(key))
			if e == nil {
				if rnd.IntN(2) == 0 {
					e = tx.Put([]byte(key), hash.New(), false)
				} else {
					e = tx.Put([]byte(key), zset.New(1, 1), false)
				}
			}
			for range rnd.IntN(6) {
				name, n := fmt.Appendf(nil, "f%d", rnd.IntN(150)), rnd.IntN(100)
				switch v := e.Value().(type) {
				case *hash.Value:
					if rnd.IntN(2) == 0 {
						v.Delete(name)
					} else {
						v.Set(name, make([]byte, n))
					}
				case *zset.Value:
					if rnd.IntN(2) == 0 {
						v.Remove(name)
					} else {
						v.Set(name, float64(n))
					}
				}
				switch rnd.IntN(6) {
				case 0:
					tx.SetExpire(e, int64(rnd.IntN(2))*(s.now+1000))
				case 1:
					tx.Changed(e, ClassHash, "")
				}
			}
		})
		s.update(key, func(tx *Tx) {
			switch v := tx.Find([]byte(key)).Value().(type) {
			case *hash.Value:
				v.Each(func(name string, value []byte) bool {
					if name[0] != 'f' || len(value) > 100 {
						t.Fatalf("step %d: field %q of %d bytes", step, name, len(value))
					}
					return true
				})
			case *zset.Value:
				n := 0
				for it := v.From(0, false); it.Next(); n++ {
					if it.Member()[0] != 'f' {
						t.Fatalf("step %d: member %q", step, it.Member())
					}
				}
				if n != v.Len() {
					t.Fatalf("step %d: %d members of %d", step, n, v.Len())
				}
			}
		})
	}
}

// input makes random numbers of the bytes of a fuzzer, then of a generator.
type input struct {
	b []byte
	rand.PCG
}

// Uint64 implements rand.Source.
func (in *input) Uint64() uint64 {
	if len(in.b) == 0 {
		return in.PCG.Uint64()
	}
	n := min(len(in.b), 2) // enough for most choices, which take the upper bits
	x := uint64(in.b[0]) << 56
	if n == 2 {
		x |= uint64(in.b[1]) << 48
	}
	in.b = in.b[n:]
	return x | x>>16 | x>>32
}

// FuzzKeyspace lets the input choose the operations.
func FuzzKeyspace(f *testing.F) {
	for seed := range uint64(4) {
		b := make([]byte, 1000)
		rnd := rand.New(rand.NewPCG(seed, 22))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRandom(t, 1)
		in := &input{b: b[:min(len(b), 4000)]}
		r.rnd = rand.New(in)
		var tx Tx
		for len(in.b) > 0 {
			r.step(t, &tx)
		}
		r.ks.Maintain()
		r.all(t)
	})
}
