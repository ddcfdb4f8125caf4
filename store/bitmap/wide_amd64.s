//go:build !noasm

#include "textflag.h"

// Each takes n bytes, a multiple of 128.

#define BEGIN \
	MOVQ d+0(FP), DI \
	MOVQ s+8(FP), SI \
	MOVQ n+16(FP), CX

#define LOAD(r) \
	VMOVDQU (r), Y0   \
	VMOVDQU 32(r), Y1 \
	VMOVDQU 64(r), Y2 \
	VMOVDQU 96(r), Y3

// With what r points to as the operand that is not inverted by VPANDN.
#define DO(OP, r) \
	OP (r), Y0, Y0   \
	OP 32(r), Y1, Y1 \
	OP 64(r), Y2, Y2 \
	OP 96(r), Y3, Y3

#define STORE \
	VMOVDQU Y0, (DI)   \
	VMOVDQU Y1, 32(DI) \
	VMOVDQU Y2, 64(DI) \
	VMOVDQU Y3, 96(DI)

#define NEXT \
	ADDQ $128, DI \
	ADDQ $128, SI \
	SUBQ $128, CX

// func andAVX2(d, s *byte, n int)
TEXT ·andAVX2(SB), NOSPLIT, $0-24
	BEGIN

loop:
	LOAD(SI)
	DO(VPAND, DI)
	STORE
	NEXT
	JNZ loop
	VZEROUPPER
	RET

// func orAVX2(d, s *byte, n int)
TEXT ·orAVX2(SB), NOSPLIT, $0-24
	BEGIN

loop:
	LOAD(SI)
	DO(VPOR, DI)
	STORE
	NEXT
	JNZ loop
	VZEROUPPER
	RET

// func xorAVX2(d, s *byte, n int)
TEXT ·xorAVX2(SB), NOSPLIT, $0-24
	BEGIN

loop:
	LOAD(SI)
	DO(VPXOR, DI)
	STORE
	NEXT
	JNZ loop
	VZEROUPPER
	RET

// func andNotAVX2(d, s *byte, n int)
TEXT ·andNotAVX2(SB), NOSPLIT, $0-24
	BEGIN

loop:
	LOAD(SI)
	DO(VPANDN, DI)
	STORE
	NEXT
	JNZ loop
	VZEROUPPER
	RET

// func notAndAVX2(d, s *byte, n int)
TEXT ·notAndAVX2(SB), NOSPLIT, $0-24
	BEGIN

loop:
	LOAD(DI)
	DO(VPANDN, SI)
	STORE
	NEXT
	JNZ loop
	VZEROUPPER
	RET

// func orAndAVX2(d, x, y *byte, n int)
TEXT ·orAndAVX2(SB), NOSPLIT, $0-32
	MOVQ d+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	MOVQ n+24(FP), CX

loop:
	LOAD(SI)
	DO(VPAND, DX)
	DO(VPOR, DI)
	STORE
	ADDQ $128, DX
	NEXT
	JNZ loop
	VZEROUPPER
	RET

// func notAVX2(d, s *byte, n int)
TEXT ·notAVX2(SB), NOSPLIT, $0-24
	BEGIN
	VPCMPEQD Y4, Y4, Y4

loop:
	VPXOR   (SI), Y4, Y0
	VPXOR   32(SI), Y4, Y1
	VPXOR   64(SI), Y4, Y2
	VPXOR   96(SI), Y4, Y3
	STORE
	NEXT
	JNZ     loop
	VZEROUPPER
	RET

// What is set in d so far is in Y0 to Y3, what is set more than once in Y4 to Y7.
#define ADD(at, d, more) \
	VMOVDQU at(SI)(AX*1), Y8 \
	VPAND   Y8, d, Y9        \
	VPOR    Y9, more, more   \
	VPXOR   Y8, d, d

// func oneAVX2(d *byte, s *[]byte, k, n int)
TEXT ·oneAVX2(SB), NOSPLIT, $0-32
	MOVQ d+0(FP), DI
	MOVQ s+8(FP), R8
	MOVQ k+16(FP), R9
	MOVQ n+24(FP), CX
	XORQ AX, AX

loop:
	MOVQ    (R8), SI
	VMOVDQU (SI)(AX*1), Y0
	VMOVDQU 32(SI)(AX*1), Y1
	VMOVDQU 64(SI)(AX*1), Y2
	VMOVDQU 96(SI)(AX*1), Y3
	VPXOR   Y4, Y4, Y4
	VPXOR   Y5, Y5, Y5
	VPXOR   Y6, Y6, Y6
	VPXOR   Y7, Y7, Y7
	MOVQ    R8, R11
	MOVQ    R9, R10
	DECQ    R10
	JZ      write

source:
	ADDQ $24, R11
	MOVQ (R11), SI
	ADD(0, Y0, Y4)
	ADD(32, Y1, Y5)
	ADD(64, Y2, Y6)
	ADD(96, Y3, Y7)
	DECQ R10
	JNZ  source

write:
	VPANDN Y0, Y4, Y0
	VPANDN Y1, Y5, Y1
	VPANDN Y2, Y6, Y2
	VPANDN Y3, Y7, Y3
	STORE
	ADDQ   $128, DI
	ADDQ   $128, AX
	SUBQ   $128, CX
	JNZ    loop
	VZEROUPPER
	RET

// The bits of each half of a byte: W. Mula, N. Kurz, D. Lemire, Faster Population
// Counts Using AVX2 Instructions, 2018, section 4.1.
DATA counts<>+0(SB)/8, $0x0302020102010100
DATA counts<>+8(SB)/8, $0x0403030203020201
DATA counts<>+16(SB)/8, $0x0302020102010100
DATA counts<>+24(SB)/8, $0x0403030203020201
GLOBL counts<>(SB), RODATA|NOPTR, $32

DATA low<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL low<>(SB), RODATA|NOPTR, $8

// BYTES adds the bits of each byte at off to Y0.
#define BYTES(off) \
	VMOVDQU off(SI), Y2 \
	VPAND   Y2, Y9, Y3  \
	VPSRLW  $4, Y2, Y2  \
	VPAND   Y2, Y9, Y2  \
	VPSHUFB Y3, Y8, Y3  \
	VPSHUFB Y2, Y8, Y2  \
	VPADDB  Y3, Y0, Y0  \
	VPADDB  Y2, Y0, Y0

// func countAVX2(s *byte, n int) int64
TEXT ·countAVX2(SB), NOSPLIT, $0-24
	MOVQ         s+0(FP), SI
	MOVQ         n+8(FP), CX
	VMOVDQU      counts<>(SB), Y8
	VPBROADCASTQ low<>(SB), Y9
	VPXOR        Y10, Y10, Y10
	VPXOR        Y1, Y1, Y1

loop:
	VPXOR  Y0, Y0, Y0
	BYTES(0)
	BYTES(32)
	BYTES(64)
	BYTES(96)
	VPSADBW Y10, Y0, Y0
	VPADDQ  Y0, Y1, Y1
	ADDQ    $128, SI
	SUBQ    $128, CX
	JNZ     loop

	VEXTRACTI128 $1, Y1, X0
	VPADDQ       X0, X1, X1
	VPSRLDQ      $8, X1, X0
	VPADDQ       X0, X1, X1
	VMOVQ        X1, AX
	MOVQ         AX, ret+16(FP)
	VZEROUPPER
	RET

// func countAVX512(s *byte, n int) int64
TEXT ·countAVX512(SB), NOSPLIT, $0-24
	MOVQ   s+0(FP), SI
	MOVQ   n+8(FP), CX
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3

loop:
	VPOPCNTQ (SI), Z0
	VPOPCNTQ 64(SI), Z1
	VPADDQ   Z0, Z2, Z2
	VPADDQ   Z1, Z3, Z3
	ADDQ     $128, SI
	SUBQ     $128, CX
	JNZ      loop

	VPADDQ        Z3, Z2, Z2
	VEXTRACTI64X4 $1, Z2, Y0
	VPADDQ        Y0, Y2, Y2
	VEXTRACTI128  $1, Y2, X0
	VPADDQ        X0, X2, X2
	VPSRLDQ       $8, X2, X0
	VPADDQ        X0, X2, X2
	VMOVQ         X2, AX
	MOVQ          AX, ret+16(FP)
	VZEROUPPER
	RET
