// Package flat is the exact vector index: a search computes the distance to
// every vector that it may return. It is the oracle of the approximate ones,
// and the right answer for small sets and for strict filters.
//
//	slots    0     1     2     3
//	rows    [v]   [v]   [ ]   [v]     off-heap, a cache line's multiple each
//	labels   7     9           8
//	live     1     1     0     1      a bit each; what a search goes by
//
// # Threading
//
// Searches take no lock. A writer owns a label (slot.Labels.Lock), writes a
// row that nobody holds, and publishes it by its live bit; a replaced or
// removed row loses its bit at once and is used again when every operation
// that was running has ended (slot.Pool). A replacement moves a label to
// another slot; slot.Moves keeps a search that runs meanwhile from missing it.
package flat
