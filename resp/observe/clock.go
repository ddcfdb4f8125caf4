package observe

import (
	"sync/atomic"
	"time"
)

// Clock is the time in Unix ms at the cost of one reading of the clock, where the
// system's takes two: it goes by Nanos and knows how far that is from the time. It
// must be Set now and then.
type Clock struct {
	Source func() int64 // in place of the system's

	away   atomic.Int64 // ns from Nanos to Unix time
	frozen atomic.Int64 // Unix ms
}

// NewClock makes a clock; source may be nil.
func NewClock(source func() int64) *Clock {
	k := &Clock{Source: source}
	k.Set()
	return k
}

// Set sets the clock by the system's.
func (k *Clock) Set() { k.away.Store(time.Now().UnixNano() - Nanos()) }

// Freeze stops the clock at a time; 0 lets it go on.
func (k *Clock) Freeze(at int64) { k.frozen.Store(at) }

// At is the Unix time in ms at a time of Nanos that is now.
func (k *Clock) At(nanos int64) int64 {
	if at := k.frozen.Load(); at != 0 {
		return at
	}
	if k.Source != nil {
		return k.Source()
	}
	return (nanos + k.away.Load()) / 1e6
}

// Now is the time in Unix ms.
func (k *Clock) Now() int64 { return k.At(Nanos()) }
