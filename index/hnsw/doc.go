// Package hnsw is the approximate vector index: a hierarchical navigable small
// world graph (Malkov and Yashunin, 2018) on flat off-heap arrays.
//
//	level 2                 4                upper: rows of M links,
//	                        │                a row for each level above 0
//	level 1     1 ───────── 4 ─── 6
//	            │           │     │
//	level 0     1 ─ 2 ─ 3 ─ 4 ─ 5 ─ 6 ─ 7    links: one row of 2M links a slot
//
//	slot        vectors   as they came, of cosine at length 1 (package space)
//	            codes     what a walk compares instead (package quant)
//	            sketches  a bit a component, which spare a walk most rows
//	            links     2M x uint32: neighbour+1, 0 ends the list
//	            nodes     state, tree parent, chain of equal vectors
//	            names     label
//
// What is there depends on [index.Quant]:
//
//	SQ4      vectors, 4-bit codes, sketches. From 384 dimensions on mostly faster
//	         than SQ8, by a tenth. Not the default: where one component is 40 times
//	         as large as the others, as some models have it, few of the 16 levels
//	         are left for these (MiniLM so changed, ef=10: recall .68, SQ8's .92).
//	SQ8      vectors, 8-bit codes, sketches. The default from 64 dimensions on.
//	NONE     FLOAT32 vectors in two parts (quant.Split), sketches: a walk reads
//	         the first, which is SQ8's code. Of other elements the vectors.
//	SQ8ONLY  8-bit codes; distances are the codes'
//	BINARY   1-bit codes, and the vectors in a file (slot.ReserveFile): a walk
//	         reads no vector, the end of a search those of its pool, and an
//	         insertion those among which it chooses neighbours, for which 1-bit
//	         codes are too rough
//
// A search descends greedily to level 1, takes the nearest few there, and
// explores level 0 from them: it expands the nearest node not yet expanded of
// a sorted pool of ef, gathers the neighbours not seen before, leaves out what
// their sketches say is far, computes the distances of the rest in one kernel
// call, and ends when all of the pool is expanded. These steps are under way
// for three nodes at once, so that none waits for memory (explore). What may
// be among the k nearest is then compared exactly. Nothing is allocated.
//
// # Where this departs from the paper
//
//   - Equal vectors are one node. Further labels of a vector hang on its node
//     in a chain, found by a hash of the vector. Thousands of equal vectors would
//     otherwise link only to each other and be a trap for every search.
//   - A spanning tree is kept in the graph: each node but one has a parent, and
//     the two link to each other at level 0, whatever the selection of neighbours
//     says. The parent is nearly always a neighbour that the selection keeps too.
//     So every node is reachable from every node, always; the plain algorithm
//     promises that for none.
//   - Removal leaves a tombstone, which is travelled through but not returned.
//     When a tenth is tombstones, or all is, they are repaired away together
//     (see repair.go): each node that links to one gets neighbours of it instead.
//   - A search whose pool would be a large part of the index, or whose filter
//     lets few through, scans instead of walking. Under other filters it walks
//     among what they let through, or as without a filter: whatever costs less
//     (filter.go).
//
// # Threading
//
// Searches take no lock and wait for nobody. They read links with atomic
// loads, and what they reach stays until they leave the pool (package slot).
// A list may change under a search: it then sees some of the old links and
// some of the new, all of which lead to nodes.
//
// Any number of goroutines may add and remove. Locks, taken downward only:
//
//	repair.mu       one repair at a time; a writer waits for it only if it is far behind
//	gate            shared by every writer, held by Save
//	label stripe    one writer for each label (slot.Labels)
//	entryMu         which node is the entry point, and which the tree's root
//	node stripe     the lists of a node, its tree children, its chain; never two at once
//	leaves          hash table, upper rows, tombstones, slots, contexts
//
// A node takes part in this order: pending (its slot is taken), linked (its
// own lists stand; only now links to it are made), live (its label may be
// returned), dead (no label is left), doomed (a repair is removing it), and
// then its slot is free. The rule that keeps links from leading to free slots:
// a repair first marks its tombstones doomed and then visits every node under
// its stripe; whoever writes a link looks, under the same stripe, whether the
// target is doomed. So a link to a doomed node is either refused or found.
//
// The tree cannot become a ring: an insertion hangs a new leaf on a node that
// hangs itself on the tree, and only the repair moves a node, after walking up
// from the new parent without meeting it.
//
// A repair runs on a goroutine that is started when needed and ends with it;
// Close waits for it.
package hnsw
