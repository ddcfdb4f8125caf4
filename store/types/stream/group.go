package stream

import (
	"math"
	"slices"
	"sort"
	"strings"
	"unsafe"
)

// Group is a group of consumers.
type Group struct {
	Name string

	v     *Value
	last  ID
	read  int64
	chunk [][]pending // the pool: a reference's high bits are the chunk
	used  uint32      // references ever given, 0 is none
	free  uint32      // list of those given back
	tick  uint64
	byID  order
	times order

	consumers []*Consumer // by name
	slots     []*Consumer // by number; 0 is nobody
}

// Consumer is a member of a group.
type Consumer struct {
	Name   string
	Seen   int64 // when it tried to do something last, Unix ms
	Active int64 // when it succeeded last, -1 for never

	slot uint32
	byID order
}

// Pending is an entry that was delivered and is not acknowledged.
type Pending struct {
	ID       ID
	Time     int64     // of the last delivery, Unix ms; 0 for one that nobody owns
	Count    int64     // of deliveries
	Consumer *Consumer // nil where none owns it (XNACK)
}

// pending is Pending as it is kept.
type pending struct {
	ID    ID
	time  int64
	count int64
	tick  uint64 // orders those of the same time; of a free one the next free one
	owner uint32 // slot of the consumer
}

const (
	chunkBits = 8
	chunkSize = 1 << chunkBits

	// pendingCost is what a pending entry takes, with its three references.
	pendingCost = int(unsafe.Sizeof(pending{})) + 3*4

	groupSize    = int(unsafe.Sizeof(Group{})) + 16
	consumerSize = int(unsafe.Sizeof(Consumer{})) + 16
)

// timeKey sorts those without an owner first, in the order in which they lost it.
func (p *pending) timeKey() key {
	if p.owner == 0 {
		return key{0, p.tick}
	}
	return key{uint64(max(p.time, 0)) + 1, p.tick}
}

// UnknownReads is a group's number of entries read where it cannot be told.
const UnknownReads = -1

// Groups lists the groups by name. It must not be changed.
func (v *Value) Groups() []*Group { return v.groups }

func (v *Value) group(name string) (int, bool) {
	return sort.Find(len(v.groups), func(i int) int { return strings.Compare(name, v.groups[i].Name) })
}

// Group finds a group; nil where there is none.
func (v *Value) Group(name []byte) *Group {
	if i, ok := v.group(unsafe.String(unsafe.SliceData(name), len(name))); ok {
		return v.groups[i]
	}
	return nil
}

// CreateGroup makes a group that has read up to last, read entries in all; nil
// where there is one of that name.
func (v *Value) CreateGroup(name []byte, last ID, read int64) *Group {
	i, ok := v.group(string(name))
	if ok {
		return nil
	}
	g := &Group{Name: string(name), v: v, last: last, read: v.clampRead(read), slots: []*Consumer{nil}}
	g.times.byTime = true
	v.groups = slices.Insert(v.groups, i, g)
	v.names += groupSize + len(name)
	if v.minKnown && last.Less(v.minLast) {
		v.minKnown = false
	}
	return g
}

func (v *Value) clampRead(read int64) int64 {
	if read != UnknownReads {
		return min(read, v.added)
	}
	return read
}

// DeleteGroup removes a group.
func (v *Value) DeleteGroup(g *Group) {
	if i, ok := v.group(g.Name); ok {
		v.groups = slices.Delete(v.groups, i, i+1)
	}
	v.pending -= g.Len()
	v.names -= groupSize + len(g.Name)
	for _, c := range g.consumers {
		v.names -= consumerSize + len(c.Name)
	}
	v.minKnown = false
}

// Last is the ID delivered last.
func (g *Group) Last() ID { return g.last }

// Read is the number of entries read, or UnknownReads.
func (g *Group) Read() int64 { return g.read }

// SetLast sets the ID delivered last.
func (g *Group) SetLast(id ID) {
	if v := g.v; v.minKnown && (g.last == v.minLast || id.Less(v.minLast)) {
		v.minKnown = false
	}
	g.last = id
}

// SetRead sets the number of entries read, which is at most Added.
func (g *Group) SetRead(read int64) { g.read = g.v.clampRead(read) }

// Estimate sets the number of entries read to what the ID delivered last tells.
func (g *Group) Estimate() { g.read = g.v.readUpTo(g.last) }

// Deliver notes that the group has read an entry that follows the last one.
func (g *Group) Deliver(id ID) {
	v := g.v
	switch {
	case g.read != UnknownReads && !g.last.Less(v.First()) && !v.deletedAfter(g.last):
		g.read++
	case v.added != 0:
		g.read = v.readUpTo(id)
	}
	g.SetLast(id)
}

// deletedAfter reports whether an entry from id on was deleted.
func (v *Value) deletedAfter(id ID) bool {
	return v.length > 0 && !v.maxDeleted.IsZero() && !v.maxDeleted.Less(id)
}

// readUpTo is how many entries were ever added up to id, or UnknownReads.
func (v *Value) readUpTo(id ID) int64 {
	switch {
	case v.added == 0:
		return 0
	case v.length == 0 && !v.last.Less(id):
		return v.added
	case !id.IsZero() && id.Less(v.maxDeleted):
		return UnknownReads
	case id == v.last:
		return v.added
	case v.last.Less(id):
		return UnknownReads
	}
	first := v.First()
	if v.maxDeleted.IsZero() || v.maxDeleted.Less(first) {
		switch id.Compare(first) {
		case -1:
			return v.added - v.length
		case 0:
			return v.added - v.length + 1
		}
	}
	return UnknownReads
}

// Lag is how many entries the group has yet to read; false where it cannot be
// told.
func (g *Group) Lag() (int64, bool) {
	v := g.v
	if v.added == 0 || v.length == 0 {
		return 0, true
	}
	first := v.First()
	if g.last.Less(first) && v.maxDeleted.Less(first) {
		return v.length, true
	}
	if g.read != UnknownReads && !v.deletedAfter(g.last) {
		return v.added - g.read, true
	}
	if n := v.readUpTo(g.last); n != UnknownReads {
		return v.added - n, true
	}
	return 0, false
}

// Referenced reports whether a group has not read an entry yet, or has it pending.
func (v *Value) Referenced(id ID) bool {
	if len(v.groups) == 0 {
		return false
	}
	if !v.minKnown {
		v.minKnown = true
		v.minLast = MaxID
		for _, g := range v.groups {
			if g.last.Less(v.minLast) {
				v.minLast = g.last
			}
		}
	}
	if v.minLast.Less(id) {
		return true
	}
	for _, g := range v.groups {
		if g.find(id) != 0 {
			return true
		}
	}
	return false
}

// DropRefs removes the pending entries of an ID from all groups.
func (v *Value) DropRefs(id ID) {
	for _, g := range v.groups {
		g.Ack(id)
	}
}

// ---- consumers

// Consumers lists the consumers by name. It must not be changed.
func (g *Group) Consumers() []*Consumer { return g.consumers }

func (g *Group) consumer(name string) (int, bool) {
	return sort.Find(len(g.consumers), func(i int) int { return strings.Compare(name, g.consumers[i].Name) })
}

// Consumer finds a consumer; nil where there is none.
func (g *Group) Consumer(name []byte) *Consumer {
	if i, ok := g.consumer(unsafe.String(unsafe.SliceData(name), len(name))); ok {
		return g.consumers[i]
	}
	return nil
}

// CreateConsumer makes a consumer, seen now; nil where there is one of that name.
func (g *Group) CreateConsumer(name []byte, now int64) *Consumer {
	i, ok := g.consumer(string(name))
	if ok {
		return nil
	}
	c := &Consumer{Name: string(name), Seen: now, Active: -1}
	g.consumers = slices.Insert(g.consumers, i, c)
	if len(g.consumers) < len(g.slots) {
		for s := 1; s < len(g.slots); s++ { // one that was deleted left a place
			if g.slots[s] == nil {
				c.slot = uint32(s)
				g.slots[s] = c
				break
			}
		}
	}
	if c.slot == 0 {
		c.slot = uint32(len(g.slots))
		g.slots = append(g.slots, c)
	}
	g.v.names += consumerSize + len(name)
	return c
}

// DeleteConsumer removes a consumer and what is pending for it, and returns how
// much that was.
func (g *Group) DeleteConsumer(c *Consumer) int {
	n := c.byID.n
	for ref := c.byID.first(); ref != 0; ref = c.byID.first() {
		g.drop(ref)
	}
	if i, ok := g.consumer(c.Name); ok {
		g.consumers = slices.Delete(g.consumers, i, i+1)
	}
	g.slots[c.slot] = nil
	g.v.names -= consumerSize + len(c.Name)
	return n
}

// Len is the number of entries pending for the consumer.
func (c *Consumer) Len() int { return c.byID.n }

// ---- pending entries

func (g *Group) at(ref uint32) *pending { return &g.chunk[ref>>chunkBits][ref&(chunkSize-1)] }

// Len is the number of entries pending in the group.
func (g *Group) Len() int { return g.byID.n }

// Unowned is the number of pending entries that no consumer owns.
func (g *Group) Unowned() int {
	n := 0
	for s := (spot{}); ; s = g.times.after(s) {
		ref := g.times.get(s)
		if ref == 0 || g.at(ref).owner != 0 {
			return n
		}
		n++
	}
}

func (g *Group) alloc(id ID) uint32 {
	g.v.pending++
	ref := g.free
	if ref != 0 {
		g.free = uint32(g.at(ref).tick)
	} else {
		g.used++
		ref = g.used
		switch c := int(ref >> chunkBits); {
		case c > 0 && c == len(g.chunk):
			g.chunk = append(g.chunk, make([]pending, chunkSize))
		case c == 0 && len(g.chunk) == 0:
			g.chunk = [][]pending{make([]pending, 4)}
		case c == 0 && int(ref) == len(g.chunk[0]): // a small group's
			g.chunk[0] = append(make([]pending, 0, 2*ref), g.chunk[0]...)[:2*ref]
		}
	}
	*g.at(ref) = pending{ID: id}
	return ref
}

// drop removes a pending entry.
func (g *Group) drop(ref uint32) {
	p := g.at(ref)
	g.byID.remove(g, ref)
	g.times.remove(g, ref)
	if p.owner != 0 {
		g.slots[p.owner].byID.remove(g, ref)
	}
	p.tick = uint64(g.free)
	g.free = ref
	g.v.pending--
	if g.byID.n == 0 {
		g.chunk, g.used, g.free = nil, 0, 0
	} else if int(g.used) > 8*chunkSize && g.byID.n < int(g.used)/4 {
		g.compact()
	}
}

// compact moves what is left to the front of a pool of its own.
func (g *Group) compact() {
	old := *g
	n := g.byID.n
	g.chunk, g.used, g.free, g.tick = nil, 0, 0, 0
	g.v.pending -= n
	g.byID, g.times = order{}, order{byTime: true}
	for _, c := range g.consumers {
		c.byID = order{}
	}
	moved := make([]uint32, old.used+1)
	for s := (spot{}); ; s = old.byID.after(s) {
		ref := old.byID.get(s)
		if ref == 0 {
			break
		}
		p := old.at(ref)
		to := g.alloc(p.ID)
		*g.at(to) = *p
		moved[ref] = to
		g.byID.insert(g, to)
		if p.owner != 0 {
			g.slots[p.owner].byID.insert(g, to)
		}
	}
	for s := (spot{}); ; s = old.times.after(s) {
		ref := old.times.get(s)
		if ref == 0 {
			break
		}
		to := moved[ref]
		g.tick++
		g.at(to).tick = g.tick
		g.times.insert(g, to)
	}
}

func (g *Group) find(id ID) uint32 {
	if g.byID.n == 0 {
		return 0
	}
	ref := g.byID.get(g.byID.seek(g, id.key()))
	if ref == 0 || g.at(ref).ID != id {
		return 0
	}
	return ref
}

// Find looks for a pending entry.
func (g *Group) Find(id ID) (Pending, bool) {
	ref := g.find(id)
	if ref == 0 {
		return Pending{}, false
	}
	return g.pending(ref), true
}

func (g *Group) pending(ref uint32) Pending {
	p := g.at(ref)
	return Pending{p.ID, p.time, p.count, g.slots[p.owner]}
}

// Set makes an entry pending for a consumer, or changes what is known of one
// that is pending. Among those of the same time it is the last one.
func (g *Group) Set(id ID, c *Consumer, time, count int64) {
	ref := g.find(id)
	if ref == 0 {
		ref = g.alloc(id)
		g.byID.insert(g, ref)
	} else {
		g.times.remove(g, ref)
	}
	p := g.at(ref)
	if owner := c.number(); owner != p.owner {
		if p.owner != 0 {
			g.slots[p.owner].byID.remove(g, ref)
		}
		if p.owner = owner; c != nil {
			c.byID.insert(g, ref)
		}
	}
	g.tick++
	p.time, p.count, p.tick = time, count, g.tick
	g.times.insert(g, ref)
}

func (c *Consumer) number() uint32 {
	if c == nil {
		return 0
	}
	return c.slot
}

// Release takes a pending entry away from its consumer, or makes one that
// nobody owns: the next that is claimed, after those released before.
func (g *Group) Release(id ID, count int64) { g.Set(id, nil, 0, count) }

// Ack removes a pending entry; false where there is none.
func (g *Group) Ack(id ID) bool {
	ref := g.find(id)
	if ref == 0 {
		return false
	}
	g.drop(ref)
	return true
}

// Bounds are the least and greatest ID pending; there must be one.
func (g *Group) Bounds() (first, last ID) {
	return g.at(g.byID.first()).ID, g.at(g.byID.last()).ID
}

// After is the first entry pending in the group with id or a greater ID; with a
// consumer, of those that it owns.
func (g *Group) After(c *Consumer, id ID) (Pending, bool) {
	o := &g.byID
	if c != nil {
		o = &c.byID
	}
	if o.n == 0 {
		return Pending{}, false
	}
	if ref := o.get(o.seek(g, id.key())); ref != 0 {
		return g.pending(ref), true
	}
	return Pending{}, false
}

// Each calls f with what is pending in the group, or for a consumer, from an ID
// on, until f returns false. f must not change the group.
func (g *Group) Each(c *Consumer, from ID, f func(Pending) bool) {
	o := &g.byID
	if c != nil {
		o = &c.byID
	}
	if o.n == 0 {
		return
	}
	for s := o.seek(g, from.key()); ; s = o.after(s) {
		ref := o.get(s)
		if ref == 0 || !f(g.pending(ref)) {
			return
		}
	}
}

// EachOldest calls f with what is pending, the longest delivered first, until f
// returns false. f may Set the entry it is called with: one that moves
// behind the last is not met again.
func (g *Group) EachOldest(f func(Pending) bool) {
	if g.times.n == 0 {
		return
	}
	end := g.key(g.times.last(), true)
	for s := (spot{}); ; {
		ref := g.times.get(s)
		if ref == 0 {
			return
		}
		k := g.key(ref, true)
		if end.less(k) || !f(g.pending(ref)) || k == end {
			return
		}
		if s = g.times.seek(g, k); g.times.get(s) == ref && g.key(ref, true) == k {
			s = g.times.after(s)
		}
	}
}

// clone is a deep copy for another stream.
func (g *Group) clone(v *Value) *Group {
	c := *g
	c.v = v
	c.chunk = make([][]pending, len(g.chunk))
	for i := range g.chunk {
		c.chunk[i] = append(make([]pending, 0, len(g.chunk[i])), g.chunk[i]...)
	}
	c.byID, c.times = g.byID.clone(), g.times.clone()
	c.consumers = make([]*Consumer, len(g.consumers))
	c.slots = make([]*Consumer, len(g.slots))
	for i, o := range g.consumers {
		n := *o
		n.byID = o.byID.clone()
		c.consumers[i], c.slots[n.slot] = &n, &n
	}
	return &c
}

func (o *order) clone() order {
	c := *o
	c.leaves = make([][]uint32, len(o.leaves))
	for i, l := range o.leaves {
		c.leaves[i] = append(make([]uint32, 0, len(l)), l...)
	}
	return c
}

// maxCount is the greatest number of deliveries.
const maxCount = math.MaxInt64

// Again is the number of deliveries after one more.
func (p Pending) Again() int64 {
	if p.Count == maxCount {
		return p.Count
	}
	return p.Count + 1
}
