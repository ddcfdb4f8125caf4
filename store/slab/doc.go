// Package slab keeps the keyspace's records outside of the Go heap, where the
// garbage collector neither scans nor copies them.
//
//	Arena   one reserved range of addresses          4 kB pages, 2 MB chunks
//	  Heap  cells of one owner (a shard)             16 B to MaxCell
//	  Span  one large piece, reference counted       MaxCell to gigabytes
//
//	Heap ── class 112 B ── run of one page   [cell|cell|cell|…|tail]
//	     │              └─ run of one page   [cell|    |cell|…|tail]
//	     └─ class 1152 B ─ run of two pages  [cell|cell|…|tail]
//
// A [Ref] is a cell's distance from the arena's base in units of 8 bytes, so
// that going from a Ref to the bytes is one addition and touches nothing but
// the cell. Cells of one size lie in runs of pages; which are in use is a
// bitmap in the run's header, one cache line in an array beside the pages. The
// memory of a free cell is never read or written. Runs that become empty go
// back to the arena, neighbours coalesce (they are bits of a bitmap), and
// [Arena.Trim] gives them back to the system.
//
// Allocation takes the first free cell of the fullest run, so that sparse runs
// get a chance to become empty; [Heap.Evacuate] empties those that do not.
//
// # Concurrency
//
// An Arena may be used by many goroutines; its lock is a leaf, held for well
// under a microsecond but for growing, which calls the system. A Heap belongs
// to whoever holds its owner's lock. A Span's Retain and Release may be called
// by anyone who holds a reference.
//
// # Caveats
//
// The race detector does not see this memory. A cell's bytes may not be used
// after Free: they belong to the next cell, or are gone. Cells may not hold Go
// pointers.
package slab
