// Package list is the list type.
//
// A small list is one piece of bytes: the number of elements and, one behind
// the other, the elements, each an entry of Redis' listpack format
// (https://github.com/antirez/listpack). It lies in its key's record. A large one is
// a deque of such pieces, called nodes, of up to 8 kB:
//
//	Value.dir ─► chunk ─► node  buf: ░░░░[e e e e e]░░
//	         │        │   node       lo─┘         └─hi
//	         │        └─► …up to 128
//	         └─► chunk ─► …
//
// Both ends cost O(1): a node has room on either side, and dropping an element
// at an end only moves lo or hi. An index is found by the counts of chunks,
// then of the chunk's nodes, then by walking one node from its nearer end.
// A node of one element longer than 8 kB (plain) holds it as it is.
//
// Where nodes are split and joined, and when OBJECT ENCODING says listpack and
// when quicklist, follows Redis' quicklist with list-max-listpack-size -2, so
// that both answer the same: sizes are those of a listpack with its header.
package list
