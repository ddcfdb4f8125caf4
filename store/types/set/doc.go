// Package set is the set type: distinct members.
//
//	small                                    large
//	┌─────┬─────────────────────────┐        package members
//	│kind │ n │ integers, in order   │
//	│kind │ n │ entries, as they came│
//	└─────┴─────────────────────────┘
//	one run of bytes
//
// A set of up to 512 integers is an array of them, as narrow as the widest needs
// to be: Redis' intset. Any other set of up to 128 members and 16 kB is a run of
// entries; beyond, it is large, for good. Integers take one to eight bytes in both
// entries and large sets.
//
// Cost: small, a binary search or a look through the entries; large, O(1).
//
// Encoding follows Redis' limits, which are not those of small: a set that once
// had a member of more than 64 bytes is a hashtable for OBJECT ENCODING, and
// small here.
//
// A member that is returned is valid until the set changes or the next one is
// asked for. A Value is guarded by its key's shard.
package set
