//go:build !noasm && !race

#include "textflag.h"

// func gatherAsm(dst, list *uint32, n int, mark *uint8, marks int, tag uint8, base unsafe.Pointer, stride, lines int) int
TEXT ·gatherAsm(SB), NOSPLIT, $0-80
	MOVQ    dst+0(FP), DI
	MOVQ    list+8(FP), SI
	MOVQ    n+16(FP), CX
	MOVQ    mark+24(FP), R8
	MOVQ    marks+32(FP), R9
	MOVBLZX tag+40(FP), R10
	MOVQ    base+48(FP), R11
	MOVQ    stride+56(FP), R12
	MOVQ    lines+64(FP), R13
	XORQ    AX, AX
	SHLQ    $6, R13
	LEAQ    (SI)(CX*4), CX
	CMPQ    SI, CX
	JGE     done

loop:
	MOVL  (SI), BX
	ADDQ  $4, SI
	SUBL  $1, BX
	JCS   done
	CMPQ  BX, R9
	JGE   next
	CMPB  (R8)(BX*1), R10
	JEQ   next
	MOVB  R10, (R8)(BX*1)
	MOVL  BX, (DI)(AX*4)
	INCQ  AX
	IMULQ R12, BX
	ADDQ  R11, BX
	LEAQ  (BX)(R13*1), DX

line:
	CMPQ       BX, DX
	JGE        next
	PREFETCHT0 (BX)
	ADDQ       $64, BX
	JMP        line

next:
	CMPQ SI, CX
	JLT  loop

done:
	MOVQ AX, ret+72(FP)
	RET

// func Prefetch2(p unsafe.Pointer)
TEXT ·prefetchAsm(SB), NOSPLIT, $0-8
	MOVQ       p+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET
