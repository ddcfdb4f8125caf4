//go:build !noasm && !race

#include "textflag.h"

DATA splitUnit<>+0(SB)/4, $0x33800000 // 2^-24
DATA splitUnit<>+4(SB)/4, $0x80000000
DATA splitUnit<>+8(SB)/4, $0x007fffff
GLOBL splitUnit<>(SB), RODATA|NOPTR, $12

// Y15 step, Y14 offset, Y13 2^-24, Y12 the sign, Y11 the other bits of a small
// component, Y10 zero.

// func joinAVX2(dst, codes, mids, lows unsafe.Pointer, n int, step float32, offset int32)
TEXT ·joinAVX2(SB), NOSPLIT, $0-48
	MOVQ         dst+0(FP), DI
	MOVQ         codes+8(FP), SI
	MOVQ         mids+16(FP), BX
	MOVQ         lows+24(FP), DX
	MOVQ         n+32(FP), CX
	VBROADCASTSS step+40(FP), Y15
	MOVL         offset+44(FP), AX
	VMOVD        AX, X14
	VPBROADCASTD X14, Y14
	VBROADCASTSS splitUnit<>+0(SB), Y13
	VPBROADCASTD splitUnit<>+4(SB), Y12
	VPBROADCASTD splitUnit<>+8(SB), Y11
	VPXOR        Y10, Y10, Y10
	XORQ         AX, AX
	TESTQ        CX, CX
	JLE          done

loop:
	VPMOVZXBD (SI)(AX*1), Y0
	VPMOVSXBD (BX)(AX*1), Y1
	VPMOVZXWD (DX)(AX*2), Y2
	VPADDD    Y14, Y0, Y0
	VPSLLD    $16, Y1, Y1
	VPOR      Y2, Y1, Y1
	VPCMPEQD  Y10, Y0, Y3
	VCVTDQ2PS Y0, Y0
	VCVTDQ2PS Y1, Y2
	VMULPS    Y13, Y2, Y2
	VADDPS    Y2, Y0, Y0
	VPAND     Y12, Y1, Y4
	VPAND     Y11, Y1, Y1
	VPSLLD    $7, Y1, Y1
	VPOR      Y4, Y1, Y1
	VPBLENDVB Y3, Y1, Y0, Y0
	VMULPS    Y15, Y0, Y0
	VMOVUPS   Y0, (DI)(AX*4)
	ADDQ      $8, AX
	CMPQ      AX, CX
	JLT       loop

done:
	VZEROUPPER
	RET

DATA splitPart<>+0(SB)/4, $0x3f000000 // 0.5
DATA splitPart<>+4(SB)/4, $0x3f800000 // 1
DATA splitPart<>+8(SB)/4, $0x4b800000 // 2^24
DATA splitPart<>+12(SB)/4, $1
GLOBL splitPart<>(SB), RODATA|NOPTR, $16

// The first byte of each of four words, then zeros; and of a 24-bit number the
// lower 16 bits, then the upper 8.
DATA splitBytes<>+0(SB)/8, $0x808080800c080400
DATA splitBytes<>+8(SB)/8, $0x8080808080808080
DATA splitBytes<>+16(SB)/8, $0x0d0c090805040100
DATA splitBytes<>+24(SB)/8, $0x808080800e0a0602
GLOBL splitBytes<>(SB), RODATA|NOPTR, $32

// Y15 inverse, Y14 offset, Y13 0.5, Y12 1, Y11 2^24, Y10 the integer 1, Y9 and
// Y8 shuffles, Y7 Y6 Y5 the sums.

// func partAVX2(v, codes, mids, lows unsafe.Pointer, n int, inverse float32, offset int32, sums *partSums)
TEXT ·partAVX2(SB), NOSPLIT, $0-56
	MOVQ           v+0(FP), SI
	MOVQ           codes+8(FP), DI
	MOVQ           mids+16(FP), BX
	MOVQ           lows+24(FP), DX
	MOVQ           n+32(FP), CX
	VBROADCASTSS   inverse+40(FP), Y15
	MOVL           offset+44(FP), AX
	VMOVD          AX, X14
	VPBROADCASTD   X14, Y14
	VBROADCASTSS   splitPart<>+0(SB), Y13
	VBROADCASTSS   splitPart<>+4(SB), Y12
	VBROADCASTSS   splitPart<>+8(SB), Y11
	VPBROADCASTD   splitPart<>+12(SB), Y10
	VBROADCASTI128 splitBytes<>+0(SB), Y9
	VBROADCASTI128 splitBytes<>+16(SB), Y8
	VPXOR          Y7, Y7, Y7
	VPXOR          Y6, Y6, Y6
	VPXOR          Y5, Y5, Y5
	XORQ           AX, AX
	TESTQ          CX, CX
	JLE            done

loop:
	VMULPS     (SI)(AX*4), Y15, Y0 // y
	VROUNDPS   $8, Y0, Y1          // t
	VSUBPS     Y1, Y0, Y2          // e
	VCMPPS     $0, Y13, Y2, Y3
	VANDPS     Y12, Y3, Y3
	VADDPS     Y3, Y1, Y1
	VSUBPS     Y3, Y2, Y2
	VCVTTPS2DQ Y1, Y1
	VMULPS     Y11, Y2, Y2
	VCVTTPS2DQ Y2, Y2              // r
	VPSUBD     Y14, Y1, Y3         // u
	VPADDD     Y3, Y7, Y7
	VPMADDWD   Y3, Y3, Y4
	VPADDD     Y4, Y6, Y6

	VPSHUFB      Y9, Y3, Y3
	VEXTRACTI128 $1, Y3, X4
	VPUNPCKLDQ   X4, X3, X3
	VMOVQ        X3, (DI)(AX*1)

	VPSRAD     $16, Y2, Y4
	VPSRAD     $31, Y2, Y3
	VPXOR      Y3, Y4, Y4
	VPADDD     Y10, Y4, Y4
	VPMADDWD   Y4, Y4, Y4
	VPADDD     Y4, Y5, Y5
	VPXOR      Y4, Y4, Y4
	VPCMPEQD   Y4, Y1, Y1          // t is zero
	VPSRLD     $31, Y0, Y4
	VPSLLD     $23, Y4, Y4
	VPSLLD     $1, Y0, Y0
	VPSRLD     $8, Y0, Y0
	VPOR       Y4, Y0, Y0
	VPBLENDVB  Y1, Y0, Y2, Y2

	VPSHUFB      Y8, Y2, Y2
	VEXTRACTI128 $1, Y2, X4
	VPUNPCKLQDQ  X4, X2, X3
	VMOVDQU      X3, (DX)(AX*2)
	VPUNPCKHDQ   X4, X2, X3
	VMOVQ        X3, (BX)(AX*1)
	ADDQ         $8, AX
	CMPQ         AX, CX
	JLT          loop

done:
	VEXTRACTI128 $1, Y7, X0
	VPADDD       X0, X7, X7
	VEXTRACTI128 $1, Y6, X0
	VPADDD       X0, X6, X6
	VEXTRACTI128 $1, Y5, X0
	VPADDD       X0, X5, X5
	VPHADDD      X6, X7, X7
	VPHADDD      X5, X5, X5
	VPHADDD      X5, X7, X7
	MOVQ         sums+48(FP), AX
	VMOVQ        X7, (AX)
	VPEXTRD      $2, X7, 8(AX)
	VZEROUPPER
	RET
