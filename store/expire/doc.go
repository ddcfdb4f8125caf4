// Package expire is the timing wheel: it knows which records are due next.
//
//	level 0 │·│·│█│·│ … 64 slots of 1 ms ┐
//	level 1 │·│·│·│█│ … 64 slots of 64 ms│ a bit for each slot that is not empty
//	level 2 │·│█│·│·│ … 64 slots of 4 s  ┘
//	  …          │
//	             ▼
//	           chunk → chunk → chunk      64 bytes: up to 11 references
//
// A deadline is filed at the level of the highest group of six bits in which it
// differs from the wheel's time, in the slot that the group says (as the wheels
// of Linux and of tokio do). When the time enters a slot of a higher level, what
// lies there is filed anew, further down; at level 0 it is due, to the
// millisecond and in order. Adding, removing and taking out cost O(1).
//
// A [Wheel] knows no deadlines: what it hands out ([Wheel.Pop]) is due, or has
// come down a level, and its owner says which by adding it again. So a deadline
// that moves further away needs nothing at all: the reference comes up at the
// old time and is filed anew. That is what refreshing a time to live costs.
//
// Chunks lie in blocks outside of the Go heap. A record keeps the number of the
// chunk that its reference is in, its place, which fits into 20 bits; so it is
// found without a search. All chunks of a slot are full but the first, and the
// blocks of chunks fill up from below, see [Wheel.Compact]: 5.8 bytes a record.
//
// A Wheel belongs to whoever holds its owner's lock.
package expire
