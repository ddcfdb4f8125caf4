// Package space says how vectors of an element type and a metric are checked,
// stored and compared. Every kind of vector index uses it, so that an element
// type means the same in all of them.
//
//	blob ──Parse──► row ──Query──► query form ─┐
//	                 │                         ├─ Walk  float32, for order alone
//	rows ────────────┴─────────────────────────┴─ Exact float64, the metric's distance
//
// What a row is:
//
//	FLOAT32, FLOAT64    the components, of COSINE scaled to length 1
//	FLOAT16, BFLOAT16   the components as they came; of COSINE a header behind them
//	INT8, UINT8         the same
//
// The header holds what scales the vector to length 1. RediSearch normalises
// FLOAT16 and BFLOAT16 and rounds again, which puts a vector up to 1e-2 from
// itself; here nothing is rounded that came in, and it is at 0.
//
// A [Space] is immutable and safe for concurrent use. None of its methods
// allocates.
package space
