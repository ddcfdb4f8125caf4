// Package zset is the sorted set: members, each with a score, in the order of
// (score, member's bytes).
//
//	small                          large
//	┌─────┬───────────────┐        tree: (score, ref) in nodes of 64, counts of what is below
//	│flags│ n │ entries … │          │
//	└─────┴───────────────┘          ▼ ref
//	one run of bytes, in order     package members: member → score
//
// A [Value] is small up to 128 members and 16 kB, and then large for good. A
// large one holds no Go pointer per member: nodes are numbers, of which the
// collector sees but one pointer for some fifty members.
//
// Cost: small, a look through the entries; large, O(1) for a score, O(log n) for
// adding, removing, a rank, and the member at a rank. All ranges become ranks
// first ([Value.ScoreRange], [Value.LexRange]) and are then walked by [Iter].
//
// A member that is returned points into the value; it is valid until the value
// changes. A Value is guarded by its key's shard.
//
// Encoding follows Redis' limits, which are not those of small: a set that once
// had a member of more than 64 bytes is a skiplist for OBJECT ENCODING, and small
// here. As in Redis, the listpack knows no -0.
package zset
