// Package kernel computes the distance of one query to many rows. That is
// where a vector index spends its time, so a kernel takes a batch: four rows
// at once share each load of the query, and the next rows are called into the
// second level of the cache.
//
//	         q ──────────────┐
//	base ─┬ row 0            ├─► dst[i] = op(q, row slots[i])
//	      ├ row 1   slots ───┘
//	      └ row 2   (uint32)
//
// [Func] says what a kernel reads and what must be zero, [Type] what rows,
// query and results are made of. [All] is the one table: each row names the
// operation, the type, the instruction set and whether this CPU has it; [Best]
// chooses. The rows called "generic" are portable Go and define truth: the
// others give the same integers, and the same floats but for rounding. Building
// with -tags noasm leaves the portable rows, and those of viterin/vek where its
// own assembly runs.
//
// A kernel's result for a pair of vectors does not depend on the place of the
// row in the batch. Kernels may run concurrently; they keep nothing.
//
// # What there is
//
// Nanoseconds for a row of 768 dimensions in batches of 16, from 32 rows that
// stay in the cache | at random places of 100 MB, the least of five runs of
// go test -bench Kernel/././d=768 on one core of an AMD EPYC of the Zen 4 kind:
//
//	op       type     generic      avx2    avx512
//	dot      f32    301 |  802   43|199    36|156
//	dot      f64    358 | 1102  122|377   118|346
//	dot      f16    854 | 1552   34|135    31|120
//	dot      bf16   584 |  876   33|144    35|122
//	dot      i8     587 |  986   22| 91    10| 48
//	dot      u8     241 |  630   24| 84    13| 50
//	dot      sq8    522 |  857   21| 82     9| 46
//	dot      bits4   48 |  226   15| 32     8| 25
//	l2       f32    275 |  856   44|203    37|194
//	l2       f64    303 | 1187  117|423    87|368
//	l2       f16   1262 | 1600   38|140    42|152
//	l2       bf16   720 | 1131   49|158    46|144
//	l2       i8     739 |  979   28| 83    20| 68
//	l2       u8     522 |  857   22| 92    21| 71
//	hamming  bits    15 |  125    6| 24     4| 21
//
// On arm64 "neon" has a row for each of them and "dotprod" (ARMv8.2) one for
// each of bytes. They are tested in an emulator, which tells nothing of their
// speed. "vek" is viterin/vek's f32 and f64 dot, one row at a time: 42 | 385
// and 80 | 698.
//
// avx2 stands for AVX2 and FMA, with F16C for half floats; avx512 for F, BW,
// VL and DQ, with VNNI, VPOPCNTDQ and BITALG for bytes and bits. With
// GODEBUG=cpu.avx512f=off the process does as if it had no AVX-512. Each file of
// assembly holds the steps of its types; batch_*.h, what surrounds a step.
//
// Single vectors ([Normalize32], [Decode32]) are handled with viterin/vek.
package kernel
