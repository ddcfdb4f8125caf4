package evict

// cache is a policy at work on a trace.
type cache interface {
	// ask reports whether object id is there; if not, it is put in.
	ask(id uint32) bool
}

// Rate is how many requests of a trace pass in a second of its time: a busy
// server, but slow enough that Redis' clock, which ticks once a second under lru,
// tells the keys apart.
const Rate = 2000

// policy makes a cache of a capacity in bytes for a trace.
type policy struct {
	Name string
	make func(t *Trace, capacity int64) cache
}

// residents are the objects in a cache, in an order that lets one be chosen at
// random.
type residents struct {
	ids []uint32
	at  []int32 // by object, -1 where it is not there
}

func newResidents(objects int) residents {
	r := residents{at: make([]int32, objects)}
	for i := range r.at {
		r.at[i] = -1
	}
	return r
}

func (r *residents) has(id uint32) bool { return r.at[id] >= 0 }

func (r *residents) add(id uint32) {
	r.at[id] = int32(len(r.ids))
	r.ids = append(r.ids, id)
}

func (r *residents) remove(id uint32) {
	at, last := r.at[id], len(r.ids)-1
	r.ids[at] = r.ids[last]
	r.at[r.ids[at]] = at
	r.ids = r.ids[:last]
	r.at[id] = -1
}
