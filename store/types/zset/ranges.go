package zset

import (
	"bytes"

	"github.com/nearcache/nearcache/store/members"
)

// ScoreRange is a range of scores, its ends in it or not.
type ScoreRange struct {
	Min, Max     float64
	MinEx, MaxEx bool
}

func (r *ScoreRange) below(s float64) bool { return s < r.Min || r.MinEx && s == r.Min }
func (r *ScoreRange) above(s float64) bool { return s > r.Max || r.MaxEx && s == r.Max }

// Score ranks the members with scores in a range: lo to hi, hi excluded.
func (v *Value) ScoreRange(r *ScoreRange) (lo, hi int) {
	if r.Min > r.Max || r.Min == r.Max && (r.MinEx || r.MaxEx) {
		return 0, 0
	}
	if v.t != nil {
		lo = v.t.count(func(s float64, _ members.Ref) bool { return r.below(s) })
		hi = v.t.count(func(s float64, _ members.Ref) bool { return !r.above(s) })
		return lo, max(lo, hi)
	}
	for off := headLen; off < len(v.small); off = skip(v.small, off) {
		s, _ := scoreAt(v.small, off)
		if r.above(s) {
			break
		}
		if hi++; r.below(s) {
			lo++
		}
	}
	return lo, hi
}

// LexEnd is an end of a LexRange.
type LexEnd struct {
	Member []byte
	Ex     bool // the member itself is not in the range
	Inf    int8 // -1 is before, +1 after all members
}

// LexRange is a range of members of equal scores.
type LexRange struct{ Min, Max LexEnd }

// order compares the ends.
func (r *LexRange) empty() bool {
	if r.Min.Inf != 0 || r.Max.Inf != 0 {
		return r.Min.Inf > r.Max.Inf || r.Min.Inf == r.Max.Inf && r.Min.Inf != 0
	}
	c := bytes.Compare(r.Min.Member, r.Max.Member)
	return c > 0 || c == 0 && (r.Min.Ex || r.Max.Ex)
}

func (r *LexRange) below(m []byte) bool {
	switch e := &r.Min; {
	case e.Inf != 0:
		return e.Inf > 0
	case e.Ex:
		return bytes.Compare(m, e.Member) <= 0
	default:
		return bytes.Compare(m, e.Member) < 0
	}
}

func (r *LexRange) above(m []byte) bool {
	switch e := &r.Max; {
	case e.Inf != 0:
		return e.Inf < 0
	case e.Ex:
		return bytes.Compare(m, e.Member) >= 0
	default:
		return bytes.Compare(m, e.Member) > 0
	}
}

// LexRange ranks the members in a range: lo to hi, hi excluded. Where scores
// differ, which Redis leaves open, it is what a walk from the first (reverse:
// the last) that is in the range to the first that is not would find.
func (v *Value) LexRange(r *LexRange, reverse bool) (lo, hi int) {
	if v.n == 0 || r.empty() {
		return 0, 0
	}
	if v.t != nil {
		a := v.t.members
		lo = v.t.count(func(_ float64, f members.Ref) bool { return r.below(a.Member(f)) })
		hi = v.t.count(func(_ float64, f members.Ref) bool { return !r.above(a.Member(f)) })
		return lo, max(lo, hi)
	}
	return v.lexSmall(r, reverse)
}

func (v *Value) lexSmall(r *LexRange, reverse bool) (lo, hi int) {
	var ends [2][]byte // the first and the last member
	it := v.From(0, false)
	for i := 0; it.Next(); i++ {
		if i == 0 {
			ends[0] = it.Member()
		}
		ends[1] = it.Member()
	}
	if r.below(ends[1]) || r.above(ends[0]) {
		return 0, 0
	}
	it = v.From(0, false)
	if !reverse {
		for it.Next() && r.below(it.Member()) {
			lo++
		}
		for hi = lo; hi < v.n && !r.above(it.Member()); hi++ {
			it.Next()
		}
		return lo, hi
	}
	lo = 0
	for i := 0; it.Next(); i++ {
		if r.above(it.Member()) {
			continue
		}
		// hi is behind the last that is not above; lo behind the last before it
		// that is below.
		hi = i + 1
	}
	it = v.From(0, false)
	for i := 0; i < hi && it.Next(); i++ {
		if r.below(it.Member()) {
			lo = i + 1
		}
	}
	return lo, hi
}
