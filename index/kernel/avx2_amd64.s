//go:build !noasm

#include "textflag.h"
#include "batch_amd64.h"

// Y0 to Y7 are the sums, Y8 to Y11 the query, Y12 to Y15 the row or constants.

#define S0 Y0
#define T0 Y1
#define S1 Y2
#define T1 Y3
#define S2 Y4
#define T2 Y5
#define S3 Y6
#define T3 Y7

// Components as wide as the query's.

#define QUERYF \
	VMOVUPS (SI)(R11*1), Y8   \
	VMOVUPS 32(SI)(R11*1), Y9

#define DOT(FMA, r, s, t) \
	FMA (r)(R11*1), Y8, s   \
	FMA 32(r)(R11*1), Y9, t

#define L2(SUB, FMA, r, s, t) \
	SUB (r)(R11*1), Y8, Y12   \
	SUB 32(r)(R11*1), Y9, Y13 \
	FMA Y12, Y12, s           \
	FMA Y13, Y13, t

#define DOTF32(r, s, t) DOT(VFMADD231PS, r, s, t)
#define DOTF64(r, s, t) DOT(VFMADD231PD, r, s, t)
#define L2F32(r, s, t) L2(VSUBPS, VFMADD231PS, r, s, t)
#define L2F64(r, s, t) L2(VSUBPD, VFMADD231PD, r, s, t)

// func dotF32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF32AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, DOTF32, SUMPS, STORE4X4, STORE3X4, 4)

// func dotF64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF64AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, DOTF64, SUMPD, STORE4X8, STORE3X8, 8)

// func l2F32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F32AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, L2F32, SUMPS, STORE4X4, STORE3X4, 4)

// func l2F64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F64AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYF, L2F64, SUMPD, STORE4X8, STORE3X8, 8)

// Half floats: 32 components in 64 bytes of a row and 128 of the query.

#define QUERYH \
	VMOVUPS (SI)(R11*2), Y8    \
	VMOVUPS 32(SI)(R11*2), Y9  \
	VMOVUPS 64(SI)(R11*2), Y10 \
	VMOVUPS 96(SI)(R11*2), Y11

#define WIDENF16(r) \
	VCVTPH2PS (r)(R11*1), Y12   \
	VCVTPH2PS 16(r)(R11*1), Y13 \
	VCVTPH2PS 32(r)(R11*1), Y14 \
	VCVTPH2PS 48(r)(R11*1), Y15

#define WIDENBF16(r) \
	VPMOVZXWD (r)(R11*1), Y12   \
	VPMOVZXWD 16(r)(R11*1), Y13 \
	VPMOVZXWD 32(r)(R11*1), Y14 \
	VPMOVZXWD 48(r)(R11*1), Y15 \
	VPSLLD    $16, Y12, Y12     \
	VPSLLD    $16, Y13, Y13     \
	VPSLLD    $16, Y14, Y14     \
	VPSLLD    $16, Y15, Y15

#define DOTH(WIDEN, r, s, t) \
	WIDEN(r)                  \
	VFMADD231PS Y12, Y8, s    \
	VFMADD231PS Y13, Y9, t    \
	VFMADD231PS Y14, Y10, s   \
	VFMADD231PS Y15, Y11, t

#define L2H(WIDEN, r, s, t) \
	WIDEN(r)                  \
	VSUBPS      Y12, Y8, Y12  \
	VSUBPS      Y13, Y9, Y13  \
	VSUBPS      Y14, Y10, Y14 \
	VSUBPS      Y15, Y11, Y15 \
	VFMADD231PS Y12, Y12, s   \
	VFMADD231PS Y13, Y13, t   \
	VFMADD231PS Y14, Y14, s   \
	VFMADD231PS Y15, Y15, t

#define DOTF16(r, s, t) DOTH(WIDENF16, r, s, t)
#define DOTBF16(r, s, t) DOTH(WIDENBF16, r, s, t)
#define L2F16(r, s, t) L2H(WIDENF16, r, s, t)
#define L2BF16(r, s, t) L2H(WIDENBF16, r, s, t)

// func dotF16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF16AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, DOTF16, SUMPS, STORE4X4, STORE3X4, 4)

// func dotBF16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotBF16AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, DOTBF16, SUMPS, STORE4X4, STORE3X4, 4)

// func l2F16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F16AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, L2F16, SUMPS, STORE4X4, STORE3X4, 4)

// func l2BF16AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2BF16AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYH, L2BF16, SUMPS, STORE4X4, STORE3X4, 4)

// Bytes are widened to 16 bits. VPMADDWD adds two products without saturation.

#define WIDEN(EXTEND, p, a, b, c, d) \
	EXTEND (p)(R11*1), a   \
	EXTEND 16(p)(R11*1), b \
	EXTEND 32(p)(R11*1), c \
	EXTEND 48(p)(R11*1), d

#define QUERYI8 WIDEN(VPMOVSXBW, SI, Y8, Y9, Y10, Y11)
#define QUERYU8 WIDEN(VPMOVZXBW, SI, Y8, Y9, Y10, Y11)

#define DOTB(EXTEND, r, s, t) \
	WIDEN(EXTEND, r, Y12, Y13, Y14, Y15) \
	VPMADDWD Y8, Y12, Y12                \
	VPMADDWD Y9, Y13, Y13                \
	VPMADDWD Y10, Y14, Y14               \
	VPMADDWD Y11, Y15, Y15               \
	VPADDD   Y12, s, s                   \
	VPADDD   Y13, t, t                   \
	VPADDD   Y14, s, s                   \
	VPADDD   Y15, t, t

#define L2B(EXTEND, r, s, t) \
	WIDEN(EXTEND, r, Y12, Y13, Y14, Y15) \
	VPSUBW   Y8, Y12, Y12                \
	VPSUBW   Y9, Y13, Y13                \
	VPSUBW   Y10, Y14, Y14               \
	VPSUBW   Y11, Y15, Y15               \
	VPMADDWD Y12, Y12, Y12               \
	VPMADDWD Y13, Y13, Y13               \
	VPMADDWD Y14, Y14, Y14               \
	VPMADDWD Y15, Y15, Y15               \
	VPADDD   Y12, s, s                   \
	VPADDD   Y13, t, t                   \
	VPADDD   Y14, s, s                   \
	VPADDD   Y15, t, t

#define DOTI8(r, s, t) DOTB(VPMOVSXBW, r, s, t)
#define DOTU8(r, s, t) DOTB(VPMOVZXBW, r, s, t)
#define L2I8(r, s, t) L2B(VPMOVSXBW, r, s, t)
#define L2U8(r, s, t) L2B(VPMOVZXBW, r, s, t)

// func dotI8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotI8AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYI8, DOTI8, SUMD, STORE4X4, STORE3X4, 4)

// func dotU8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotU8AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYU8, DOTU8, SUMD, STORE4X4, STORE3X4, 4)

// func dotSQ8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotSQ8AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYI8, DOTU8, SUMD, STORE4X4, STORE3X4, 4)

// func l2I8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2I8AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYI8, L2I8, SUMD, STORE4X4, STORE3X4, 4)

// func l2U8AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2U8AVX2(SB), NOSPLIT, $0-56
	KERNEL(NONE, ZERO, QUERYU8, L2U8, SUMD, STORE4X4, STORE3X4, 4)

// Bits are counted by nibble: a shuffle looks them up in a table of 16. (Mula,
// Kurz, Lemire: Faster Population Counts Using AVX2 Instructions, 2018.) The
// counts of bytes are added in bytes, at most 240, then those of 8 bytes.

DATA nibbles<>+0(SB)/8, $0x0302020102010100
DATA nibbles<>+8(SB)/8, $0x0403030203020201
GLOBL nibbles<>(SB), RODATA|NOPTR, $16

DATA low4<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL low4<>(SB), RODATA|NOPTR, $8

#define INITBITS \
	VBROADCASTI128 nibbles<>(SB), Y15 \
	VPBROADCASTQ   low4<>(SB), Y14

// COUNT replaces the bytes of x by their numbers of bits, using y.
#define COUNT(x, y) \
	VPSRLW  $4, x, y    \
	VPAND   Y14, x, x   \
	VPAND   Y14, y, y   \
	VPSHUFB x, Y15, x   \
	VPSHUFB y, Y15, y   \
	VPADDB  y, x, x

#define HAMMING(r, s, t) \
	VPXOR   (r)(R11*1), Y8, Y10   \
	VPXOR   32(r)(R11*1), Y9, Y11 \
	COUNT(Y10, Y12)               \
	COUNT(Y11, Y13)               \
	VPADDB  Y10, Y11, Y11         \
	VPXOR   Y10, Y10, Y10         \
	VPSADBW Y10, Y11, Y11         \
	VPADDD  Y11, s, s

// func hammingAVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·hammingAVX2(SB), NOSPLIT, $0-56
	KERNEL(INITBITS, ZERO, QUERYF, HAMMING, SUMD, STORE4X4, STORE3X4, 4)

// Planes lie size bytes apart, the first at R15. From the highest down, each
// adds its counts to the doubled ones: at most 15*8 for a byte. The registers
// hold no more than one row's, so each row loads the planes.

#define QUERYB4 \
	LEAQ (SI)(R11*1), R15

#define DOTB4HALF(half, r) \
	VMOVDQU half(r)(R11*1), Y13           \
	VPAND   half(R15)(R8*2), Y13, Y9      \
	ADDQ    R8, R15                       \
	VPAND   half(R15)(R8*2), Y13, Y8      \
	VPAND   half(R15), Y13, Y10           \
	SUBQ    R8, R15                       \
	VPAND   half(R15), Y13, Y11           \
	COUNT(Y8, Y12)                        \
	COUNT(Y9, Y12)                        \
	COUNT(Y10, Y12)                       \
	COUNT(Y11, Y12)                       \
	VPADDB  Y8, Y8, Y8                    \
	VPADDB  Y8, Y9, Y9                    \
	VPADDB  Y9, Y9, Y9                    \
	VPADDB  Y9, Y10, Y10                  \
	VPADDB  Y10, Y10, Y10                 \
	VPADDB  Y10, Y11, Y11

#define DOTBITS4(r, s, t) \
	DOTB4HALF(0, r)        \
	VPXOR   Y10, Y10, Y10  \
	VPSADBW Y10, Y11, Y11  \
	VPADDD  Y11, s, s      \
	DOTB4HALF(32, r)       \
	VPXOR   Y10, Y10, Y10  \
	VPSADBW Y10, Y11, Y11  \
	VPADDD  Y11, t, t

// func dotBits4AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotBits4AVX2(SB), NOSPLIT, $0-56
	KERNEL(INITBITS, ZERO, QUERYB4, DOTBITS4, SUMD, STORE4X4, STORE3X4, 4)
