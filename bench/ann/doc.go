// Package ann measures approximate nearest-neighbour search: recall@k against
// queries per second, build time and memory, of nearcache's HNSW and FLAT and
// of two peers, hnswlib (C++, through Python) and coder/hnsw (Go).
//
//	go run ./cmd/nearcache bench ann                    # all of it; hnswlib is built into a cache folder
//	go run ./cmd/nearcache bench ann -engines nearcache,coder    # without Python
//	go run ./cmd/nearcache bench ann -data vectors.npy  # other vectors: float16, float32 or float64
//
// Everybody gets the same vectors and held-out queries, the same M and
// efConstruction, and one thread on one core. The engines take turns at each
// ef, several rounds; the fastest round counts, as noise only ever slows down.
// Each run is timed by the wall clock and by the processor time used, which
// other load on the machine disturbs less. A result counts as right if it is as near as
// the k-th of the exact search, so that equal vectors are not held against
// anybody.
//
// It writes a table to standard output, and JSON and a plot (SVG) into
// bench/results.
package ann
