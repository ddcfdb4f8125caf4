//go:build !noasm

#include "textflag.h"

// A query against blocks of 16 rows, see SQ4. A line of codes is 16 words, one
// a row: the word's low nibbles are components 0..3 of the 8 that the line
// holds, its high nibbles components 4..7. So each lane adds up a row of its
// own, and no sum crosses lanes.
//
// DI est, DX pass, BX block, R8 lines of a block, R9 the query's codes, CX
// blocks left, SI the query, AX lines left. The codes ahead are prefetched, as
// the hardware stops at the end of a page.

#define AHEAD 3072

#define ARGS \
	MOVQ est+0(FP), DI     \
	MOVQ pass+8(FP), DX    \
	MOVQ codes+16(FP), R9  \
	MOVQ c+24(FP), R10     \
	MOVQ k+32(FP), R11     \
	MOVQ block+40(FP), BX  \
	MOVQ blocks+48(FP), CX \
	MOVQ lines+56(FP), R8

// LINE adds a line's products: the low nibbles' to lo, the high nibbles', 16
// times as large, to hi.
#define LINE(off, qoff, lo, hi) \
	VMOVDQU64     off(BX), Z8         \
	PREFETCHT0    (AHEAD+off)(BX)     \
	VPANDD        Z15, Z8, Z9         \
	VPANDND       Z8, Z15, Z10        \
	VPDPBUSD.BCST qoff(SI), Z9, lo    \
	VPDPBUSD.BCST (qoff+4)(SI), Z10, hi

DATA nibble<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $4

DATA ones<>+0(SB)/4, $0x00010001
GLOBL ones<>(SB), RODATA|NOPTR, $4

// func scanVNNI(est *float32, pass *uint16, codes unsafe.Pointer, c *[4]float32, k *[3]float32, block unsafe.Pointer, blocks, lines int)
TEXT ·scanVNNI(SB), NOSPLIT, $0-64
	ARGS
	VPBROADCASTD nibble<>(SB), Z15
	VBROADCASTSS (R10), Z16
	VBROADCASTSS 4(R10), Z17
	VBROADCASTSS 8(R10), Z18
	VBROADCASTSS 12(R10), Z19
	VBROADCASTSS (R11), Z20
	VBROADCASTSS 4(R11), Z21
	VBROADCASTSS 8(R11), Z22
	TESTQ        CX, CX
	JZ           done

block:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	MOVQ   R9, SI
	MOVQ   R8, AX
	SUBQ   $2, AX
	JL     odd

lines:
	LINE(0, 0, Z0, Z1)
	LINE(64, 8, Z2, Z3)
	ADDQ $128, BX
	ADDQ $16, SI
	SUBQ $2, AX
	JGE  lines

odd:
	ADDQ $2, AX
	JZ   finish
	LINE(0, 0, Z0, Z1)
	ADDQ $64, BX

finish:
	VPADDD      Z3, Z1, Z1
	VPSRAD      $4, Z1, Z1
	VPADDD      Z2, Z0, Z0
	VPADDD      Z1, Z0, Z0
	VCVTDQ2PS   Z0, Z0
	VMULPS      (BX), Z0, Z0       // scale*product
	VMOVAPS     Z16, Z4
	VFMADD231PS 64(BX), Z18, Z4    // offset
	VFMADD231PS 128(BX), Z17, Z4   // norm
	VFMADD231PS Z0, Z19, Z4
	VMOVUPS     192(BX), Z5        // err
	VMOVAPS     Z5, Z6
	VFMADD213PS Z21, Z22, Z6       // err*k2 + k1
	VFMADD213PS Z20, Z5, Z6        // err*(...) + k0
	VCMPPS      $0x1a, Z6, Z4, K1  // not greater than, or unordered
	KMOVW       K1, R12
	MOVW        R12, (DX)
	VMOVUPS     Z4, (DI)
	ADDQ        $256, BX
	ADDQ        $2, DX
	ADDQ        $64, DI
	DECQ        CX
	JNZ         block

done:
	VZEROUPPER
	RET

// HALF adds the products of half a line, 8 rows, to sum.
#define HALF(off, sum) \
	VMOVDQU    off(BX), Y8   \
	VPAND      Y15, Y8, Y9   \
	VPSRLW     $4, Y8, Y10   \
	VPAND      Y15, Y10, Y10 \
	VPMADDUBSW Y11, Y9, Y9   \
	VPMADDUBSW Y12, Y10, Y10 \
	VPADDW     Y10, Y9, Y9   \
	VPMADDWD   Y14, Y9, Y9   \
	VPADDD     Y9, sum, sum

// ESTIMATE finishes 8 rows, whose headers are off bytes behind the block's.
#define ESTIMATE(off, sum, mask) \
	VCVTDQ2PS    sum, sum            \
	VMULPS       off(BX), sum, sum   \
	VBROADCASTSS (R10), Y4           \
	VBROADCASTSS 4(R10), Y5          \
	VBROADCASTSS 8(R10), Y6          \
	VBROADCASTSS 12(R10), Y7         \
	VFMADD231PS  (64+off)(BX), Y6, Y4  \
	VFMADD231PS  (128+off)(BX), Y5, Y4 \
	VFMADD231PS  sum, Y7, Y4         \
	VMOVUPS      (192+off)(BX), Y5   \
	VBROADCASTSS 8(R11), Y6          \
	VBROADCASTSS 4(R11), Y7          \
	VFMADD213PS  Y7, Y5, Y6          \
	VBROADCASTSS (R11), Y7           \
	VFMADD213PS  Y7, Y5, Y6          \
	VCMPPS       $0x1a, Y6, Y4, Y7   \
	VMOVMSKPS    Y7, mask            \
	VMOVUPS      Y4, off(DI)

// func scanAVX2(est *float32, pass *uint16, codes unsafe.Pointer, c *[4]float32, k *[3]float32, block unsafe.Pointer, blocks, lines int)
TEXT ·scanAVX2(SB), NOSPLIT, $0-64
	ARGS
	VPBROADCASTD nibble<>(SB), Y15
	VPBROADCASTD ones<>(SB), Y14
	TESTQ        CX, CX
	JZ           done2

block2:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	MOVQ  R9, SI
	MOVQ  R8, AX

lines2:
	VPBROADCASTD (SI), Y11
	VPBROADCASTD 4(SI), Y12
	PREFETCHT0   AHEAD(BX)
	HALF(0, Y0)
	HALF(32, Y1)
	ADDQ         $64, BX
	ADDQ         $8, SI
	DECQ         AX
	JNZ          lines2

	ESTIMATE(0, Y0, R12)
	ESTIMATE(32, Y1, R13)
	SHLL $8, R13
	ORL  R13, R12
	MOVW R12, (DX)
	ADDQ $256, BX
	ADDQ $2, DX
	ADDQ $64, DI
	DECQ CX
	JNZ  block2

done2:
	VZEROUPPER
	RET
