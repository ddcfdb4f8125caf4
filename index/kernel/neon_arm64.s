//go:build !noasm

#include "textflag.h"
#include "batch_arm64.h"

// V0 to V7 are the sums, V16 to V19 the query, V20 to V23 the row, unless said
// otherwise.

#define NONE

#define ZERO \
	VEOR V0.B16, V0.B16, V0.B16 \
	VEOR V1.B16, V1.B16, V1.B16 \
	VEOR V2.B16, V2.B16, V2.B16 \
	VEOR V3.B16, V3.B16, V3.B16 \
	VEOR V4.B16, V4.B16, V4.B16 \
	VEOR V5.B16, V5.B16, V5.B16 \
	VEOR V6.B16, V6.B16, V6.B16 \
	VEOR V7.B16, V7.B16, V7.B16

#define SUM4S \
	FADD4S(1, 0, 0)  \
	FADD4S(3, 2, 2)  \
	FADD4S(5, 4, 4)  \
	FADD4S(7, 6, 6)  \
	FADDP4S(2, 0, 0) \
	FADDP4S(6, 4, 4) \
	FADDP4S(4, 0, 0)

#define SUM2D \
	FADD2D(1, 0, 0)  \
	FADD2D(3, 2, 2)  \
	FADD2D(5, 4, 4)  \
	FADD2D(7, 6, 6)  \
	FADDP2D(2, 0, 0) \
	FADDP2D(6, 4, 1)

#define SUMI \
	VADD  V1.S4, V0.S4, V0.S4 \
	VADD  V3.S4, V2.S4, V2.S4 \
	VADD  V5.S4, V4.S4, V4.S4 \
	VADD  V7.S4, V6.S4, V6.S4 \
	VADDP V2.S4, V0.S4, V0.S4 \
	VADDP V6.S4, V4.S4, V4.S4 \
	VADDP V4.S4, V0.S4, V0.S4

#define QUERY64 VLD1.P 64(R7), [V16.B16, V17.B16, V18.B16, V19.B16]
#define ROW64(r) VLD1.P 64(r), [V20.B16, V21.B16, V22.B16, V23.B16]

// Components as wide as the query's.

#define DOT(FMLA, r, s, t) \
	ROW64(r)        \
	FMLA(20, 16, s) \
	FMLA(21, 17, t) \
	FMLA(22, 18, s) \
	FMLA(23, 19, t)

#define L2(FSUB, FMLA, r, s, t) \
	ROW64(r)         \
	FSUB(20, 16, 20) \
	FSUB(21, 17, 21) \
	FSUB(22, 18, 22) \
	FSUB(23, 19, 23) \
	FMLA(20, 20, s)  \
	FMLA(21, 21, t)  \
	FMLA(22, 22, s)  \
	FMLA(23, 23, t)

#define DOTF32(r, s, t) DOT(FMLA4S, r, s, t)
#define DOTF64(r, s, t) DOT(FMLA2D, r, s, t)
#define L2F32(r, s, t) L2(FSUB4S, FMLA4S, r, s, t)
#define L2F64(r, s, t) L2(FSUB2D, FMLA2D, r, s, t)

// func dotF32NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF32NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, DOTF32, SUM4S, STORE4X4, STORE3X4)

// func dotF64NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF64NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, DOTF64, SUM2D, STORE4X8, STORE3X8)

// func l2F32NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F32NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, L2F32, SUM4S, STORE4X4, STORE3X4)

// func l2F64NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F64NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, L2F64, SUM2D, STORE4X8, STORE3X8)

// Half floats: 32 components in 64 bytes of a row and 128 of the query, V24 to
// V31. Two widened vectors are in V16 and V17, or V18 and V19.

#define QUERY128 \
	VLD1.P 64(R7), [V24.B16, V25.B16, V26.B16, V27.B16] \
	VLD1.P 64(R7), [V28.B16, V29.B16, V30.B16, V31.B16]

#define DOTH(LOW, HIGH, r, s, t) \
	ROW64(r)          \
	LOW(20, 16)       \
	HIGH(20, 17)      \
	LOW(21, 18)       \
	HIGH(21, 19)      \
	FMLA4S(16, 24, s) \
	FMLA4S(17, 25, t) \
	FMLA4S(18, 26, s) \
	FMLA4S(19, 27, t) \
	LOW(22, 16)       \
	HIGH(22, 17)      \
	LOW(23, 18)       \
	HIGH(23, 19)      \
	FMLA4S(16, 28, s) \
	FMLA4S(17, 29, t) \
	FMLA4S(18, 30, s) \
	FMLA4S(19, 31, t)

#define SQUARE(q, x, s) \
	FSUB4S(x, q, x) \
	FMLA4S(x, x, s)

#define L2H(LOW, HIGH, r, s, t) \
	ROW64(r)          \
	LOW(20, 16)       \
	HIGH(20, 17)      \
	LOW(21, 18)       \
	HIGH(21, 19)      \
	SQUARE(24, 16, s) \
	SQUARE(25, 17, t) \
	SQUARE(26, 18, s) \
	SQUARE(27, 19, t) \
	LOW(22, 16)       \
	HIGH(22, 17)      \
	LOW(23, 18)       \
	HIGH(23, 19)      \
	SQUARE(28, 16, s) \
	SQUARE(29, 17, t) \
	SQUARE(30, 18, s) \
	SQUARE(31, 19, t)

#define DOTF16(r, s, t) DOTH(FCVTL, FCVTL2, r, s, t)
#define DOTBF16(r, s, t) DOTH(SHLL, SHLL2, r, s, t)
#define L2F16(r, s, t) L2H(FCVTL, FCVTL2, r, s, t)
#define L2BF16(r, s, t) L2H(SHLL, SHLL2, r, s, t)

// func dotF16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF16NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY128, DOTF16, SUM4S, STORE4X4, STORE3X4)

// func dotBF16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotBF16NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY128, DOTBF16, SUM4S, STORE4X4, STORE3X4)

// func l2F16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F16NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY128, L2F16, SUM4S, STORE4X4, STORE3X4)

// func l2BF16NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2BF16NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY128, L2BF16, SUM4S, STORE4X4, STORE3X4)

// Bytes. Products have 16 bits and are added in pairs to 32. SQ8 flips the
// row's upper bits, which makes r-128 of r: q*r = q*(r-128) + 128*q. V8 sums up
// q, V31 is 128 in each byte.

#define PRODUCTS(MULL, MULL2, ADALP, x, y, s, t) \
	MULL(x, y, 24)  \
	MULL2(x, y, 25) \
	ADALP(24, s)    \
	ADALP(25, t)

#define DOTB(MULL, MULL2, ADALP, s, t) \
	PRODUCTS(MULL, MULL2, ADALP, 20, 16, s, t) \
	PRODUCTS(MULL, MULL2, ADALP, 21, 17, s, t) \
	PRODUCTS(MULL, MULL2, ADALP, 22, 18, s, t) \
	PRODUCTS(MULL, MULL2, ADALP, 23, 19, s, t)

#define DOTI8(r, s, t) \
	ROW64(r) \
	DOTB(SMULL, SMULL2, SADALP, s, t)

#define DOTU8(r, s, t) \
	ROW64(r) \
	DOTB(UMULL, UMULL2, UADALP, s, t)

#define FLIP \
	VEOR V31.B16, V20.B16, V20.B16 \
	VEOR V31.B16, V21.B16, V21.B16 \
	VEOR V31.B16, V22.B16, V22.B16 \
	VEOR V31.B16, V23.B16, V23.B16

#define DOTSQ8(r, s, t) \
	ROW64(r) \
	FLIP     \
	DOTB(SMULL, SMULL2, SADALP, s, t)

#define INITSQ8 \
	VMOVI $128, V31.B16

#define ZEROSQ8 \
	ZERO                        \
	VEOR V8.B16, V8.B16, V8.B16

#define QUERYSQ8 \
	QUERY64        \
	SADDLP(16, 24) \
	SADDLP(17, 25) \
	SADDLP(18, 26) \
	SADDLP(19, 27) \
	SADALP(24, 8)  \
	SADALP(25, 8)  \
	SADALP(26, 8)  \
	SADALP(27, 8)

#define SUMSQ8 \
	VSHL $7, V8.S4, V8.S4     \
	VADD V8.S4, V0.S4, V0.S4  \
	VADD V8.S4, V2.S4, V2.S4  \
	VADD V8.S4, V4.S4, V4.S4  \
	VADD V8.S4, V6.S4, V6.S4  \
	SUMI

// Differences have 8 bits without their sign, whose squares are unsigned.

#define SQUARES(s, t) \
	PRODUCTS(UMULL, UMULL2, UADALP, 20, 20, s, t) \
	PRODUCTS(UMULL, UMULL2, UADALP, 21, 21, s, t) \
	PRODUCTS(UMULL, UMULL2, UADALP, 22, 22, s, t) \
	PRODUCTS(UMULL, UMULL2, UADALP, 23, 23, s, t)

#define DIFFERENCES(ABD, r) \
	ROW64(r)        \
	ABD(20, 16, 20) \
	ABD(21, 17, 21) \
	ABD(22, 18, 22) \
	ABD(23, 19, 23)

#define L2I8(r, s, t) \
	DIFFERENCES(SABD, r) \
	SQUARES(s, t)

#define L2U8(r, s, t) \
	DIFFERENCES(UABD, r) \
	SQUARES(s, t)

// func dotI8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotI8NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, DOTI8, SUMI, STORE4X4, STORE3X4)

// func dotU8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotU8NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, DOTU8, SUMI, STORE4X4, STORE3X4)

// func dotSQ8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotSQ8NEON(SB), NOSPLIT, $0-56
	KERNEL(INITSQ8, ZEROSQ8, QUERYSQ8, DOTSQ8, SUMSQ8, STORE4X4, STORE3X4)

// func l2I8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2I8NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, L2I8, SUMI, STORE4X4, STORE3X4)

// func l2U8NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2U8NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, L2U8, SUMI, STORE4X4, STORE3X4)

// The same with the dot product of four bytes, which ARMv8.2 has as an option
// and ARMv8.4 always.

#define DOTB4(DOT4, s, t) \
	DOT4(20, 16, s) \
	DOT4(21, 17, t) \
	DOT4(22, 18, s) \
	DOT4(23, 19, t)

#define DOTI8DP(r, s, t) \
	ROW64(r) \
	DOTB4(SDOT, s, t)

#define DOTU8DP(r, s, t) \
	ROW64(r) \
	DOTB4(UDOT, s, t)

#define DOTSQ8DP(r, s, t) \
	ROW64(r) \
	FLIP     \
	DOTB4(SDOT, s, t)

#define SQUARESDP(s, t) \
	UDOT(20, 20, s) \
	UDOT(21, 21, t) \
	UDOT(22, 22, s) \
	UDOT(23, 23, t)

#define L2I8DP(r, s, t) \
	DIFFERENCES(SABD, r) \
	SQUARESDP(s, t)

#define L2U8DP(r, s, t) \
	DIFFERENCES(UABD, r) \
	SQUARESDP(s, t)

// func dotI8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotI8DotProd(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, DOTI8DP, SUMI, STORE4X4, STORE3X4)

// func dotU8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotU8DotProd(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, DOTU8DP, SUMI, STORE4X4, STORE3X4)

// func dotSQ8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotSQ8DotProd(SB), NOSPLIT, $0-56
	KERNEL(INITSQ8, ZEROSQ8, QUERYSQ8, DOTSQ8DP, SUMSQ8, STORE4X4, STORE3X4)

// func l2I8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2I8DotProd(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, L2I8DP, SUMI, STORE4X4, STORE3X4)

// func l2U8DotProd(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2U8DotProd(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, L2U8DP, SUMI, STORE4X4, STORE3X4)

// Bits: the counts of four bytes, at most 32, then those of four and of more.

#define HAMMING(r, s, t) \
	ROW64(r)                          \
	VEOR   V16.B16, V20.B16, V20.B16  \
	VEOR   V17.B16, V21.B16, V21.B16  \
	VEOR   V18.B16, V22.B16, V22.B16  \
	VEOR   V19.B16, V23.B16, V23.B16  \
	VCNT   V20.B16, V20.B16           \
	VCNT   V21.B16, V21.B16           \
	VCNT   V22.B16, V22.B16           \
	VCNT   V23.B16, V23.B16           \
	VADD   V21.B16, V20.B16, V20.B16  \
	VADD   V23.B16, V22.B16, V22.B16  \
	VADD   V22.B16, V20.B16, V20.B16  \
	UADDLP(20, 20)                    \
	UADALP(20, s)

// func hammingNEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·hammingNEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERY64, HAMMING, SUMI, STORE4X4, STORE3X4)

// Planes lie size bytes apart and are V16 to V31, the row is V8 to V11. From
// the highest down, each plane adds its counts to the doubled ones: at most
// 15*8 for a byte.

#define QUERYBITS4 \
	ADD    R6, R7, R21                                     \
	ADD    R6, R21, R22                                    \
	ADD    R6, R22, R23                                    \
	VLD1.P 64(R7), [V16.B16, V17.B16, V18.B16, V19.B16]    \
	VLD1   (R21), [V20.B16, V21.B16, V22.B16, V23.B16]     \
	VLD1   (R22), [V24.B16, V25.B16, V26.B16, V27.B16]     \
	VLD1   (R23), [V28.B16, V29.B16, V30.B16, V31.B16]

#define PLANE(p, x) \
	VAND p.B16, x.B16, V13.B16     \
	VCNT V13.B16, V13.B16          \
	VADD V12.B16, V12.B16, V12.B16 \
	VADD V13.B16, V12.B16, V12.B16

#define PLANES(p0, p1, p2, p3, x, s) \
	VAND   p3.B16, x.B16, V12.B16  \
	VCNT   V12.B16, V12.B16        \
	PLANE(p2, x)                   \
	PLANE(p1, x)                   \
	PLANE(p0, x)                   \
	UADDLP(12, 12)                 \
	UADALP(12, s)

#define DOTBITS4(r, s, t) \
	VLD1.P 64(r), [V8.B16, V9.B16, V10.B16, V11.B16] \
	PLANES(V16, V20, V24, V28, V8, s)                \
	PLANES(V17, V21, V25, V29, V9, t)                \
	PLANES(V18, V22, V26, V30, V10, s)               \
	PLANES(V19, V23, V27, V31, V11, t)

// func dotBits4NEON(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotBits4NEON(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYBITS4, DOTBITS4, SUMI, STORE4X4, STORE3X4)
