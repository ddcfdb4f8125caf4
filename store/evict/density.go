package evict

import (
	"math"
	"math/bits"
)

// The access word of lhd.
const (
	maxUses   = 0x7f // uses, counted up to there
	cameBack  = 0x80 // it was evicted before, and has not been used since it is back
	costShift = 8
	ageShift  = 16
)

const (
	useClasses = 8              // by the bits of the count of uses
	classes    = 2 * useClasses // those that came back are classes of their own
	// bins of ages: single ticks up to 8, then four to each doubling.
	bins = 60
	// turnover is how many ticks pass while as many keys are inserted as there are.
	turnover = 64
)

func class(access uint32) int {
	c := bits.Len32(access & maxUses)
	if access&cameBack != 0 {
		c += useClasses
	}
	return c
}

func bin(age uint16) int {
	if age < 8 {
		return int(age)
	}
	l := bits.Len16(age) - 1
	return 8 + (l-3)*4 + int(age>>(l-2)&3)
}

// width is how many ticks fall into a bin.
func width(b int) float64 {
	if b < 8 {
		return 1
	}
	return float64(int(1) << ((b-8)/4 + 1))
}

// density is a shard's part of lhd.
type density struct {
	clock  uint32 // ticks
	part   uint32 // of the next tick, in 1/65536
	events int    // in the histograms
	used   [classes][bins]uint16
	gone   [classes][bins]uint16
	ghosts sketch
	misses misses

	costs     float64 // sum of the logarithms of costs, as they were measured
	costCount int
}

func (d *density) bytes() int { return 4*classes*bins + 8*missSlots + 64*len(d.ghosts.lines) }

func (d *density) age(access uint32) uint16 { return uint16(d.clock) - uint16(access>>ageShift) }

func note(h *[classes][bins]uint16, access uint32, age uint16) {
	if n := &h[class(access)][bin(age)]; *n < math.MaxUint16 {
		*n++
	}
}

func (d *density) insert(s *Setup, hash uint64, now int64, keys int) uint32 {
	d.part += turnover << 16 / uint32(max(keys, 1))
	d.clock += d.part >> 16
	d.part &= 0xffff
	w := d.clock << ageShift
	if n := d.ghosts.get(hash); n > 0 {
		w |= min(maxUses, uint32(1)<<(n-1)) | cameBack
	}
	if s.Costs == Measured {
		if ms, ok := d.misses.take(hash, now); ok {
			c := encodeCost(ms)
			d.costs += float64(c)
			d.costCount++
			w |= uint32(c) << costShift
		}
	}
	return w
}

func (d *density) use(access uint32) uint32 {
	note(&d.used, access, d.age(access))
	d.events++
	uses := min(maxUses, access&maxUses+1)
	return d.clock<<ageShift | access&(0xff<<costShift) | uses
}

func (d *density) evict(c *Candidate, keys int) {
	note(&d.gone, c.Access, d.age(c.Access))
	d.events++
	if !d.ghosts.fits(keys) {
		d.ghosts = newSketch(keys)
	}
	d.ghosts.raise(c.Hash, uint8(max(1, bits.Len32(c.Access&maxUses))))
}

// Table is what was learned: the hit density of each class and age.
type Table struct {
	density [classes][bins]float32
	cost    float64 // of a key of which it is not known
}

// newTable is what is assumed before anything was learned: keys that were used
// more are worth more, and less with age.
func newTable() *Table {
	t := &Table{cost: 1}
	for c := range t.density {
		age := 0.0
		for b := range bins {
			t.density[c][b] = float32(float64(c%useClasses+1) / (1 + age))
			age += width(b)
		}
	}
	return t
}

// worthless is the score of lhd: the less a key is worth, for each byte, the
// sooner it goes. Of those worth nothing the youngest goes.
func worthless(s *Setup, c *Candidate, m moment) uint64 {
	age := m.ticks - uint16(c.Access>>ageShift)
	worth := float64(s.table.density[class(c.Access)][bin(age)]) / float64(max(c.Size, 1))
	if s.Costs != Ignored {
		if cost := uint8(c.Access >> costShift); cost > 0 {
			worth *= missCost + decoded[cost]
		} else {
			worth *= missCost + s.table.cost
		}
	}
	return ^math.Float64bits(worth + float64(age)*math.SmallestNonzeroFloat64)
}

var decoded = func() (t [maxCost + 1]float64) {
	for c := 1; c <= maxCost; c++ {
		t[c] = decodeCost(uint8(c))
	}
	return t
}()

// Learner turns what shards have seen into a Table. It belongs to one goroutine
// at a time. The zero value is ready.
type Learner struct {
	used, gone [classes][bins]float64
	costs      float64
	costCount  float64
	fresh      [2][classes][bins]float64 // used and gone since the last table
	events     int
}

const (
	// memory is how much of what was known counts after as many uses and evictions
	// as there are keys.
	memory = 0.95
	// doubt is how many events of a class count as much as those of all classes.
	doubt = 10
)

// Take takes over what a shard has seen. The shard's lock is held.
func (l *Learner) Take(sh *Shard) {
	d := sh.density
	if d == nil || d.events == 0 {
		return
	}
	for c := range classes {
		for b := range bins {
			l.fresh[0][c][b] += float64(d.used[c][b])
			l.fresh[1][c][b] += float64(d.gone[c][b])
		}
	}
	l.events += d.events
	l.costs += d.costs
	l.costCount += float64(d.costCount)
	d.used, d.gone, d.events = [classes][bins]uint16{}, [classes][bins]uint16{}, 0
	d.costs, d.costCount = 0, 0
}

// Learn returns a setup that goes by what was taken since the last time and,
// less, by what was known before; keys is how many there are. It returns s where
// there is nothing new.
func (l *Learner) Learn(s *Setup, keys int) *Setup {
	if l.events == 0 {
		return s
	}
	keep := math.Pow(memory, float64(l.events)/float64(max(keys, 1)))
	for c := range classes {
		for b := range bins {
			l.used[c][b] = l.used[c][b]*keep + l.fresh[0][c][b]
			l.gone[c][b] = l.gone[c][b]*keep + l.fresh[1][c][b]
		}
	}
	l.fresh, l.events = [2][classes][bins]float64{}, 0
	t := &Table{cost: 1}
	if l.costCount > 0 {
		t.cost = math.Exp2((l.costs/l.costCount - 1) / costSteps)
		l.costs, l.costCount = l.costs*keep, l.costCount*keep
	}
	var all sums
	var average [bins]float64
	for b := bins - 1; b >= 0; b-- {
		used, gone := 0.0, 0.0
		for c := range classes {
			used, gone = used+l.used[c][b], gone+l.gone[c][b]
		}
		average[b] = all.add(used, gone, width(b))
	}
	for c := range classes {
		var own sums
		for b := bins - 1; b >= 0; b-- {
			density := own.add(l.used[c][b], l.gone[c][b], width(b))
			known := own.events / (own.events + doubt)
			t.density[c][b] = float32(known*density + (1-known)*average[b])
		}
	}
	n := *s
	n.table = t
	return &n
}

// sums goes over ages from the greatest down.
type sums struct{ used, events, time float64 }

// add takes in a bin and returns the density there: uses at that age or a
// greater one, for all the time that keys of that age stay until then or until
// they go.
func (s *sums) add(used, gone, width float64) float64 {
	s.time += s.events*width + (used+gone)*width/2
	s.events += used + gone
	s.used += used
	if s.time == 0 {
		return 0
	}
	return s.used / s.time
}
