package kernel

import (
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// Op is what a kernel computes.
type Op uint8

// The operations. IP and COSINE are made of Dot.
const (
	Dot       Op = iota // sum(a*b)
	SquaredL2           // sum((a-b)^2)
)

// String returns the operation's name.
func (o Op) String() string {
	if o == Dot {
		return "dot"
	}
	return "l2"
}

// OpOf is the operation that a metric is made of.
func OpOf(m index.Metric) Op {
	if m == index.L2 {
		return SquaredL2
	}
	return Dot
}

// RowAlign is what a row's stride is a multiple of, in bytes: a cache line.
const RowAlign = 64

// Stride is the size in bytes of a row of dim components.
func Stride(dim int, e index.Element) int {
	return (dim*e.Size() + RowAlign - 1) &^ (RowAlign - 1)
}

// Func computes dst[i] = op(q, row slots[i]) for i in [0, n). dst, q and the
// rows are of the kernel's element type, at any alignment; row s starts at
// base + s*stride. Nothing but dst[0:n] is written.
type Func func(dst, q, base unsafe.Pointer, slots *uint32, n, stride int)

// Kernel is one row of the table.
type Kernel struct {
	Op        Op
	Element   index.Element
	ISA       string
	Supported func() bool // by this CPU
	Func      Func
}

// All lists every kernel, the fastest first. The portable twins at its end
// define truth.
var All = append(append([]Kernel(nil), assembly...), []Kernel{
	{Dot, index.Float32, "vek", vekSupported, dotF32Vek},
	{Dot, index.Float64, "vek", vekSupported, dotF64Vek},
	{Dot, index.Float32, Generic, always, dotF32Generic},
	{Dot, index.Float64, Generic, always, dotF64Generic},
	{SquaredL2, index.Float32, Generic, always, l2F32Generic},
	{SquaredL2, index.Float64, Generic, always, l2F64Generic},
}...)

// Generic is the ISA of the portable kernels.
const Generic = "generic"

func always() bool { return true }

// Best is the fastest kernel that this CPU supports.
func Best(o Op, e index.Element) Kernel {
	for _, k := range All {
		if k.Op == o && k.Element == e && k.Supported() {
			return annotate(k)
		}
	}
	panic("kernel: no portable kernel") // All ends with one for each
}
