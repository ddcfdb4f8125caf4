// Package stream is the stream type: entries of fields and values in the order
// of their IDs, and groups of consumers that read them.
//
//	Value ── leaves ─► [128]block ── data ─► names │ entry entry entry …
//	  │                first, last ID              flags ms seq values
//	  └ groups ─► Group ─ byID, byTime, Consumer.byID ─► pool of pending entries
//
// # Entries
//
// A block holds up to [MaxBlockEntries] entries, or [MaxBlockBytes] counted as
// Redis counts them: where its blocks end decides what XTRIM ~ removes, so each
// block knows how large the same entries would be as a listpack of Redis. The
// names of the fields of a block's first entry stand at its head; entries with
// the same names leave them out. IDs are differences to the entry before,
// mostly no byte at all. Values that are decimal integers are kept as integers.
// An entry that is deleted stays as a tombstone until its block has only such. One
// that trims by an ID may leave such a block behind, where its last tombstone has a
// greater one; so does Redis.
//
// The directory of blocks has two levels: appending and trimming cost O(1),
// finding an ID O(log n).
//
// # Groups
//
// A pending entry (delivered, not acknowledged) is 48 bytes in a pool without
// pointers, named by a number. Three orders of such numbers, of four bytes each,
// find it: by ID in its group, by ID in its consumer, and by the time of its
// delivery. In the last one those that no consumer owns (XNACK) come first.
//
// A Value is guarded by its key's shard lock. Slices that its methods return are
// valid until it changes, and at most while the lock is held.
package stream
