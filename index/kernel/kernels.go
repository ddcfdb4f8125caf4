package kernel

import (
	"fmt"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// Op is what a kernel computes.
type Op uint8

// The operations. IP and COSINE are made of Dot.
const (
	Dot       Op = iota // sum(a*b)
	SquaredL2           // sum((a-b)^2)
	Hamming             // number of bits that differ
)

var ops = [...]string{Dot: "dot", SquaredL2: "l2", Hamming: "hamming"}

// String returns the operation's name.
func (o Op) String() string {
	if int(o) >= len(ops) {
		return fmt.Sprintf("Op(%d)", uint8(o))
	}
	return ops[o]
}

// OpOf is the operation that a metric of an element type is made of.
func OpOf(m index.Metric, e index.Element) Op {
	switch {
	case e == index.Bits:
		return Hamming
	case m == index.L2:
		return SquaredL2
	}
	return Dot
}

// Type says what the rows, the query and the results of a kernel are made of.
type Type uint8

// The types. A query has as many components as a row, so that of F16 and BF16
// takes 2*size bytes. Integer results are exact: 255*255*[index.MaxDim] and
// 128*128*2*[index.MaxDim] are below 2^31.
const (
	F32   Type = iota // float32; results float32
	F64               // float64; results float64
	F16               // rows IEEE half precision, query and results float32
	BF16              // rows bfloat16, query and results float32
	I8                // int8; results int32
	U8                // uint8; results int32
	SQ8               // rows uint8, query int8, results int32
	Bits              // bits; results int32
	Bits4             // rows bits, query 4 planes of size bytes, plane j of weight 2^j; results int32
)

var types = [...]string{
	F32: "f32", F64: "f64", F16: "f16", BF16: "bf16", I8: "i8", U8: "u8", SQ8: "sq8", Bits: "bits", Bits4: "bits4",
}

// String returns the type's name.
func (t Type) String() string {
	if int(t) >= len(types) {
		return fmt.Sprintf("Type(%d)", uint8(t))
	}
	return types[t]
}

// TypeOf is the type of rows that hold an element's components as they are.
func TypeOf(e index.Element) Type {
	return [...]Type{
		index.Float32: F32, index.Float64: F64, index.Float16: F16,
		index.BFloat16: BF16, index.Int8: I8, index.Uint8: U8, index.Bits: Bits,
	}[e]
}

// RowAlign is what the size of a row is a multiple of, in bytes: a cache line.
const RowAlign = 64

// Stride is the size in bytes of a row of dim components.
func Stride(dim int, e index.Element) int {
	return (dim*e.Size() + RowAlign - 1) &^ (RowAlign - 1)
}

// Func computes dst[i] = op(q, row slots[i]) for i in [0, n). Row s starts at
// base + s*stride, and size bytes of it take part. size is a multiple of
// [RowAlign] and may exceed stride. dst, q and the rows may have any alignment.
// Nothing but dst[0:n] is written; nothing but the query, the slots and size
// bytes of each row is read.
//
// The components behind a vector's own, up to size, are zero in the query. In
// the rows they are zero too, except where an integer product makes it
// superfluous: those of Dot of I8, U8, SQ8 and Bits4 may be anything.
type Func func(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int)

// Kernel is one row of the table.
type Kernel struct {
	Op        Op
	Type      Type
	ISA       string
	Supported func() bool // by this CPU
	Func      Func
}

// All lists every kernel, the fastest first. The portable twins at its end
// define truth.
var All = append(append([]Kernel(nil), assembly...), []Kernel{
	{Dot, F32, "vek", vekSupported, dotF32Vek},
	{Dot, F64, "vek", vekSupported, dotF64Vek},
	{Dot, F32, Generic, always, dotF32Generic},
	{Dot, F64, Generic, always, dotF64Generic},
	{Dot, F16, Generic, always, dotF16Generic},
	{Dot, BF16, Generic, always, dotBF16Generic},
	{Dot, I8, Generic, always, dotI8Generic},
	{Dot, U8, Generic, always, dotU8Generic},
	{Dot, SQ8, Generic, always, dotSQ8Generic},
	{Dot, Bits4, Generic, always, dotBits4Generic},
	{SquaredL2, F32, Generic, always, l2F32Generic},
	{SquaredL2, F64, Generic, always, l2F64Generic},
	{SquaredL2, F16, Generic, always, l2F16Generic},
	{SquaredL2, BF16, Generic, always, l2BF16Generic},
	{SquaredL2, I8, Generic, always, l2I8Generic},
	{SquaredL2, U8, Generic, always, l2U8Generic},
	{Hamming, Bits, Generic, always, hammingGeneric},
}...)

// Generic is the ISA of the portable kernels.
const Generic = "generic"

func always() bool { return true }

// Best is the fastest kernel that this CPU supports. It panics for a pair of
// which no row exists.
func Best(o Op, t Type) Kernel {
	for _, k := range All {
		if k.Op == o && k.Type == t && k.Supported() {
			return annotate(k)
		}
	}
	panic(fmt.Sprintf("kernel: no %v of %v", o, t))
}
