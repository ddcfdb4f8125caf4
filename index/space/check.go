package space

import (
	"bytes"
	"fmt"
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// Check reports what is wrong with a row that comes from elsewhere, as from a
// file: components that are not finite, a length that is not 1 under COSINE, a
// header that is not the components', bytes that are not zero where Parse
// leaves zeros. nil: Parse could have made it.
func (s *Space) Check(row unsafe.Pointer) error {
	end := s.Dim * s.Element.Size()
	b := view[byte](row, s.Stride)
	var head header // as it should be
	switch s.Element {
	case index.Float32:
		v := view[float32](row, s.Dim)
		if !kernel.Finite32(v) {
			return index.ErrNotFin
		}
		if s.Metric == index.Cosine {
			n := 0.0
			for _, x := range v {
				n += float64(x) * float64(x)
			}
			if err := unit(n); err != nil {
				return err
			}
		}
	case index.Float64:
		v := view[float64](row, s.Dim)
		if !kernel.Finite64(v) {
			return index.ErrNotFin
		}
		if s.Metric == index.Cosine {
			n := 0.0
			for _, x := range v {
				n += x * x
			}
			if err := unit(n); err != nil {
				return err
			}
		}
	case index.Float16, index.BFloat16:
		v := view[uint16](row, s.Dim)
		if !finite16(view[uint64](row, s.size/8), topExponent[s.Element]) {
			return index.ErrNotFin
		}
		if n := s.norm16(v); s.head > 0 && n != 0 {
			head.inv = float32(1 / math.Sqrt(n))
		}
	case index.Int8:
		if s.head > 0 {
			head = headerOf(view[int8](row, s.Dim))
		}
	case index.Uint8:
		if s.head > 0 {
			head = headerOf(view[uint8](row, s.Dim))
		}
	}
	if s.head > 0 {
		if h := *headerAt(row, s.head); h != head {
			return fmt.Errorf("space: header %v, which should be %v", h, head)
		}
		if !zero(b[end:s.head]) {
			return errPadding
		}
		end = s.head + headerSize
	}
	if !zero(b[end:]) {
		return errPadding
	}
	return nil
}

var errPadding = fmt.Errorf("space: bytes behind a vector's components are not zero")

// unit wants a squared length of 1, or of 0.
func unit(n float64) error {
	if n != 0 && !(math.Abs(n-1) <= 1e-5) {
		return fmt.Errorf("space: length %v under COSINE", math.Sqrt(n))
	}
	return nil
}

func zero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }
