//go:build !noasm && !race

#include "textflag.h"

// A query against rows of nibbles, see SQ4Rows. Up to 64 rows are called into
// the second cache level, then computed four at a time, which share each load
// of the query; fewer are filled up with copies of the first.
//
// DI dst, SI query, R8 base, R9 slots, R10 rows not called yet, R14 rows called
// and not computed yet, R12 stride, R13 size, R11 offset in the row, AX BX CX DX
// the rows.

#define ROW(i, r) \
	MOVL  (4*i)(R9), r \
	IMULQ R12, r       \
	ADDQ  R8, r

// KERNEL is a whole function. INIT sets constants; ZERO clears the sums of four
// rows; QUERY loads a line of the query's low and one of its high nibbles' codes,
// STEP(r, s, t) adds what they and the line at r+R11 make to the row's sums
// s and t; SUM brings the four results to X0.
#define KERNEL(INIT, ZERO, QUERY, STEP, SUM) \
	MOVQ  dst+0(FP), DI         \
	MOVQ  q+8(FP), SI           \
	MOVQ  base+16(FP), R8       \
	MOVQ  slots+24(FP), R9      \
	MOVQ  n+32(FP), R10         \
	MOVQ  stride+40(FP), R12    \
	MOVQ  size+48(FP), R13      \
	TESTQ R10, R10              \
	JLE   done                  \
	INIT                        \
call:                           \
	MOVQ    $64, R14            \
	CMPQ    R10, R14            \
	CMOVQLT R10, R14            \
	SUBQ    R14, R10            \
	XORL    R15, R15            \
callrow:                        \
	MOVL  (R9)(R15*4), AX       \
	IMULQ R12, AX               \
	ADDQ  R8, AX                \
	XORL  R11, R11              \
callline:                       \
	PREFETCHT1 (AX)(R11*1)      \
	ADDQ       $64, R11         \
	CMPQ       R11, R13         \
	JLT        callline         \
	PREFETCHT1 -1(AX)(R12*1)    \
	INCQ       R15              \
	CMPQ       R15, R14         \
	JLT        callrow          \
group:                          \
	ROW(0, AX)                  \
	MOVQ AX, BX                 \
	MOVQ AX, CX                 \
	MOVQ AX, DX                 \
	CMPQ R14, $2                \
	JLT  rows                   \
	ROW(1, BX)                  \
	CMPQ R14, $3                \
	JLT  rows                   \
	ROW(2, CX)                  \
	CMPQ R14, $4                \
	JLT  rows                   \
	ROW(3, DX)                  \
rows:                           \
	ZERO                        \
	XORL R11, R11               \
line:                           \
	QUERY                       \
	STEP(AX, S0, T0)            \
	STEP(BX, S1, T1)            \
	STEP(CX, S2, T2)            \
	STEP(DX, S3, T3)            \
	ADDQ $64, R11               \
	CMPQ R11, R13               \
	JLT  line                   \
	SUM                         \
	CMPQ    R14, $4             \
	JLT     part                \
	VMOVDQU X0, (DI)            \
	ADDQ    $16, R9             \
	ADDQ    $16, DI             \
	SUBQ    $4, R14             \
	JNZ     group               \
	TESTQ   R10, R10            \
	JNZ     call                \
	JMP     done                \
part:                           \
	VMOVD   X0, (DI)            \
	CMPQ    R14, $2             \
	JLT     done                \
	VPEXTRD $1, X0, 4(DI)       \
	JEQ     done                \
	VPEXTRD $2, X0, 8(DI)       \
done:                           \
	VZEROUPPER                  \
	RET

// LANES adds up the lanes of Y0, Y2, Y4 and Y6 to X0.
#define LANES \
	VPHADDD      Y2, Y0, Y0 \
	VPHADDD      Y6, Y4, Y4 \
	VPHADDD      Y4, Y0, Y0 \
	VEXTRACTI128 $1, Y0, X1 \
	VPADDD       X1, X0, X0

DATA nibble4<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibble4<>(SB), RODATA|NOPTR, $4

DATA ones4<>+0(SB)/4, $0x00010001
GLOBL ones4<>(SB), RODATA|NOPTR, $4

// AVX-512: S0 to S3 are the sums of the low nibbles' products, T0 to T3 those
// of the high ones', 16 times as large.

#define S0 Z0
#define T0 Z1
#define S1 Z2
#define T1 Z3
#define S2 Z4
#define T2 Z5
#define S3 Z6
#define T3 Z7

#define INITZ VPBROADCASTD nibble4<>(SB), Z16

#define ZEROZ \
	VPXORD S0, S0, S0 \
	VPXORD T0, T0, T0 \
	VPXORD S1, S1, S1 \
	VPXORD T1, T1, T1 \
	VPXORD S2, S2, S2 \
	VPXORD T2, T2, T2 \
	VPXORD S3, S3, S3 \
	VPXORD T3, T3, T3

#define QUERYZ \
	VMOVDQU64 (SI)(R11*2), Z8   \
	VMOVDQU64 64(SI)(R11*2), Z9

#define STEPZ(r, s, t) \
	VMOVDQU64 (r)(R11*1), Z12 \
	VPANDD    Z16, Z12, Z13   \
	VPANDND   Z12, Z16, Z14   \
	VPDPBUSD  Z8, Z13, s      \
	VPDPBUSD  Z9, Z14, t

#define FOLD(lo, hi, ylo, yhi) \
	VPSRAD        $4, hi, hi   \
	VPADDD        hi, lo, lo   \
	VEXTRACTI64X4 $1, lo, yhi  \
	VPADDD        yhi, ylo, ylo

#define SUMZ \
	FOLD(Z0, Z1, Y0, Y1) \
	FOLD(Z2, Z3, Y2, Y3) \
	FOLD(Z4, Z5, Y4, Y5) \
	FOLD(Z6, Z7, Y6, Y7) \
	LANES

// func dotSQ4AVX512(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotSQ4AVX512(SB), NOSPLIT, $0-56
	KERNEL(INITZ, ZEROZ, QUERYZ, STEPZ, SUMZ)

#undef S0
#undef T0
#undef S1
#undef T1
#undef S2
#undef T2
#undef S3
#undef T3

// AVX2: S0 to S3 are the sums. A pair of products is within 2*15*128, so that
// four pairs' sum fits 16 bits.

#define S0 Y0
#define T0 Y1
#define S1 Y2
#define T1 Y3
#define S2 Y4
#define T2 Y5
#define S3 Y6
#define T3 Y7

#define INITY \
	VPBROADCASTD nibble4<>(SB), Y15 \
	VPBROADCASTD ones4<>(SB), Y14

#define ZEROY \
	VPXOR S0, S0, S0 \
	VPXOR S1, S1, S1 \
	VPXOR S2, S2, S2 \
	VPXOR S3, S3, S3

#define QUERYY \
	VMOVDQU (SI)(R11*2), Y8    \
	VMOVDQU 32(SI)(R11*2), Y9  \
	VMOVDQU 64(SI)(R11*2), Y10 \
	VMOVDQU 96(SI)(R11*2), Y11

#define STEPY(r, s, t) \
	VMOVDQU    (r)(R11*1), Y12   \
	VPSRLW     $4, Y12, Y13      \
	VPAND      Y15, Y12, Y12     \
	VPAND      Y15, Y13, Y13     \
	VPMADDUBSW Y8, Y12, Y12      \
	VPMADDUBSW Y10, Y13, Y13     \
	VPADDW     Y13, Y12, t       \
	VMOVDQU    32(r)(R11*1), Y12 \
	VPSRLW     $4, Y12, Y13      \
	VPAND      Y15, Y12, Y12     \
	VPAND      Y15, Y13, Y13     \
	VPMADDUBSW Y9, Y12, Y12      \
	VPMADDUBSW Y11, Y13, Y13     \
	VPADDW     Y13, Y12, Y12     \
	VPADDW     Y12, t, t         \
	VPMADDWD   Y14, t, t         \
	VPADDD     t, s, s

// func dotSQ4AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotSQ4AVX2(SB), NOSPLIT, $0-56
	KERNEL(INITY, ZEROY, QUERYY, STEPY, LANES)
