// Package slot is what every vector index is made of. An index numbers its
// vectors with dense slots; this package holds what hangs on them.
//
//	Arena   an off-heap array: address space reserved once, memory committed
//	        as it grows. It never moves, so readers need no lock to use it.
//	        It may begin as a private copy of a file's pages (Map), or lie in
//	        a file altogether (ReserveFile).
//	Labels  label → slot and last version; readers take no lock.
//	Pool    the scratch memory of operations, and the epochs that say when a
//	        slot may be used again: not before every operation that was
//	        running when the slot was retired has ended.
//	Alloc   hands out slots, reuses retired ones.
//	Top     the k nearest of a scan.
//	Moves   the labels whose vector moved to another slot lately, so that a
//	        search running meanwhile does not miss them.
//
// # Threading
//
// A reader enters the Pool, reads whatever it finds through atomic loads, and
// leaves. A writer that takes a slot out first makes it unreachable (atomic
// stores), then retires it with [Alloc.Retire]; the slot comes back from
// [Alloc.Take] only when [Pool.Oldest] has passed the epoch of its retirement.
// A reader that entered later cannot find the slot; one that entered earlier
// holds the epoch back.
package slot
