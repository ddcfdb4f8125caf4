//go:build !noasm

#include "textflag.h"

// A query against rows of nibbles, see SQ4Rows. Up to 64 rows are called into
// the second cache level, then computed four at a time, which share each load
// of the query; fewer are filled up with copies of the first.
//
// DI dst, SI query, R8 base, R9 slots, R10 rows not called yet, R14 rows called
// and not computed yet, R12 stride, R13 size, R11 offset in the row, AX BX CX DX
// the rows. Z0 Z2 Z4 Z6 sum up the products of the low nibbles, Z1 Z3 Z5 Z7
// those of the high ones, 16 times as large.

#define ROW(i, r) \
	MOVL  (4*i)(R9), r \
	IMULQ R12, r       \
	ADDQ  R8, r

#define STEP(r, lo, hi) \
	VMOVDQU64 (r)(R11*1), Z12 \
	VPANDD    Z16, Z12, Z13   \
	VPANDND   Z12, Z16, Z14   \
	VPDPBUSD  Z8, Z13, lo     \
	VPDPBUSD  Z9, Z14, hi

#define FOLD(lo, hi, ylo, yhi) \
	VPSRAD        $4, hi, hi   \
	VPADDD        hi, lo, lo   \
	VEXTRACTI64X4 $1, lo, yhi  \
	VPADDD        yhi, ylo, ylo

DATA nibble4<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibble4<>(SB), RODATA|NOPTR, $4

// func dotSQ4(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)
TEXT ·dotSQ4(SB), NOSPLIT, $0-56
	MOVQ         dst+0(FP), DI
	MOVQ         q+8(FP), SI
	MOVQ         base+16(FP), R8
	MOVQ         slots+24(FP), R9
	MOVQ         n+32(FP), R10
	MOVQ         stride+40(FP), R12
	MOVQ         size+48(FP), R13
	VPBROADCASTD nibble4<>(SB), Z16
	TESTQ        R10, R10
	JLE          done

call:
	MOVQ    $64, R14
	CMPQ    R10, R14
	CMOVQLT R10, R14
	SUBQ    R14, R10
	XORL    R15, R15

callrow:
	MOVL  (R9)(R15*4), AX
	IMULQ R12, AX
	ADDQ  R8, AX
	XORL  R11, R11

callline:
	PREFETCHT1 (AX)(R11*1)
	ADDQ       $64, R11
	CMPQ       R11, R13
	JLT        callline
	PREFETCHT1 -1(AX)(R12*1)
	INCQ       R15
	CMPQ       R15, R14
	JLT        callrow

group:
	ROW(0, AX)
	MOVQ AX, BX
	MOVQ AX, CX
	MOVQ AX, DX
	CMPQ R14, $2
	JLT  rows
	ROW(1, BX)
	CMPQ R14, $3
	JLT  rows
	ROW(2, CX)
	CMPQ R14, $4
	JLT  rows
	ROW(3, DX)

rows:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	XORL   R11, R11

line:
	VMOVDQU64 (SI)(R11*2), Z8
	VMOVDQU64 64(SI)(R11*2), Z9
	STEP(AX, Z0, Z1)
	STEP(BX, Z2, Z3)
	STEP(CX, Z4, Z5)
	STEP(DX, Z6, Z7)
	ADDQ      $64, R11
	CMPQ      R11, R13
	JLT       line

	FOLD(Z0, Z1, Y0, Y1)
	FOLD(Z2, Z3, Y2, Y3)
	FOLD(Z4, Z5, Y4, Y5)
	FOLD(Z6, Z7, Y6, Y7)
	VPHADDD      Y2, Y0, Y0
	VPHADDD      Y6, Y4, Y4
	VPHADDD      Y4, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	CMPQ         R14, $4
	JLT          part
	VMOVDQU      X0, (DI)
	ADDQ         $16, R9
	ADDQ         $16, DI
	SUBQ         $4, R14
	JNZ          group
	TESTQ        R10, R10
	JNZ          call
	JMP          done

part:
	VMOVD   X0, (DI)
	CMPQ    R14, $2
	JLT     done
	VPEXTRD $1, X0, 4(DI)
	JEQ     done
	VPEXTRD $2, X0, 8(DI)

done:
	VZEROUPPER
	RET
