package evict

// poolSize is as many as Redis keeps (EVPOOL_SIZE).
const poolSize = 16

// pool holds the best candidates that earlier evictions have seen and not taken,
// in no order: there are few, and what they are worth changes with time.
type pool struct {
	c [poolSize]Candidate
	n int
}

// Keys are the keys of a shard, as Victim asks for them.
type Keys interface {
	// Sample is a random key of a database; false where none was found. volatile
	// asks for those with a time to live.
	Sample(db int, volatile bool) (Candidate, bool)
	// Look is the key of a candidate as it is now; false where it is gone, or has
	// no time to live and volatile asks for that.
	Look(c *Candidate, volatile bool) (Candidate, bool)
}

// Victim chooses who goes of a shard with so many databases; false where there
// is nobody.
func (sh *Shard) Victim(s *Setup, keys Keys, dbs int, now int64) (Candidate, bool) {
	for db := range dbs {
		for range s.samples() {
			c, ok := keys.Sample(db, s.Volatile)
			if !ok {
				break
			}
			sh.offer(s, c, now)
		}
	}
	for {
		c, ok := sh.best(s, now)
		if !ok {
			return c, false
		}
		is, ok := keys.Look(&c, s.Volatile)
		switch {
		case !ok:
		case is == c:
			return c, true
		default: // it was used, or is another: weigh it again
			sh.offer(s, is, now)
		}
	}
}

// offer puts a candidate into the pool. One that is in it already is seen anew;
// where it is full, the one worth keeping most leaves it.
func (sh *Shard) offer(s *Setup, c Candidate, now int64) {
	p := &sh.pool
	if s.score == nil { // any is as good: the newest, as the pool's may be gone
		p.c[0], p.n = c, 1
		return
	}
	at, m := p.n, sh.moment(now)
	least := uint64(0)
	for i := range p.n {
		if p.c[i].Hash == c.Hash && p.c[i].DB == c.DB {
			p.c[i] = c
			return
		}
		if p.n < poolSize {
			continue
		}
		if x := s.score(s, &p.c[i], m); i == 0 || x < least {
			at, least = i, x
		}
	}
	switch {
	case p.n < poolSize:
		p.n++
	case s.score(s, &c, m) <= least:
		return
	}
	p.c[at] = c
}

// best takes the best candidate out of the pool; false where there is none.
func (sh *Shard) best(s *Setup, now int64) (best Candidate, ok bool) {
	p := &sh.pool
	if p.n == 0 {
		return best, false
	}
	at, m := 0, sh.moment(now)
	if s.score != nil {
		most := uint64(0)
		for i := range p.n {
			if x := s.score(s, &p.c[i], m); i == 0 || x > most {
				at, most = i, x
			}
		}
	}
	best = p.c[at]
	p.n--
	p.c[at] = p.c[p.n]
	return best, true
}
