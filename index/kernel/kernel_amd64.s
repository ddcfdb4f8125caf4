//go:build !noasm

#include "textflag.h"

// One query against n rows, four at once. Y0..Y7 hold two sums for each of the
// four rows; the query's 64 bytes are loaded once for all of them. While four
// rows are computed, the same lines of the next four are prefetched. Fewer than
// four rows are filled up with copies of the first, so that a pair's result is
// the same wherever its row stands in the batch.
//
// DI dst, SI query, R8 base, R9 slots, R10 rows left, R11 offset in the row,
// AX BX CX DX the rows, R12 R13 R14 R15 the next ones.

#define ARGS \
	MOVQ dst+0(FP), DI    \
	MOVQ q+8(FP), SI      \
	MOVQ base+16(FP), R8  \
	MOVQ slots+24(FP), R9 \
	MOVQ n+32(FP), R10

#define ROW(i, r) \
	MOVL  (4*i)(R9), r     \
	IMULQ stride+40(FP), r \
	ADDQ  R8, r

#define ZERO \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3 \
	VXORPS Y4, Y4, Y4 \
	VXORPS Y5, Y5, Y5 \
	VXORPS Y6, Y6, Y6 \
	VXORPS Y7, Y7, Y7

#define PREFETCH \
	PREFETCHT0 (R12)(R11*1) \
	PREFETCHT0 (R13)(R11*1) \
	PREFETCHT0 (R14)(R11*1) \
	PREFETCHT0 (R15)(R11*1)

#define QUERY \
	VMOVUPS (SI)(R11*1), Y8   \
	VMOVUPS 32(SI)(R11*1), Y9

#define DOT(FMA, r, s0, s1) \
	FMA (r)(R11*1), Y8, s0   \
	FMA 32(r)(R11*1), Y9, s1

#define L2(SUB, FMA, r, s0, s1, t0, t1) \
	SUB (r)(R11*1), Y8, t0   \
	SUB 32(r)(R11*1), Y9, t1 \
	FMA t0, t0, s0           \
	FMA t1, t1, s1

// SUM32 adds up each row's sums: X0 = the four results.
#define SUM32 \
	VADDPS       Y1, Y0, Y0  \
	VADDPS       Y3, Y2, Y2  \
	VADDPS       Y5, Y4, Y4  \
	VADDPS       Y7, Y6, Y6  \
	VHADDPS      Y2, Y0, Y0  \
	VHADDPS      Y6, Y4, Y4  \
	VHADDPS      Y4, Y0, Y0  \
	VEXTRACTF128 $1, Y0, X1  \
	VADDPS       X1, X0, X0

// SUM64 adds up each row's sums: Y0 = the four results.
#define SUM64 \
	VADDPD     Y1, Y0, Y0        \
	VADDPD     Y3, Y2, Y2        \
	VADDPD     Y5, Y4, Y4        \
	VADDPD     Y7, Y6, Y6        \
	VHADDPD    Y2, Y0, Y0        \
	VHADDPD    Y6, Y4, Y4        \
	VPERM2F128 $0x20, Y4, Y0, Y1 \
	VPERM2F128 $0x31, Y4, Y0, Y2 \
	VADDPD     Y2, Y1, Y0

// ROWS sets the four rows and the four to prefetch.
#define ROWS \
	ROW(0, AX)        \
	CMPQ R10, $4      \
	JLT  few          \
	ROW(1, BX)        \
	ROW(2, CX)        \
	ROW(3, DX)        \
	MOVQ AX, R12      \
	MOVQ BX, R13      \
	MOVQ CX, R14      \
	MOVQ DX, R15      \
	CMPQ R10, $5      \
	JLT  start        \
	ROW(4, R12)       \
	CMPQ R10, $6      \
	JLT  start        \
	ROW(5, R13)       \
	CMPQ R10, $7      \
	JLT  start        \
	ROW(6, R14)       \
	CMPQ R10, $8      \
	JLT  start        \
	ROW(7, R15)       \
	JMP  start        \
few:                  \
	MOVQ AX, BX       \
	MOVQ AX, CX       \
	MOVQ AX, DX       \
	MOVQ AX, R12      \
	MOVQ AX, R13      \
	MOVQ AX, R14      \
	MOVQ AX, R15      \
	CMPQ R10, $2      \
	JLT  start        \
	ROW(1, BX)        \
	CMPQ R10, $3      \
	JLT  start        \
	ROW(2, CX)        \
start:

// NEXT stores four results, or what is left of them.
#define NEXT32 \
	CMPQ    R10, $4      \
	JLT     last         \
	VMOVUPS X0, (DI)     \
	ADDQ    $16, DI      \
	ADDQ    $16, R9      \
	SUBQ    $4, R10      \
	JNE     group        \
	VZEROUPPER           \
	RET                  \
last:                    \
	VMOVSS  X0, (DI)     \
	CMPQ    R10, $2      \
	JLT     done         \
	VEXTRACTPS $1, X0, 4(DI) \
	CMPQ    R10, $3      \
	JLT     done         \
	VEXTRACTPS $2, X0, 8(DI) \
done:                    \
	VZEROUPPER           \
	RET

#define NEXT64 \
	CMPQ    R10, $4      \
	JLT     last         \
	VMOVUPS Y0, (DI)     \
	ADDQ    $32, DI      \
	ADDQ    $16, R9      \
	SUBQ    $4, R10      \
	JNE     group        \
	VZEROUPPER           \
	RET                  \
last:                    \
	VMOVSD  X0, (DI)     \
	CMPQ    R10, $2      \
	JLT     done         \
	VMOVHPD X0, 8(DI)    \
	CMPQ    R10, $3      \
	JLT     done         \
	VEXTRACTF128 $1, Y0, X0 \
	VMOVSD  X0, 16(DI)   \
done:                    \
	VZEROUPPER           \
	RET

// func dotF32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF32AVX2(SB), NOSPLIT, $0-56
	ARGS
	TESTQ R10, R10
	JLE   done

group:
	ROWS
	ZERO
	XORQ R11, R11
	CMPQ R11, size+48(FP)
	JGE  sum

loop:
	QUERY
	DOT(VFMADD231PS, AX, Y0, Y1)
	DOT(VFMADD231PS, BX, Y2, Y3)
	DOT(VFMADD231PS, CX, Y4, Y5)
	DOT(VFMADD231PS, DX, Y6, Y7)
	PREFETCH
	ADDQ $64, R11
	CMPQ R11, size+48(FP)
	JLT  loop

sum:
	SUM32
	NEXT32

// func dotF64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotF64AVX2(SB), NOSPLIT, $0-56
	ARGS
	TESTQ R10, R10
	JLE   done

group:
	ROWS
	ZERO
	XORQ R11, R11
	CMPQ R11, size+48(FP)
	JGE  sum

loop:
	QUERY
	DOT(VFMADD231PD, AX, Y0, Y1)
	DOT(VFMADD231PD, BX, Y2, Y3)
	DOT(VFMADD231PD, CX, Y4, Y5)
	DOT(VFMADD231PD, DX, Y6, Y7)
	PREFETCH
	ADDQ $64, R11
	CMPQ R11, size+48(FP)
	JLT  loop

sum:
	SUM64
	NEXT64

// func l2F32AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F32AVX2(SB), NOSPLIT, $0-56
	ARGS
	TESTQ R10, R10
	JLE   done

group:
	ROWS
	ZERO
	XORQ R11, R11
	CMPQ R11, size+48(FP)
	JGE  sum

loop:
	QUERY
	L2(VSUBPS, VFMADD231PS, AX, Y0, Y1, Y10, Y11)
	L2(VSUBPS, VFMADD231PS, BX, Y2, Y3, Y12, Y13)
	L2(VSUBPS, VFMADD231PS, CX, Y4, Y5, Y14, Y15)
	L2(VSUBPS, VFMADD231PS, DX, Y6, Y7, Y10, Y11)
	PREFETCH
	ADDQ $64, R11
	CMPQ R11, size+48(FP)
	JLT  loop

sum:
	SUM32
	NEXT32

// func l2F64AVX2(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·l2F64AVX2(SB), NOSPLIT, $0-56
	ARGS
	TESTQ R10, R10
	JLE   done

group:
	ROWS
	ZERO
	XORQ R11, R11
	CMPQ R11, size+48(FP)
	JGE  sum

loop:
	QUERY
	L2(VSUBPD, VFMADD231PD, AX, Y0, Y1, Y10, Y11)
	L2(VSUBPD, VFMADD231PD, BX, Y2, Y3, Y12, Y13)
	L2(VSUBPD, VFMADD231PD, CX, Y4, Y5, Y14, Y15)
	L2(VSUBPD, VFMADD231PD, DX, Y6, Y7, Y10, Y11)
	PREFETCH
	ADDQ $64, R11
	CMPQ R11, size+48(FP)
	JLT  loop

sum:
	SUM64
	NEXT64
