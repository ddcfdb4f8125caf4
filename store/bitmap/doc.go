// Package bitmap does arithmetic on strings of bits: BITCOUNT, BITPOS, BITOP and
// BITFIELD. Bit 0 is the highest of the first byte. The functions are pure, and
// look at eight bytes at a time, or at 128 where the processor allows it.
package bitmap
