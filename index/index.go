package index

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Label is the caller's name of a vector. Labels are expected to be small and
// dense (document ids), because a filter is a [Bitmap] over them.
type Label uint64

// Neighbor is one result of a search, nearest first.
type Neighbor struct {
	Label    Label
	Distance float64 // in the metric's unit, see [Metric]; computed in the element's own precision
}

// Metric says how far two vectors are apart; smaller is nearer.
type Metric uint8

// The metrics, with RediSearch's definitions of distance.
const (
	L2     Metric = iota // squared Euclidean distance, sum((a-b)^2)
	IP                   // 1 - dot(a, b)
	Cosine               // 1 - dot(a, b)/(|a||b|); a zero vector is at distance 1 from everything
)

// String returns the name that FT.CREATE uses.
func (m Metric) String() string {
	switch m {
	case L2:
		return "L2"
	case IP:
		return "IP"
	case Cosine:
		return "COSINE"
	}
	return fmt.Sprintf("Metric(%d)", uint8(m))
}

// Element is the type of a vector's components as they come off the wire.
type Element uint8

// The element types. FLOAT16 is IEEE 754 half precision, BFLOAT16 the upper half
// of a float32. An element of BITS is eight components of a bit each, so that Dim
// is a number of bytes; it is for HNSW under L2, which counts the bits that differ.
const (
	Float32 Element = iota
	Float64
	Float16
	BFloat16
	Int8
	Uint8
	Bits
)

var elements = [...]struct {
	name string
	size int
}{
	Float32: {"FLOAT32", 4}, Float64: {"FLOAT64", 8}, Float16: {"FLOAT16", 2},
	BFloat16: {"BFLOAT16", 2}, Int8: {"INT8", 1}, Uint8: {"UINT8", 1}, Bits: {"BITS", 1},
}

// Size is the size of one component in bytes.
func (e Element) Size() int { return elements[e].size }

// String returns the name that FT.CREATE uses.
func (e Element) String() string {
	if int(e) >= len(elements) {
		return fmt.Sprintf("Element(%d)", uint8(e))
	}
	return elements[e].name
}

// Quant says how an approximate index holds its vectors besides, or instead
// of, the components as they came.
type Quant uint8

// The kinds of quantisation.
const (
	QuantAuto    Quant = iota // what is fastest for the element type and dimension
	QuantNone                 // the vectors alone
	QuantSQ8                  // walk on 8-bit codes, rerank with the vectors
	QuantSQ8Only              // 8-bit codes alone: a quarter of the memory
	QuantBinary               // walk on 1-bit codes in memory, rerank with vectors on disk
	QuantSQ4                  // walk on 4-bit codes, rerank with the vectors: components should be of one size
)

var quants = [...]string{"AUTO", "NONE", "SQ8", "SQ8ONLY", "BINARY", "SQ4"}

// String returns the name that FT.CREATE uses.
func (q Quant) String() string {
	if int(q) >= len(quants) {
		return fmt.Sprintf("Quant(%d)", uint8(q))
	}
	return quants[q]
}

// Params describe a vector index. The zero value of each optional field means
// RediSearch's default.
type Params struct {
	Dim            int     // number of components, 1 to MaxDim or twice that
	Element        Element // FLOAT32 by default
	Metric         Metric
	Quant          Quant   // HNSW: quantisation; FLAT ignores it
	M              int     // HNSW: links per node above level 0 (2M at level 0); default 16
	EFConstruction int     // HNSW: pool size while building; default 200
	EFRuntime      int     // HNSW: default pool size of a search; default 10
	Epsilon        float64 // HNSW: how far beyond the radius a range search explores, relative; default 0.01
	InitialCap     int     // expected number of vectors; a hint, never allocated at once
	BlockSize      int     // FLAT: kept for FT.INFO, otherwise ignored
	Seed           uint64  // of the level generator; 0 picks a fixed one
	Dir            string  // QuantBinary: the folder of the file that holds the vectors; default os.TempDir
}

// Limits of Params. MaxDim and MaxM are RediSearch's. INT8, and FLOAT32 without
// quantisation, may have twice as many dimensions: as many as Redis' vector sets.
const (
	MaxDim = 32768
	MaxM   = 512
)

// Validate reports the first parameter that no index can have.
func (p Params) Validate() error {
	switch {
	case p.Dim < 1 || p.Dim > 2*MaxDim || p.Dim > MaxDim && p.Element != Int8 && (p.Element != Float32 || p.Quant != QuantNone):
		return fmt.Errorf("%w: dimension %d", ErrParams, p.Dim)
	case int(p.Element) >= len(elements):
		return fmt.Errorf("%w: element type %d", ErrParams, p.Element)
	case int(p.Quant) >= len(quants):
		return fmt.Errorf("%w: quantisation %d", ErrParams, p.Quant)
	case p.Metric > Cosine:
		return fmt.Errorf("%w: metric %d", ErrParams, p.Metric)
	case p.Element == Bits && p.Metric != L2:
		return fmt.Errorf("%w: metric %v of bits", ErrParams, p.Metric)
	case p.M < 0 || p.M == 1 || p.M > MaxM:
		return fmt.Errorf("%w: M %d", ErrParams, p.M)
	case p.EFConstruction < 0 || p.EFRuntime < 0:
		return fmt.Errorf("%w: ef below 0", ErrParams)
	case !(p.Epsilon >= 0 && p.Epsilon <= math.MaxFloat64):
		return fmt.Errorf("%w: epsilon %v", ErrParams, p.Epsilon)
	}
	return nil
}

// Errors of this package and of every index type. Test with errors.Is.
var (
	ErrParams  = errors.New("index: bad parameter")
	ErrDim     = errors.New("index: vector has the wrong length")
	ErrNotFin  = errors.New("index: vector holds NaN or infinity")
	ErrCorrupt = errors.New("index: corrupt data")
)

// SearchOptions refine a search. The zero value is a plain one.
type SearchOptions struct {
	EF      int         // HNSW: size of the candidate pool; 0 means Params.EFRuntime; never below k
	Epsilon float64     // HNSW range: 0 means Params.Epsilon
	Allow   *Bitmap     // only these labels may be returned; nil allows all
	Stop    func() bool // asked now and then; true ends the search with what was found
}

// Stats are an index's figures.
type Stats struct {
	Len       int   // live vectors
	Deleted   int   // tombstones whose slots are not reclaimed yet
	Bytes     int64 // memory held, off-heap slabs included
	DiskBytes int64 // space held on disk, of which the system keeps in memory what it likes
	Levels    int   // HNSW: levels in use
}

// Index holds vectors under labels and finds the nearest to a query.
// All methods are safe for concurrent use; a search never waits for an insert.
//
// A vector or query is given as the blob that comes off the wire: Dim
// components of the index's [Element], little-endian, at any alignment. It is
// copied; the caller keeps it.
type Index interface {
	// Add inserts the vector or replaces the label's older one. A version that
	// is not newer than the label's last (added or removed) is a no-op.
	// ErrDim, ErrNotFin: nothing changed.
	Add(l Label, version uint64, v []byte) error
	// Remove deletes the label's vector; false where there is none or version is older.
	Remove(l Label, version uint64) bool
	// Search appends the k nearest to dst, nearest first, and returns it.
	Search(dst []Neighbor, q []byte, k int, o SearchOptions) ([]Neighbor, error)
	// Range appends all within radius (inclusive) to dst, nearest first.
	Range(dst []Neighbor, q []byte, radius float64, o SearchOptions) ([]Neighbor, error)
	// Distance is the distance from the query to the label's vector; false where there is none.
	Distance(q []byte, l Label) (float64, bool)
	// Has reports whether the label has a vector.
	Has(l Label) bool
	Len() int
	Stats() Stats
	// Close returns the index's off-heap memory. Nothing may be called after it.
	Close() error
}

// Saver is implemented by index types that can write themselves, as they are at
// one moment. Searches go on meanwhile; additions and removals wait.
type Saver interface{ Save(w io.Writer) error }

// Kind is a type of index, a row of kinds.All.
type Kind struct {
	Name string // as in FT.CREATE: HNSW, FLAT
	New  func(Params) (Index, error)
	// Load reads what a Saver wrote. Params are those of New; where they decide
	// about what is stored they must be those that it was saved with, or it is
	// ErrParams. Anything else that does not fit is ErrCorrupt.
	Load func(io.Reader, Params) (Index, error)
	// Open is Load of a file of size bytes. If it has a method Fd, as os.File
	// has, its pages become the index's memory where the system can do that:
	// the file must not be written to, or cut, until the index is closed. It may
	// be closed, renamed, deleted or replaced by a rename.
	Open func(f io.ReaderAt, size int64, p Params) (Index, error)
}
