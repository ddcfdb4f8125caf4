//go:build !noasm

#include "textflag.h"
#include "batch_amd64.h"

// Z0 to Z7 are the sums, Z8 to Z11 the query, Z12 to Z15 the row, Z16 to Z19
// constants. Where a row needs one sum only, the odd ones are free.

#define S0 Z0
#define T0 Z1
#define S1 Z2
#define T1 Z3
#define S2 Z4
#define T2 Z5
#define S3 Z6
#define T3 Z7

// HALVES makes two Y of each sum.
#define HALVES \
	VEXTRACTF64X4 $1, Z0, Y1 \
	VEXTRACTF64X4 $1, Z2, Y3 \
	VEXTRACTF64X4 $1, Z4, Y5 \
	VEXTRACTF64X4 $1, Z6, Y7

// JOIN makes one sum of two.
#define JOIN(ADD) \
	ADD Z1, Z0, Z0 \
	ADD Z3, Z2, Z2 \
	ADD Z5, Z4, Z4 \
	ADD Z7, Z6, Z6

#define ONEPS \
	HALVES \
	SUMPS

#define ONEPD \
	HALVES \
	SUMPD

#define ONED \
	HALVES \
	SUMD

#define TWOPS \
	JOIN(VADDPS) \
	HALVES       \
	SUMPS

#define TWOD \
	JOIN(VPADDD) \
	HALVES       \
	SUMD

// Components as wide as the query's.

#define QUERYF \
	VMOVUPS (SI)(R11*1), Z8

#define DOTF32(r, s, t) \
	VFMADD231PS (r)(R11*1), Z8, s

#define DOTF64(r, s, t) \
	VFMADD231PD (r)(R11*1), Z8, s

#define L2F32(r, s, t) \
	VSUBPS      (r)(R11*1), Z8, Z12 \
	VFMADD231PS Z12, Z12, s

#define L2F64(r, s, t) \
	VSUBPD      (r)(R11*1), Z8, Z12 \
	VFMADD231PD Z12, Z12, s

// func dotF32AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF32AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, DOTF32, ONEPS, STORE4X4, STORE3X4, 4)

// func dotF64AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF64AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, DOTF64, ONEPD, STORE4X8, STORE3X8, 8)

// func l2F32AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F32AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, L2F32, ONEPS, STORE4X4, STORE3X4, 4)

// func l2F64AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F64AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, L2F64, ONEPD, STORE4X8, STORE3X8, 8)

// Half floats: 32 components in 64 bytes of a row and 128 of the query.

#define QUERYH \
	VMOVUPS (SI)(R11*2), Z8   \
	VMOVUPS 64(SI)(R11*2), Z9

#define WIDENF16(r) \
	VCVTPH2PS (r)(R11*1), Z12   \
	VCVTPH2PS 32(r)(R11*1), Z13

#define WIDENBF16(r) \
	VPMOVZXWD (r)(R11*1), Z12   \
	VPMOVZXWD 32(r)(R11*1), Z13 \
	VPSLLD    $16, Z12, Z12     \
	VPSLLD    $16, Z13, Z13

#define DOTH(WIDEN, r, s, t) \
	WIDEN(r)               \
	VFMADD231PS Z12, Z8, s \
	VFMADD231PS Z13, Z9, t

#define L2H(WIDEN, r, s, t) \
	WIDEN(r)                 \
	VSUBPS      Z12, Z8, Z12 \
	VSUBPS      Z13, Z9, Z13 \
	VFMADD231PS Z12, Z12, s  \
	VFMADD231PS Z13, Z13, t

#define DOTF16(r, s, t) DOTH(WIDENF16, r, s, t)
#define DOTBF16(r, s, t) DOTH(WIDENBF16, r, s, t)
#define L2F16(r, s, t) L2H(WIDENF16, r, s, t)
#define L2BF16(r, s, t) L2H(WIDENBF16, r, s, t)

// func dotF16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF16AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, DOTF16, TWOPS, STORE4X4, STORE3X4, 4)

// func dotBF16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotBF16AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, DOTBF16, TWOPS, STORE4X4, STORE3X4, 4)

// func l2F16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F16AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, L2F16, TWOPS, STORE4X4, STORE3X4, 4)

// func l2BF16AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2BF16AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, L2BF16, TWOPS, STORE4X4, STORE3X4, 4)

// Bytes. VPDPBUSD adds four products of unsigned by signed bytes, without
// saturation: made for SQ8. Where both are signed or both unsigned, the row's
// upper bits are flipped, which is the other kind less or plus 128:
//
//	int8:  q*r = q*(r+128) - 128*q
//	uint8: q*r = q*(r-128) + 128*q
//
// Z9 sums up what is to be taken away, 128*q or -128*q.

DATA sign<>+0(SB)/8, $0x8080808080808080
GLOBL sign<>(SB), RODATA|NOPTR, $8

#define INITSIGN \
	VPBROADCASTQ sign<>(SB), Z16

#define ZEROSIGN \
	ZERO              \
	VPXOR X9, X9, X9

#define CORRECTED \
	VPSUBD Z9, Z0, Z0 \
	VPSUBD Z9, Z2, Z2 \
	VPSUBD Z9, Z4, Z4 \
	VPSUBD Z9, Z6, Z6 \
	ONED

#define QUERYB \
	VMOVDQU64 (SI)(R11*1), Z8

#define QUERYI8 \
	QUERYB                \
	VPDPBUSD Z8, Z16, Z9

#define QUERYU8 \
	QUERYB                \
	VPDPBUSD Z16, Z8, Z9

#define DOTSQ8(r, s, t) \
	VMOVDQU64 (r)(R11*1), Z12 \
	VPDPBUSD  Z8, Z12, s

#define DOTI8(r, s, t) \
	VPXORQ   (r)(R11*1), Z16, Z12 \
	VPDPBUSD Z8, Z12, s

#define DOTU8(r, s, t) \
	VPXORQ   (r)(R11*1), Z16, Z12 \
	VPDPBUSD Z12, Z8, s

// func dotI8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotI8AVX512(SB), NOSPLIT, $0-56
	KERNEL(INITSIGN, ZEROSIGN, QUERYI8, DOTI8, CORRECTED, STORE4X4, STORE3X4, 4)

// func dotU8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotU8AVX512(SB), NOSPLIT, $0-56
	KERNEL(INITSIGN, ZEROSIGN, QUERYU8, DOTU8, CORRECTED, STORE4X4, STORE3X4, 4)

// func dotSQ8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotSQ8AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYB, DOTSQ8, ONED, STORE4X4, STORE3X4, 4)

// Differences need 9 bits, so bytes are widened to 16. VPDPWSSD adds two
// products, without saturation.

#define QUERYW(EXTEND) \
	EXTEND (SI)(R11*1), Z8   \
	EXTEND 32(SI)(R11*1), Z9

#define L2B(EXTEND, r, s, t) \
	EXTEND   (r)(R11*1), Z12   \
	EXTEND   32(r)(R11*1), Z13 \
	VPSUBW   Z8, Z12, Z12      \
	VPSUBW   Z9, Z13, Z13      \
	VPDPWSSD Z12, Z12, s       \
	VPDPWSSD Z13, Z13, t

#define QUERYWI8 QUERYW(VPMOVSXBW)
#define QUERYWU8 QUERYW(VPMOVZXBW)
#define L2I8(r, s, t) L2B(VPMOVSXBW, r, s, t)
#define L2U8(r, s, t) L2B(VPMOVZXBW, r, s, t)

// func l2I8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2I8AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYWI8, L2I8, TWOD, STORE4X4, STORE3X4, 4)

// func l2U8AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2U8AVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYWU8, L2U8, TWOD, STORE4X4, STORE3X4, 4)

// Bits.

#define HAMMING(r, s, t) \
	VPXORQ   (r)(R11*1), Z8, Z12 \
	VPOPCNTQ Z12, Z12            \
	VPADDQ   Z12, s, s

// func hammingAVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·hammingAVX512(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYB, HAMMING, ONED, STORE4X4, STORE3X4, 4)

// The bits of each byte are counted, VPDPBUSD multiplies the counts with the
// weight of the plane.

DATA weights<>+0(SB)/4, $0x01010101
DATA weights<>+4(SB)/4, $0x02020202
DATA weights<>+8(SB)/4, $0x04040404
DATA weights<>+12(SB)/4, $0x08080808
GLOBL weights<>(SB), RODATA|NOPTR, $16

#define INITBITS4 \
	VPBROADCASTD weights<>+0(SB), Z16  \
	VPBROADCASTD weights<>+4(SB), Z17  \
	VPBROADCASTD weights<>+8(SB), Z18  \
	VPBROADCASTD weights<>+12(SB), Z19

#define QUERYBITS4 \
	LEAQ      (SI)(R11*1), R15   \
	VMOVDQU64 (R15), Z8          \
	VMOVDQU64 (R15)(R8*1), Z9    \
	VMOVDQU64 (R15)(R8*2), Z10   \
	ADDQ      R8, R15            \
	VMOVDQU64 (R15)(R8*2), Z11

#define DOTBITS4(r, s, t) \
	VMOVDQU64 (r)(R11*1), Z15 \
	VPANDQ    Z8, Z15, Z12    \
	VPANDQ    Z9, Z15, Z13    \
	VPANDQ    Z10, Z15, Z14   \
	VPANDQ    Z11, Z15, Z15   \
	VPOPCNTB  Z12, Z12        \
	VPOPCNTB  Z13, Z13        \
	VPOPCNTB  Z14, Z14        \
	VPOPCNTB  Z15, Z15        \
	VPDPBUSD  Z16, Z12, s     \
	VPDPBUSD  Z17, Z13, t     \
	VPDPBUSD  Z18, Z14, s     \
	VPDPBUSD  Z19, Z15, t

// func dotBits4AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotBits4AVX512(SB), NOSPLIT, $0-56
	KERNEL(INITBITS4, ZERO, QUERYBITS4, DOTBITS4, TWOD, STORE4X4, STORE3X4, 4)
