// Package vset is the vector set: elements, each with a vector and, if it likes,
// attributes in JSON.
//
//	element ─► label ─► elements: name, attributes, length, range   order: labels by name
//	             │
//	             ├─ few:  rows          all are compared
//	             └─ many: hnsw.Graph    INT8 (Q8), FLOAT32 (NOQUANT) or BITS (BIN)
//
// Rows are what Redis keeps of a vector: at length 1, and then 8 bits a
// component by the largest (Q8), a bit a component (BIN), or float32. So VEMB, and
// the scores of VSIM, are Redis' own, digit by digit where it computes with whole
// numbers. See quant.go. Which elements are found is decided by our index, which
// finds them sooner than Redis does.
//
// # Threading
//
// A Value is guarded by its key's shard, with two exceptions, which keep that
// lock short.
//
// Insertion: [Value.Set] enters an element and returns a [Job]. Its Do puts the
// vector into the graph, and is called without the lock, by any number of
// goroutines at once. Until then the element has its row. The graph knows by the
// version, which is the element's number, when a removal has come first.
//
// Search: [Value.Begin] is called under the lock, and what it returns searches
// without it. It sees names and attributes by atomic loads. A label that is
// removed gets a new element only when every search has ended that began before
// (epochs, as in the graph itself).
//
// Saving: [Value.Save] needs no lock either. What is written meanwhile stays beside
// the graph, see beside, and gets into it by [Value.Absorb].
//
// The graph lies outside of the Go heap. A Value has no end that anyone would
// tell it about; so the collector's finding that nobody refers to the graph any
// more, no search either, closes it.
package vset
