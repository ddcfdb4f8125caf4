//go:build !noasm && !race

#include "textflag.h"

// Without a branch on what was seen: that is a coin toss for the predictor.
// A slot is written in any case, and overwritten by the next if it was seen.
//
// DI dst, SI list, CX its end, R8 mark, R9 marks, R10 tag, AX found.

// func gatherAsm(dst, list *uint32, n int, mark *uint8, marks int, tag uint8, base unsafe.Pointer, stride, lines int) int
TEXT ·gatherAsm(SB), NOSPLIT, $0-80
	MOVQ    dst+0(FP), DI
	MOVQ    list+8(FP), SI
	MOVQ    n+16(FP), CX
	MOVQ    mark+24(FP), R8
	MOVQ    marks+32(FP), R9
	MOVBLZX tag+40(FP), R10
	XORQ    AX, AX
	LEAQ    (SI)(CX*4), CX
	CMPQ    SI, CX
	JGE     done

loop:
	MOVL  (SI), BX
	ADDQ  $4, SI
	SUBL  $1, BX
	JCS   found
	CMPQ  BX, R9
	JGE   next
	XORL  DX, DX
	CMPB  (R8)(BX*1), R10
	SETNE DL
	MOVB  R10, (R8)(BX*1)
	MOVL  BX, (DI)(AX*4)
	ADDQ  DX, AX

next:
	CMPQ SI, CX
	JLT  loop

found:
	MOVQ base+48(FP), R11
	MOVQ stride+56(FP), R12
	MOVQ lines+64(FP), R13
	SHLQ $6, R13
	JEQ  done
	LEAQ (DI)(AX*4), CX
	CMPQ DI, CX
	JGE  done

row:
	MOVL  (DI), BX
	ADDQ  $4, DI
	IMULQ R12, BX
	ADDQ  R11, BX
	LEAQ  (BX)(R13*1), DX

line:
	PREFETCHT0 (BX)
	ADDQ       $64, BX
	CMPQ       BX, DX
	JLT        line
	CMPQ       DI, CX
	JLT        row

done:
	MOVQ AX, ret+72(FP)
	RET

// func fetchAsm(slots *uint32, n int, base unsafe.Pointer, stride, lines int)
TEXT ·fetchAsm(SB), NOSPLIT, $0-40
	MOVQ slots+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ base+16(FP), R11
	MOVQ stride+24(FP), R12
	MOVQ lines+32(FP), R13
	SHLQ $6, R13
	JEQ  done
	LEAQ (DI)(CX*4), CX
	CMPQ DI, CX
	JGE  done

row:
	MOVL  (DI), BX
	ADDQ  $4, DI
	IMULQ R12, BX
	ADDQ  R11, BX
	LEAQ  (BX)(R13*1), DX

line:
	PREFETCHT0 (BX)
	ADDQ       $64, BX
	CMPQ       BX, DX
	JLT        line
	CMPQ       DI, CX
	JLT        row

done:
	RET

// func prefetchAsm(p unsafe.Pointer)
TEXT ·prefetchAsm(SB), NOSPLIT, $0-8
	MOVQ       p+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET
