// Package kernel computes the distance of one query to many rows. That is
// where a vector index spends its time, so a kernel takes a batch: four rows
// at once share each load of the query, and the next four are prefetched.
//
//	         q ──────────────┐
//	base ─┬ row 0            ├─► dst[i] = op(q, row slots[i])
//	      ├ row 1   slots ───┘
//	      └ row 2   (uint32)
//
// A row is stride bytes, a multiple of [RowAlign]; what lies behind the
// vector's own components is zero, in the rows and in the query, so no kernel
// has a tail. [All] is the one table: each row names what it computes, the
// element type, the instruction set and whether this CPU has it. The rows
// called "generic" are portable Go and define truth; the others may differ
// from them only by rounding. Building with -tags noasm leaves the portable
// rows.
//
// A kernel's result for a pair of vectors does not depend on the place of the
// row in the batch.
//
// Single vectors ([Normalize], [Decode]) are handled with viterin/vek.
package kernel
