package bert

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nearcache/nearcache/index/kernel"
)

// maxHeader is what the format allows, in bytes.
const maxHeader = 100 << 20

// maxTensor is how many numbers a tensor may have: 4 GB of float32.
const maxTensor = 1 << 30

// tensorFile is a file of named tensors: its length, a header in JSON, numbers.
type tensorFile struct {
	r       io.ReaderAt
	start   int64 // of the numbers
	tensors map[string]tensorInfo
}

type tensorInfo struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// dtypes are the number formats that are read, with their size in bytes.
var dtypes = map[string]struct {
	size   int64
	decode func(dst []float32, b []byte)
}{
	"F32": {4, kernel.Decode32},
	"F16": {2, func(dst []float32, b []byte) {
		for i := range dst {
			dst[i] = kernel.Float16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}},
	"BF16": {2, func(dst []float32, b []byte) {
		for i := range dst {
			dst[i] = kernel.BFloat16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}},
}

// openTensors reads the header of a file of size bytes.
func openTensors(r io.ReaderAt, size int64) (*tensorFile, error) {
	var n [8]byte
	if size < int64(len(n)) {
		return nil, errors.New("too short for a safetensors file")
	}
	if _, err := r.ReadAt(n[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(n[:])
	if length > maxHeader || int64(length) > size-int64(len(n)) {
		return nil, fmt.Errorf("a header of %d bytes in a file of %d", length, size)
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, int64(len(n))); err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	f := &tensorFile{r: r, start: int64(len(n)) + int64(length), tensors: map[string]tensorInfo{}}
	for name, text := range raw {
		if name == "__metadata__" {
			continue
		}
		var t tensorInfo
		if err := json.Unmarshal(text, &t); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if t.Offsets[0] < 0 || t.Offsets[1] < t.Offsets[0] || t.Offsets[1] > size-f.start {
			return nil, fmt.Errorf("tensor %q lies at %d to %d of %d bytes", name, t.Offsets[0], t.Offsets[1], size-f.start)
		}
		f.tensors[name] = t
	}
	return f, nil
}

// read returns the numbers of a tensor, which must have this shape.
func (f *tensorFile) read(name string, shape ...int) ([]float32, error) {
	t, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	kind, ok := dtypes[t.DType]
	if !ok {
		return nil, fmt.Errorf("tensor %q is of %q; F32, F16 and BF16 are read", name, t.DType)
	}
	count := int64(1)
	same := len(shape) == len(t.Shape)
	for i, n := range shape {
		same = same && t.Shape[i] == int64(n)
		if n <= 0 || count > maxTensor/int64(n) {
			return nil, fmt.Errorf("tensor %q would have %v numbers", name, shape)
		}
		count *= int64(n)
	}
	if !same || t.Offsets[1]-t.Offsets[0] != count*kind.size {
		return nil, fmt.Errorf("tensor %q has the shape %v and %d bytes, the configuration says %v", name, t.Shape, t.Offsets[1]-t.Offsets[0], shape)
	}
	dst := make([]float32, count)
	buf := make([]byte, min(count*kind.size, 1<<20))
	for done := int64(0); done < count; {
		n := min(int64(len(buf))/kind.size, count-done)
		b := buf[:n*kind.size]
		if _, err := f.r.ReadAt(b, f.start+t.Offsets[0]+done*kind.size); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		kind.decode(dst[done:done+n], b)
		done += n
	}
	if !kernel.Finite32(dst) {
		return nil, fmt.Errorf("tensor %q holds a number that is none", name)
	}
	return dst, nil
}
