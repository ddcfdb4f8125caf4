package members

import (
	"math/bits"
	"math/rand/v2"
	"slices"
)

// index finds the record of a member. It is a hash table in pieces, so that it
// grows without a pause: the first bits of a hash choose a piece, which is split
// in two when it is full (extendible hashing, Fagin et al. 1979).
type index struct {
	mul   uint64   // makes hashes those of this table
	dir   []*piece // 1 << depth of them; a piece stands in several places
	depth int
	bytes int
}

// piece is a table of open addressing, probed from the place that the bits after
// the prefix of a hash choose.
type piece struct {
	refs  []Ref
	tags  []uint8 // the last bits of the hash
	n     int
	depth int // bits of the prefix
}

const (
	firstSlots = 128
	maxSlots   = 4096
)

// newIndex makes an empty index. Each has its own order: what is added in the order
// of another table would otherwise all want the same few slots.
func newIndex() index { return index{mul: rand.Uint64() | 1} }

func (x *index) hashOf(a *arena, r Ref) uint64 { return HashOf(a.member(r)) * x.mul }

func (x *index) newPiece(slots, depth int) *piece {
	x.bytes += 5*slots + 64
	return &piece{refs: make([]Ref, slots), tags: make([]uint8, slots), depth: depth}
}

func (x *index) piece(h uint64) *piece { return x.dir[h>>(64-x.depth)] }

// home is where the search for a hash begins.
func (p *piece) home(h uint64) int {
	return int(h << p.depth >> (65 - bits.Len(uint(len(p.refs)))))
}

// find returns the record of a member, 0 without one.
func (x *index) find(a *arena, member []byte, mark bool, h uint64) Ref {
	if x.dir == nil {
		return 0
	}
	p := x.piece(h)
	mask := len(p.refs) - 1
	for i := p.home(h); p.refs[i] != 0; i = (i + 1) & mask {
		if p.tags[i] == uint8(h) && a.is(p.refs[i], member, mark) {
			return p.refs[i]
		}
	}
	return 0
}

// insert adds a record whose member is not there.
func (x *index) insert(a *arena, r Ref, h uint64) {
	if x.dir == nil {
		x.dir = []*piece{x.newPiece(firstSlots, 0)}
	}
	p := x.piece(h)
	for (p.n+1)*5 > len(p.refs)*4 {
		x.grow(a, p)
		p = x.piece(h)
	}
	p.put(r, h)
}

func (p *piece) put(r Ref, h uint64) {
	i, mask := p.home(h), len(p.refs)-1
	for p.refs[i] != 0 {
		i = (i + 1) & mask
	}
	p.refs[i], p.tags[i] = r, uint8(h)
	p.n++
}

// maxDepth bounds the directory against hashes that agree in their first bits.
const maxDepth = 24

func (x *index) grow(a *arena, p *piece) {
	if len(p.refs) < maxSlots || p.depth >= maxDepth {
		x.resize(a, p, 2*len(p.refs))
		return
	}
	x.bytes -= 5*len(p.refs) + 64
	if p.depth == x.depth {
		dir := make([]*piece, 2*len(x.dir))
		for i := range dir {
			dir[i] = x.dir[i/2]
		}
		x.bytes += 8 * (len(dir) - len(x.dir))
		x.dir = dir
		x.depth++
	}
	halves := [2]*piece{x.newPiece(maxSlots, p.depth+1), x.newPiece(maxSlots, p.depth+1)}
	prefix := 0
	for _, r := range p.refs {
		if r != 0 {
			h := x.hashOf(a, r)
			prefix = int(h >> (64 - x.depth))
			halves[h<<p.depth>>63].put(r, h)
		}
	}
	// Where p stands: all places with its prefix.
	span := 1 << (x.depth - p.depth)
	first := prefix &^ (span - 1)
	for i := range span {
		x.dir[first+i] = halves[i*2/span]
	}
}

// replace puts another record of the same member in the place of one.
func (x *index) replace(r, by Ref, h uint64) {
	p := x.piece(h)
	i, mask := p.home(h), len(p.refs)-1
	for p.refs[i] != r {
		i = (i + 1) & mask
	}
	p.refs[i] = by
}

// remove takes out a record that is there.
func (x *index) remove(a *arena, r Ref, h uint64) {
	p := x.piece(h)
	mask := len(p.refs) - 1
	i := p.home(h)
	for p.refs[i] != r {
		i = (i + 1) & mask
	}
	p.n--
	// Those behind move up as far as their own place allows.
	for j := (i + 1) & mask; p.refs[j] != 0; j = (j + 1) & mask {
		home := p.home(x.hashOf(a, p.refs[j]))
		if (j-home)&mask >= (j-i)&mask {
			p.refs[i], p.tags[i] = p.refs[j], p.tags[j]
			i = j
		}
	}
	p.refs[i] = 0
	if p.n < len(p.refs)/8 && len(p.refs) > firstSlots {
		x.resize(a, p, len(p.refs)/2)
	}
}

// resize moves a piece to so many slots.
func (x *index) resize(a *arena, p *piece, slots int) {
	x.bytes -= 5*len(p.refs) + 64
	q := *p
	*p = *x.newPiece(slots, q.depth)
	for _, r := range q.refs {
		if r != 0 {
			p.put(r, x.hashOf(a, r))
		}
	}
}

// clone is an index of the same Refs.
func (x *index) clone() index {
	c := *x
	c.dir = make([]*piece, len(x.dir))
	for i, p := range x.dir {
		if i > 0 && p == x.dir[i-1] {
			c.dir[i] = c.dir[i-1]
			continue
		}
		q := *p
		q.refs, q.tags = slices.Clone(p.refs), slices.Clone(p.tags)
		c.dir[i] = &q
	}
	return c
}

// scan visits the records with hashes from cursor on until about count were
// seen, and returns the hash to go on from, 0 after the last. Hashes do not
// depend on the table's size, so what is there all the time is visited.
func (x *index) scan(a *arena, n int, cursor uint64, count int, visit func(Ref)) uint64 {
	if x.dir == nil || n == 0 {
		return 0
	}
	// A range of hashes in which about count members are expected.
	width := ^uint64(0)
	if count < n {
		width = max(^uint64(0)/uint64(n)*uint64(count), 1<<16)
	}
	for {
		end := cursor + width // exclusive
		done := count >= n || end <= cursor
		last := end - 1
		if done {
			last = ^uint64(0)
		}
		seen := 0
		for {
			p := x.piece(cursor)
			pieceLast := cursor | ^uint64(0)>>p.depth
			to := min(last, pieceLast)
			mask := len(p.refs) - 1
			stop := p.home(to)
			beyond := false
			for k, i := 0, p.home(cursor); k < len(p.refs); k, i = k+1, (i+1)&mask {
				if r := p.refs[i]; r == 0 {
					if beyond || i == stop {
						break
					}
				} else if h := x.hashOf(a, r); cursor <= h && h <= to {
					visit(r)
					seen++
				}
				beyond = beyond || i == stop
			}
			if to == last {
				break
			}
			cursor = to + 1
		}
		if done {
			return 0
		}
		if cursor = end; seen > 0 {
			return cursor
		}
	}
}
