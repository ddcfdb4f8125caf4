//go:build !noasm && !race

#include "textflag.h"

// func joinAVX2(dst, high, low unsafe.Pointer, n int)
TEXT ·joinAVX2(SB), NOSPLIT, $0-32
	MOVQ  dst+0(FP), DI
	MOVQ  high+8(FP), SI
	MOVQ  low+16(FP), DX
	MOVQ  n+24(FP), CX
	XORQ  AX, AX
	TESTQ CX, CX
	JLE   done

loop:
	VPMOVZXWD (SI)(AX*2), Y0
	VPMOVZXWD 16(SI)(AX*2), Y1
	VPSLLD    $16, Y0, Y0
	VPSLLD    $16, Y1, Y1
	VPMOVSXWD (DX)(AX*2), Y2
	VPMOVSXWD 16(DX)(AX*2), Y3
	VPADDD    Y2, Y0, Y0
	VPADDD    Y3, Y1, Y1
	VMOVDQU   Y0, (DI)(AX*4)
	VMOVDQU   Y1, 32(DI)(AX*4)
	ADDQ      $16, AX
	CMPQ      AX, CX
	JLT       loop

done:
	VZEROUPPER
	RET

// func widenAVX2(dst, high unsafe.Pointer, n int)
TEXT ·widenAVX2(SB), NOSPLIT, $0-24
	MOVQ  dst+0(FP), DI
	MOVQ  high+8(FP), SI
	MOVQ  n+16(FP), CX
	XORQ  AX, AX
	TESTQ CX, CX
	JLE   done

loop:
	VPMOVZXWD (SI)(AX*2), Y0
	VPMOVZXWD 16(SI)(AX*2), Y1
	VPSLLD    $16, Y0, Y0
	VPSLLD    $16, Y1, Y1
	VMOVDQU   Y0, (DI)(AX*4)
	VMOVDQU   Y1, 32(DI)(AX*4)
	ADDQ      $16, AX
	CMPQ      AX, CX
	JLT       loop

done:
	VZEROUPPER
	RET
