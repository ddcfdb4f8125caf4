package hash

import "github.com/nearcache/nearcache/store/members"

// Expiry is when a field dies in Unix ms, 0 for never; false where there is none.
func (v *Value) Expiry(name []byte) (at int64, ok bool) {
	if v.t == nil {
		p, ok := v.findSmall(name)
		return p.at, ok
	}
	r, _ := v.t.find(name)
	switch {
	case r == 0:
		return 0, false
	case v.t.m.Marked(r):
		return v.t.when(r), true
	}
	return 0, true
}

// SetExpiry gives a field, if there is one, a time to live, 0 for none.
func (v *Value) SetExpiry(name []byte, at int64) {
	if v.t == nil {
		v.Time()
		if p, ok := v.findSmall(name); ok {
			v.setExpirySmall(p, at)
		}
		if v.small[0]&flagTable == 0 || len(v.small) <= maxBytes {
			return
		}
		v.spread()
		return
	}
	if r, _ := v.t.find(name); r != 0 {
		v.t.setExpiry(name, at)
	}
}

// Time says that fields may get a time to live: where a listpack becomes a
// listpackex in Redis, whether or not one does.
func (v *Value) Time() {
	if v.t == nil {
		v.time()
	}
}

// NextExpiry implements object.Expiring.
func (v *Value) NextExpiry() int64 {
	if v.t != nil {
		if len(v.t.due) == 0 {
			return 0
		}
		return v.t.when(v.t.due[0])
	}
	if !v.timed() || v.n == 0 {
		return 0
	}
	return v.placeAt(headLen).at // the soonest stands first
}

// Expire implements object.Expiring.
func (v *Value) Expire(now int64, gone func(part []byte)) {
	if v.t == nil {
		for next := v.NextExpiry(); next != 0 && next <= now; next = v.NextExpiry() {
			p := v.placeAt(headLen)
			gone(v.small[p.name:p.value])
			v.change(p.start, p.end, 0)
			v.setLen(v.n - 1)
		}
		return
	}
	for len(v.t.due) > 0 && v.t.when(v.t.due[0]) <= now {
		r := v.t.due[0]
		name := v.t.m.Member(r)
		gone(name)
		v.t.remove(r, members.HashOf(name))
	}
}
