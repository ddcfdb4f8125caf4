package vset

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// beside is what is not in the graph yet, and what is to leave it.
//
// Mostly an insertion goes into the graph at once, by its Job, and so does a removal. While the
// graph is saved nothing does, so that nobody waits for that: rows stay beside the graph, where
// each search compares them all, until somebody calls Absorb; and what is removed leaves at the end.
// After a start rows are beside the graph that the saved one has not, or all, where there is none.
type beside struct {
	saving atomic.Bool  // nothing goes into the graph, nothing leaves it
	busy   atomic.Int64 // those who are about to change it, or do
	late   atomic.Int64 // rows that no job brings in
	leaves atomic.Int64 // len(mu.leaving)
	mu     struct {
		sync.Mutex
		left    []uint32 // labels that are in nothing any more
		leaving []leaving
	}
}

// leaving is a label that is to leave the graph, by that version.
type leaving struct {
	label  uint32
	number uint64
}

// maxUnseen is how many more the graph is asked for when some of it may not be seen.
const maxUnseen = 1024

// waiting is the row of the element with that number: a label may get another before the job is done that was to
// enter it.
type waiting struct {
	row    []byte
	number uint64
	late   atomic.Bool
}

// Job is the rest of an insertion: the vector goes into the graph.
type Job struct {
	v        *Value
	graph    *graph
	waits    *waiting // nil: it is there already
	label    uint32
	number   uint64
	old      uint32 // which the label replaces
	replaces bool
	ef       int
}

// enter is for who is about to change the graph, and has to call the function then; false
// while it is saved.
func (v *Value) enter() (end func(), ok bool) {
	v.busy.Add(1)
	if !v.saving.Load() {
		return v.leaveBusy, true
	}
	v.busy.Add(-1)
	return nil, false
}

func (v *Value) leaveBusy() { v.busy.Add(-1) }

// Lengthy implements store.Lengthy.
func (j *Job) Lengthy() {}

// Do implements store.Deferred.
func (j *Job) Do() {
	end, ok := j.v.enter()
	if !ok {
		j.Postpone()
		return
	}
	defer end()
	if j.waits != nil {
		// The number tells the graph if the element was removed meanwhile. It fails
		// where memory ends: then the row waits, and only TRUTH finds it.
		if j.graph.add(j.label, j.number, j.waits.row, j.ef) == nil {
			j.v.arrived(j.v.at(j.label), j.waits)
		}
	}
	if j.replaces {
		j.graph.remove(j.old, j.number)
		j.v.toLeft(j.old)
	}
}

// Postpone leaves the row beside the graph, until Absorb.
func (j *Job) Postpone() {
	v := j.v
	if w := j.waits; w != nil && !w.late.Swap(true) {
		v.late.Add(1)
		if v.at(j.label).row.Load() != w && w.late.Swap(false) { // it was removed meanwhile
			v.late.Add(-1)
		}
	}
	if j.replaces {
		v.leave(j.old, j.number)
	}
}

// Late is how many rows wait for Absorb.
func (v *Value) Late() int { return int(v.late.Load()) }

// unseen is how many labels may be in the graph that nobody is to see, or sees twice.
func (v *Value) unseen() int { return int(v.leaves.Load() + v.busy.Load()) }

// arrived ends the wait of a row, of any if w is nil.
func (v *Value) arrived(x *element, w *waiting) {
	if w == nil {
		w = x.row.Swap(nil)
	} else if !x.row.CompareAndSwap(w, nil) {
		return
	}
	if w != nil && w.late.Swap(false) {
		v.late.Add(-1)
	}
}

// leave takes a label out of the graph.
func (v *Value) leave(label uint32, number uint64) {
	if end, ok := v.enter(); ok {
		v.graph.remove(label, number)
		v.toLeft(label)
		end()
		return
	}
	v.at(label).state.Store(gone)
	v.mu.Lock()
	v.mu.leaving = append(v.mu.leaving, leaving{label, number})
	v.leaves.Store(int64(len(v.mu.leaving)))
	v.mu.Unlock()
	if !v.saving.Load() { // it has ended meanwhile, perhaps before it saw this
		v.letGo()
	}
}

func (v *Value) toLeft(label uint32) {
	v.mu.Lock()
	v.mu.left = append(v.mu.left, label)
	v.mu.Unlock()
}

// takeLeft returns the labels that are in nothing any more, once.
func (v *Value) takeLeft() []uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.mu.left
	v.mu.left = nil
	return l
}

// letGo takes out of the graph what has waited for that.
func (v *Value) letGo() {
	end, ok := v.enter()
	if !ok {
		return
	}
	defer end()
	v.mu.Lock()
	l := v.mu.leaving
	v.mu.leaving = nil
	v.mu.Unlock()
	for _, x := range l {
		v.graph.remove(x.label, x.number)
	}
	v.mu.Lock()
	for _, x := range l {
		v.mu.left = append(v.mu.left, x.label)
	}
	v.leaves.Store(int64(len(v.mu.leaving)))
	v.mu.Unlock()
}

// hold keeps the graph as it is until the function is called. Whoever changes it has ended then.
func (v *Value) hold() (end func()) {
	v.saving.Store(true)
	for v.busy.Load() > 0 {
		time.Sleep(holdPause)
	}
	return func() {
		v.saving.Store(false)
		v.letGo()
	}
}

const holdPause = 50 * time.Microsecond

// jobs returns at most so many insertions that are left to be done, of labels from that one on, of which it looks at
// no more than so many; and where to go on.
func (v *Value) jobs(from uint32, most, looks int) (jobs []*Job, next uint32) {
	end := uint32(min(uint64(from)+uint64(looks), uint64(v.used)))
	for ; from < end && len(jobs) < most; from++ {
		if w := v.at(from).row.Load(); w != nil {
			jobs = append(jobs, &Job{v: v, graph: v.graph, waits: w, label: from, number: w.number, ef: DefaultEF})
		}
	}
	return jobs, from
}

// Absorb returns some of the rows beside the graph as jobs, to be done when the key's lock is free, and where to go on:
// 0 at the end.
func (v *Value) Absorb(from uint32) (jobs []*Job, next uint32) {
	const most, looks = 64, 1 << 14 // under the key's lock
	if v.graph == nil {
		return nil, 0
	}
	jobs, next = v.jobs(from, most, looks)
	jobs = slices.DeleteFunc(jobs, func(j *Job) bool { return !j.waits.late.Load() })
	if next >= v.used {
		next = 0
	}
	return jobs, next
}
