package store

// expiry is a binary heap of the entries that have a time to live, soonest
// first. Each entry knows its place, so changing a TTL leaves nothing behind.
type expiry struct{ h []*Entry }

func (x *expiry) next() int64 {
	if len(x.h) == 0 {
		return 0
	}
	return x.h[0].expireAt
}

func (x *expiry) set(e *Entry, at int64) {
	switch had := e.expireAt != 0; {
	case at == 0 && had:
		x.remove(e)
	case at != 0 && !had:
		e.expireAt = at
		e.heapPos = int32(len(x.h))
		x.h = append(x.h, e)
		x.up(len(x.h) - 1)
	case at != 0:
		e.expireAt = at
		x.fix(int(e.heapPos))
	}
}

func (x *expiry) remove(e *Entry) {
	i, last := int(e.heapPos), len(x.h)-1
	e.expireAt = 0
	if i != last {
		x.h[i] = x.h[last]
		x.h[i].heapPos = int32(i)
	}
	x.h[last] = nil
	x.h = x.h[:last]
	if c := cap(x.h); c > 1024 && last < c/4 {
		x.h = append(make([]*Entry, 0, c/2), x.h...)
	}
	if i != last {
		x.fix(i)
	}
}

func (x *expiry) fix(i int) {
	if !x.down(i) {
		x.up(i)
	}
}

func (x *expiry) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if x.h[p].expireAt <= x.h[i].expireAt {
			return
		}
		x.swap(i, p)
		i = p
	}
}

func (x *expiry) down(i int) bool {
	start := i
	for {
		c := 2*i + 1
		if c >= len(x.h) {
			break
		}
		if c+1 < len(x.h) && x.h[c+1].expireAt < x.h[c].expireAt {
			c++
		}
		if x.h[i].expireAt <= x.h[c].expireAt {
			break
		}
		x.swap(i, c)
		i = c
	}
	return i > start
}

func (x *expiry) swap(i, j int) {
	x.h[i], x.h[j] = x.h[j], x.h[i]
	x.h[i].heapPos, x.h[j].heapPos = int32(i), int32(j)
}
