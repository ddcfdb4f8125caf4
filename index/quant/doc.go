// Package quant makes small codes of vectors, so that a search reads a quarter
// of the memory or less, and estimates distances from them.
//
//	             codes (dim bytes, padded to 16)          header (16 bytes)
//	SQ8 row    [ u0 u1 u2 ...                      0 0 ] [ scale offset norm2 err|sum ]
//	             x_i is about offset + scale*u_i
//
// [SQ8] chooses scale and offset for each vector from its own smallest and
// largest component, as LVQ does (Aguerrebere et al., "Similarity search in
// the blink of an eye with compressed indices", VLDB 2023), without its common
// mean: nothing is trained, so nothing grows wrong when the data drifts, and a
// code depends on its vector alone. The header holds how far the decoded
// vector is from the original, which bounds the error of every estimate.
//
//	             16 rows' codes (4 bits a component)      their headers (16 x 16 bytes)
//	SQ4 block  [ a0a4 a1a5 .. | b0b4 .. | c0c4 .. | ... ] [ scales | offsets | norms | errs ]
//
// [Split] writes the vector itself, as such a row and what is missing in it: a
// walk reads a quarter of it, and no memory is needed besides the vectors'.
//
// [SQ4] is for scans of all rows that must not miss one: its estimates come
// with a bound that is proven. At 384 dimensions a scan reads 208 bytes a row
// where the vector has 1536.
//
// [SQ4Rows] is SQ8 with 4 bits, for walks on a graph that compare the vectors
// themselves at the end: on embeddings of MiniLM the 10 nearest are among the
// 15 nearest by their codes, and a row takes half of SQ8's time. It is for
// components of about one size: a much larger one makes the steps too wide.
//
// The types hold no vectors, only what is needed to read and write rows at
// addresses that the caller owns. They may be used by any number of goroutines
// at once, as long as nobody writes a row that another reads.
package quant
