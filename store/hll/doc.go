// Package hll counts distinct elements in strings of at most 12 kB, with an
// error of 0.81%: HyperLogLog with 16384 registers of 6 bits.
//
//	"HYLL" | encoding | 0 0 0 | count, 8 bytes | registers
//
//	dense   6 bits a register, the lowest bits first
//	sparse  runs: 00xxxxxx           x+1 registers are 0
//	              01xxxxxx yyyyyyyy  xy+1 registers are 0
//	              1vvvvvxx           x+1 registers are v+1
//
// The bytes are Redis', as it documents them at the head of its hyperloglog.c:
// strings move between the two with GET and SET, and the same elements give the
// same bytes. The count is cached; its highest bit says that it is out of date,
// and is estimated by O. Ertl's method (arXiv:1702.01284).
//
// The strings come from users. [Valid] looks at the head only, as Redis does;
// functions that read registers report false for runs that do not add up.
package hll
