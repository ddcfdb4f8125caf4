package evict

// poolSize is as many as Redis keeps (EVPOOL_SIZE).
const poolSize = 16

// pool holds the best candidates that earlier evictions have seen and not taken,
// in no order: there are few, and what they are worth changes with time.
type pool struct {
	c [poolSize]Candidate
	n int
}

// Sample offers a candidate for eviction. One that is in the pool already is
// seen anew; where the pool is full, the one worth keeping most leaves it.
func (sh *Shard) Sample(s *Setup, c Candidate, now int64) {
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

// Best takes the best candidate out of the pool; false where there is none. The
// key may be gone or have been used since it was sampled: look, and sample it
// again.
func (sh *Shard) Best(s *Setup, now int64) (best Candidate, ok bool) {
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
