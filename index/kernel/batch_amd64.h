// One query against n rows: four rows share each load of the query. Of what is
// left over, two or three rows are filled up to four with copies of the first,
// and one is computed alone with the same sums in the same order, so that a
// pair's result does not depend on the place of its row.
//
// Rows seldom lie in a near cache. A core has few buffers for what its first
// level misses and many for the second, so the rows of the next AHEAD bytes are
// called into the second level before four are computed (PREFETCHT1; into the
// first level is half as fast, measured). One row alone has no time for that.
//
// DI dst, SI query, R8 size, R9 slots, R10 rows left, R11 offset in the row,
// AX BX CX DX the rows. R12 the next slot to prefetch, R13 bytes prefetched and
// not yet computed, R14 the end of slots, R15 free in the loop.

#define AHEAD 32768

#define ROW(slot, r) \
	MOVL  slot, r          \
	IMULQ stride+40(FP), r \
	ADDQ  base+16(FP), r

// KERNEL is a whole function. INIT sets constants; ZERO clears the sums of four
// rows; QUERY loads the components that 64 bytes of a row have, STEP(r, s, t)
// adds what they and the row at r+R11 make to the row's sums s and t; SUM brings
// the four results together, of which STORE4 writes all and STORE3 the first
// R10 and goes to done. WIDTH is the size of a result. S0, T0 to S3, T3 are the
// sums of the four rows.
#define KERNEL(INIT, ZERO, QUERY, STEP, SUM, STORE4, STORE3, WIDTH) \
	MOVQ  dst+0(FP), DI         \
	MOVQ  q+8(FP), SI           \
	MOVQ  slots+24(FP), R9      \
	MOVQ  n+32(FP), R10         \
	MOVQ  size+48(FP), R8       \
	TESTQ R10, R10              \
	JLE   done                  \
	INIT                        \
	ROW((R9), AX)               \
	CMPQ  R10, $1               \
	JEQ   one                   \
	MOVQ  R9, R12               \
	XORL  R13, R13              \
	LEAQ  (R9)(R10*4), R14      \
ahead:                          \
	CMPQ R13, $AHEAD            \
	JGE  group                  \
	CMPQ R12, R14               \
	JGE  group                  \
	ROW((R12), R15)             \
	ADDQ $4, R12                \
	ADDQ R8, R13                \
	PREFETCHT1 (R15)            \
	MOVL R8, R11                \
	ANDL $64, R11               \
	JMP  line                   \
lines:                          \
	PREFETCHT1 (R15)(R11*1)     \
	PREFETCHT1 64(R15)(R11*1)   \
	ADDQ       $128, R11        \
line:                           \
	CMPQ R11, R8                \
	JLT  lines                  \
	MOVQ       stride+40(FP), R11 \
	DECQ       R11              \
	CMPQ       R11, R8          \
	CMOVQGT    R8, R11          \
	PREFETCHT1 (R15)(R11*1)     \
	JMP  ahead                  \
group:                          \
	ROW((R9), AX)               \
	CMPQ R10, $4                \
	JLT  few                    \
	ROW(4(R9), BX)              \
	ROW(8(R9), CX)              \
	ROW(12(R9), DX)             \
four:                           \
	ZERO                        \
	XORL R11, R11               \
	CMPQ R11, R8                \
	JGE  sum                    \
loop:                           \
	QUERY                       \
	STEP(AX, S0, T0)            \
	STEP(BX, S1, T1)            \
	STEP(CX, S2, T2)            \
	STEP(DX, S3, T3)            \
	ADDQ $64, R11               \
	CMPQ R11, R8                \
	JLT  loop                   \
sum:                            \
	SUM                         \
	CMPQ R10, $4                \
	JLT  part                   \
	STORE4                      \
	ADDQ $16, R9                \
	ADDQ $(4*WIDTH), DI         \
	LEAQ (R8*4), R11            \
	SUBQ R11, R13               \
	SUBQ $4, R10                \
	JNE  ahead                  \
	JMP  done                   \
few:                            \
	MOVQ AX, BX                 \
	MOVQ AX, CX                 \
	MOVQ AX, DX                 \
	CMPQ R10, $2                \
	JLT  one                    \
	ROW(4(R9), BX)              \
	CMPQ R10, $2                \
	JEQ  four                   \
	ROW(8(R9), CX)              \
	JMP  four                   \
one:                            \
	ZERO                        \
	XORL R11, R11               \
	CMPQ R11, R8                \
	JGE  sum                    \
loop1:                          \
	QUERY                       \
	STEP(AX, S0, T0)            \
	ADDQ $64, R11               \
	CMPQ R11, R8                \
	JLT  loop1                  \
	JMP  sum                    \
part:                           \
	STORE3                      \
done:                           \
	VZEROUPPER                  \
	RET

#define NONE

// The sums of the rows are Y0 and Y1, Y2 and Y3, ..., or the Z they are part of.
#define ZERO \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3 \
	VXORPS Y4, Y4, Y4 \
	VXORPS Y5, Y5, Y5 \
	VXORPS Y6, Y6, Y6 \
	VXORPS Y7, Y7, Y7

// SUM32 adds up the lanes of Y0+Y1, Y2+Y3, Y4+Y5 and Y6+Y7 and leaves them in X0.
#define SUM32(ADD, HADD) \
	ADD          Y1, Y0, Y0 \
	ADD          Y3, Y2, Y2 \
	ADD          Y5, Y4, Y4 \
	ADD          Y7, Y6, Y6 \
	HADD         Y2, Y0, Y0 \
	HADD         Y6, Y4, Y4 \
	HADD         Y4, Y0, Y0 \
	VEXTRACTI128 $1, Y0, X1 \
	ADD          X1, X0, X0

#define SUMPS SUM32(VADDPS, VHADDPS)
#define SUMD SUM32(VPADDD, VPHADDD)

// SUMPD does it for float64 and leaves them in Y0.
#define SUMPD \
	VADDPD     Y1, Y0, Y0        \
	VADDPD     Y3, Y2, Y2        \
	VADDPD     Y5, Y4, Y4        \
	VADDPD     Y7, Y6, Y6        \
	VHADDPD    Y2, Y0, Y0        \
	VHADDPD    Y6, Y4, Y4        \
	VPERM2F128 $0x20, Y4, Y0, Y1 \
	VPERM2F128 $0x31, Y4, Y0, Y2 \
	VADDPD     Y2, Y1, Y0

// A result in X0 for each of four rows.
#define STORE4X4 VMOVUPS X0, (DI)

#define STORE3X4 \
	VMOVSS     X0, (DI)     \
	CMPQ       R10, $2      \
	JLT        done         \
	VEXTRACTPS $1, X0, 4(DI) \
	JEQ        done         \
	VEXTRACTPS $2, X0, 8(DI)

// A result in Y0 for each of four rows.
#define STORE4X8 VMOVUPS Y0, (DI)

#define STORE3X8 \
	VMOVSD       X0, (DI)    \
	CMPQ         R10, $2     \
	JLT          done        \
	VMOVHPD      X0, 8(DI)   \
	JEQ          done        \
	VEXTRACTF128 $1, Y0, X0  \
	VMOVSD       X0, 16(DI)
