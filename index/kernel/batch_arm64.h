// As batch_amd64.h, with vectors of 16 bytes, four of which make a step.
//
// R0 dst, R1 query, R2 base, R3 slots, R4 rows left, R5 stride, R6 size, R7 in
// the query, R8 bytes left, R9 to R12 in the rows. R13 the next slot to
// prefetch, R14 bytes prefetched and not yet computed, R15 the end of slots,
// R19 and R20 the row to prefetch and its end.

#define AHEAD 32768

#define ROW(offset, r) \
	MOVWU offset(R3), r    \
	MADD  R5, R2, r, r

// KERNEL is a whole function. INIT sets constants; ZERO clears the sums of four
// rows; QUERY loads the components that 64 bytes of a row have and advances R7,
// STEP(r, s, t) adds what they and the row at r make to the row's sums, which
// are V registers of these numbers, and advances r; SUM brings the four results
// together, of which STORE4 writes all and STORE3 the first R4 and goes to done.
#define KERNEL(INIT, ZERO, QUERY, STEP, SUM, STORE4, STORE3) \
	MOVD dst+0(FP), R0      \
	MOVD q+8(FP), R1        \
	MOVD base+16(FP), R2    \
	MOVD slots+24(FP), R3   \
	MOVD n+32(FP), R4       \
	MOVD stride+40(FP), R5  \
	MOVD size+48(FP), R6    \
	CMP  $1, R4             \
	BLT  done               \
	INIT                    \
	ROW(0, R9)              \
	CMP  $1, R4             \
	BEQ  one                \
	MOVD R3, R13            \
	MOVD ZR, R14            \
	ADD  R4<<2, R3, R15     \
ahead:                      \
	CMP   $AHEAD, R14       \
	BGE   group             \
	CMP   R15, R13          \
	BHS   group             \
	MOVWU.P 4(R13), R19     \
	MADD  R5, R2, R19, R19  \
	ADD   R6, R19, R20      \
	ADD   R6, R14, R14      \
	B     line              \
lines:                      \
	PRFM (R19), PLDL2KEEP   \
	ADD  $64, R19           \
line:                       \
	CMP  R20, R19           \
	BLO  lines              \
	SUB  R6, R20            \
	ADD  R5, R20            \
	SUB  $1, R20            \
	PRFM (R20), PLDL2KEEP   \
	B    ahead              \
group:                      \
	ROW(0, R9)              \
	CMP  $4, R4             \
	BLT  few                \
	ROW(4, R10)             \
	ROW(8, R11)             \
	ROW(12, R12)            \
four:                       \
	ZERO                    \
	MOVD R1, R7             \
	MOVD R6, R8             \
	CBZ  R8, sum            \
loop:                       \
	QUERY                   \
	STEP(R9, 0, 1)          \
	STEP(R10, 2, 3)         \
	STEP(R11, 4, 5)         \
	STEP(R12, 6, 7)         \
	SUBS $64, R8            \
	BGT  loop               \
sum:                        \
	SUM                     \
	CMP  $4, R4             \
	BLT  part               \
	STORE4                  \
	ADD  $16, R3            \
	SUB  R6<<2, R14         \
	SUBS $4, R4             \
	BNE  ahead              \
	B    done               \
few:                        \
	MOVD R9, R10            \
	MOVD R9, R11            \
	MOVD R9, R12            \
	CMP  $2, R4             \
	BLT  one                \
	ROW(4, R10)             \
	BEQ  four               \
	ROW(8, R11)             \
	B    four               \
one:                        \
	ZERO                    \
	MOVD R1, R7             \
	MOVD R6, R8             \
	CBZ  R8, sum            \
loop1:                      \
	QUERY                   \
	STEP(R9, 0, 1)          \
	SUBS $64, R8            \
	BGT  loop1              \
	B    sum                \
part:                       \
	STORE3                  \
done:                       \
	RET

// A result in V0 for each of four rows.
#define STORE4X4 \
	VST1.P [V0.S4], 16(R0)

#define STORE3X4 \
	VST1.P V0.S[0], 4(R0) \
	CMP    $2, R4         \
	BLT    done           \
	VST1.P V0.S[1], 4(R0) \
	BEQ    done           \
	VST1   V0.S[2], (R0)

// A result in V0 and V1 for each of four rows.
#define STORE4X8 \
	VST1.P [V0.D2, V1.D2], 32(R0)

#define STORE3X8 \
	VST1.P V0.D[0], 8(R0) \
	CMP    $2, R4         \
	BLT    done           \
	VST1.P V0.D[1], 8(R0) \
	BEQ    done           \
	VST1   V1.D[0], (R0)

// Instructions that the assembler does not know, with the numbers of V
// registers in its order: the destination last.
#define VVV(code, m, n, d) WORD $((code) | (m)<<16 | (n)<<5 | (d))
#define VV(code, n, d) WORD $((code) | (n)<<5 | (d))

#define FMLA4S(m, n, d) VVV(0x4e20cc00, m, n, d)  // fmla d.4s, n.4s, m.4s
#define FMLA2D(m, n, d) VVV(0x4e60cc00, m, n, d)  // fmla d.2d, n.2d, m.2d
#define FADD4S(m, n, d) VVV(0x4e20d400, m, n, d)  // fadd d.4s, n.4s, m.4s
#define FADD2D(m, n, d) VVV(0x4e60d400, m, n, d)  // fadd d.2d, n.2d, m.2d
#define FSUB4S(m, n, d) VVV(0x4ea0d400, m, n, d)  // fsub d.4s, n.4s, m.4s
#define FSUB2D(m, n, d) VVV(0x4ee0d400, m, n, d)  // fsub d.2d, n.2d, m.2d
#define FADDP4S(m, n, d) VVV(0x6e20d400, m, n, d) // faddp d.4s, n.4s, m.4s
#define FADDP2D(m, n, d) VVV(0x6e60d400, m, n, d) // faddp d.2d, n.2d, m.2d
#define FCVTL(n, d) VV(0x0e217800, n, d)          // fcvtl d.4s, n.4h
#define FCVTL2(n, d) VV(0x4e217800, n, d)         // fcvtl2 d.4s, n.8h
#define SHLL(n, d) VV(0x2e613800, n, d)           // shll d.4s, n.4h, #16
#define SHLL2(n, d) VV(0x6e613800, n, d)          // shll2 d.4s, n.8h, #16
#define SMULL(m, n, d) VVV(0x0e20c000, m, n, d)   // smull d.8h, n.8b, m.8b
#define SMULL2(m, n, d) VVV(0x4e20c000, m, n, d)  // smull2 d.8h, n.16b, m.16b
#define UMULL(m, n, d) VVV(0x2e20c000, m, n, d)   // umull d.8h, n.8b, m.8b
#define UMULL2(m, n, d) VVV(0x6e20c000, m, n, d)  // umull2 d.8h, n.16b, m.16b
#define SADALP(n, d) VV(0x4e606800, n, d)         // sadalp d.4s, n.8h
#define UADALP(n, d) VV(0x6e606800, n, d)         // uadalp d.4s, n.8h
#define SADDLP(n, d) VV(0x4e202800, n, d)         // saddlp d.8h, n.16b
#define UADDLP(n, d) VV(0x6e202800, n, d)         // uaddlp d.8h, n.16b
#define SABD(m, n, d) VVV(0x4e207400, m, n, d)    // sabd d.16b, n.16b, m.16b
#define UABD(m, n, d) VVV(0x6e207400, m, n, d)    // uabd d.16b, n.16b, m.16b
#define SDOT(m, n, d) VVV(0x4e809400, m, n, d)    // sdot d.4s, n.16b, m.16b
#define UDOT(m, n, d) VVV(0x6e809400, m, n, d)    // udot d.4s, n.16b, m.16b
