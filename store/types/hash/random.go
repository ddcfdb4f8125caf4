package hash

import (
	"math/rand/v2"

	"github.com/nearcache/nearcache/store/members"
)

// Random is a random field; the hash must not be empty.
func (v *Value) Random() (name string, value []byte) {
	if v.t != nil {
		r := v.t.m.Random(rand.Uint64)
		return stringOf(v.t.m.Member(r)), v.t.value(r)
	}
	off := headLen
	for range rand.IntN(v.n) {
		off = v.placeAt(off).end
	}
	return v.at(v.placeAt(off))
}

// Sample calls f with n different fields at random, n being at most Len, until it
// returns false.
func (v *Value) Sample(n int, f func(name string, value []byte) bool) {
	if v.t != nil && n < v.Len()/3 {
		taken := make(map[members.Ref]struct{}, n)
		for len(taken) < n {
			r := v.t.m.Random(rand.Uint64)
			if _, twice := taken[r]; twice {
				continue
			}
			taken[r] = struct{}{}
			if !f(stringOf(v.t.m.Member(r)), v.t.value(r)) {
				return
			}
		}
		return
	}
	// Knuth's algorithm S: each field is taken with the chance that leaves n in the
	// end.
	of := v.Len()
	v.Each(func(name string, value []byte) bool {
		if n > 0 && rand.IntN(of) < n {
			n--
			if !f(name, value) {
				return false
			}
		}
		of--
		return n > 0
	})
}

// Repeat calls f with n fields at random, each chosen from all, until it returns
// false.
func (v *Value) Repeat(n int, f func(name string, value []byte) bool) {
	if v.t != nil {
		for ; n > 0; n-- {
			r := v.t.m.Random(rand.Uint64)
			if !f(stringOf(v.t.m.Member(r)), v.t.value(r)) {
				return
			}
		}
		return
	}
	var room [MaxListpackFields]int32
	places := v.offsets(room[:0]) // which are looked for but once
	for ; n > 0; n-- {
		if !f(v.at(v.placeAt(int(places[rand.IntN(v.n)])))) {
			return
		}
	}
}
