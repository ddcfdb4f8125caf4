// Package flat is the exact vector index: a search returns what comparing the
// query with every vector would. It is the oracle of the approximate ones, and
// the right answer for small sets and for strict filters.
//
//	slots    0     1     2     3
//	rows    [v]   [v]   [ ]   [v]     off-heap, as index/space stores them
//	codes   [----- 16 slots a block ] 4 bits a component, see quant.SQ4
//	labels   7     9           8
//	live     1     1     0     1      a bit each; what a search goes by
//
// # Search
//
// A scan of the rows is as slow as memory. So a search goes by the codes, which
// are an eighth of FLOAT32's size, and leaves out the rows that a proven bound
// excludes by what was found so far. The others wait as candidates, and their
// distances are computed from the rows, the likely nearest first, which
// improves the bound. Results are those of a plain scan, ties included. On
// 91,000 embeddings of 384 dimensions 1 nearest takes 28 distances, 10 nearest
// 157 (BenchmarkTop1 and its like compare both ways of searching).
//
// INT8 and UINT8 have no codes: they are small already. Few vectors, many
// results asked for, or a CPU without the instructions: all distances are
// computed. A filter that allows few labels: each is looked up.
//
// Codes take dim/2+16 bytes a vector besides the vector's own, which is 13% of
// FLOAT32 at 384 dimensions; Stats counts them. An addition takes 1 us more.
//
// # Threading
//
// Searches take no lock but for a moment when they have found something, as
// several goroutines may work for one of them, see parallel.go. A writer owns a
// label (slot.Labels.Lock), writes a row and its codes where nobody reads, and
// publishes them by the live bit; a replaced or removed row loses its bit at
// once and is used again when every operation that was running has ended
// (slot.Pool). Codes of several slots share cache lines, but no word: a scan
// may read what is being written beside what it looks for, and ignores it. A
// replacement moves a label to another slot; slot.Moves keeps a search that
// runs meanwhile from missing it.
package flat
