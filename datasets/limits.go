package datasets

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Limits bounds what a loader takes memory for. The zero value allows 4 GiB
// of elements and 1<<16 dimensions.
type Limits struct {
	MaxBytes int64 // of the elements once loaded
	MaxDim   int
}

// ErrLimit is returned when a file asks for more than [Limits] allows.
var ErrLimit = errors.New("over the limit")

// ErrFormat is returned for a file that is not what its format demands.
var ErrFormat = errors.New("malformed file")

func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = 4 << 30
	}
	if l.MaxDim <= 0 {
		l.MaxDim = 1 << 16
	}
	return l
}

// check says whether rows x dim elements of width bytes stay within l. It
// cannot overflow.
func (l Limits) check(rows, dim, width int64) error {
	if dim < 1 || dim > int64(l.MaxDim) {
		return fmt.Errorf("%w: %d dimensions, %d are allowed", ErrLimit, dim, l.MaxDim)
	}
	if rows < 0 || rows > l.MaxBytes/(dim*width) {
		return fmt.Errorf("%w: %d rows of %d dimensions are more than %d bytes", ErrLimit, rows, dim, l.MaxBytes)
	}
	return nil
}

// Matrix holds rows of float32, one after the other.
type Matrix struct {
	Rows, Dim int
	Data      []float32 // Rows*Dim
}

// Row is the row i, a part of Data.
func (m *Matrix) Row(i int) []float32 { return m.Data[i*m.Dim : (i+1)*m.Dim : (i+1)*m.Dim] }

// IntMatrix holds rows of int32, one after the other: the nearest neighbours
// of each query in a ground truth.
type IntMatrix struct {
	Rows, Dim int
	Data      []int32 // Rows*Dim
}

// Row is the row i, a part of Data.
func (m *IntMatrix) Row(i int) []int32 { return m.Data[i*m.Dim : (i+1)*m.Dim : (i+1)*m.Dim] }

// remaining is the number of bytes left in r where that can be known without
// reading, or -1.
func remaining(r io.Reader) int64 {
	switch r := r.(type) {
	case *os.File:
		fi, err := r.Stat()
		if err != nil || !fi.Mode().IsRegular() {
			return -1
		}
		at, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return -1
		}
		return max(fi.Size()-at, 0)
	case interface{ Len() int }: // bytes.Reader, bytes.Buffer, strings.Reader
		return int64(r.Len())
	}
	return -1
}

// startCap is the capacity to begin with for n elements of width bytes in the
// file: all where left says that they are there, a piece where it is unknown.
func startCap(n, width, left int64) int {
	const piece = 1 << 18
	if left < 0 {
		return int(min(n, piece))
	}
	return int(min(n, left/width))
}

// halfToFloat widens an IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h & 0x3ff)
	switch {
	case exp == 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
	}
	// Zero and subnormals: frac * 2^-24 is exact in float32.
	f := float32(frac) * (1.0 / (1 << 24))
	return math.Float32frombits(math.Float32bits(f) | sign)
}
