package datasets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// ReadFvecs reads the format of the TEXMEX sets: each row an int32 dimension,
// little-endian, and that many float32. All rows must have the same dimension.
func ReadFvecs(r io.Reader, l Limits) (*Matrix, error) {
	var m Matrix
	var err error
	m.Rows, m.Dim, m.Data, err = readVecs(r, l, func(u uint32) float32 { return math.Float32frombits(u) })
	if err != nil {
		return nil, fmt.Errorf("fvecs: %w", err)
	}
	return &m, nil
}

// ReadIvecs reads the same format with int32 elements, as ground truths have
// them.
func ReadIvecs(r io.Reader, l Limits) (*IntMatrix, error) {
	var m IntMatrix
	var err error
	m.Rows, m.Dim, m.Data, err = readVecs(r, l, func(u uint32) int32 { return int32(u) })
	if err != nil {
		return nil, fmt.Errorf("ivecs: %w", err)
	}
	return &m, nil
}

// LoadFvecs reads the file at path with [ReadFvecs].
func LoadFvecs(path string, l Limits) (*Matrix, error) { return load(path, l, ReadFvecs) }

// LoadIvecs reads the file at path with [ReadIvecs].
func LoadIvecs(path string, l Limits) (*IntMatrix, error) { return load(path, l, ReadIvecs) }

func readVecs[E float32 | int32](r io.Reader, l Limits, element func(uint32) E) (rows, dim int, out []E, err error) {
	l = l.withDefaults()
	left := remaining(r)
	br := bufio.NewReaderSize(r, 1<<16)
	var head [4]byte
	var row []byte
	for {
		if _, err := io.ReadFull(br, head[:]); err != nil {
			if errors.Is(err, io.EOF) { // between two rows: the end
				return rows, dim, out, nil
			}
			return 0, 0, nil, fmt.Errorf("row %d: %w", rows, short(err))
		}
		d := int64(int32(binary.LittleEndian.Uint32(head[:])))
		if rows == 0 {
			if err := l.check(1, d, 4); err != nil {
				return 0, 0, nil, err
			}
			dim = int(d)
			row = make([]byte, dim*4)
			if left >= 0 {
				n := left / (4 + 4*d)
				if err := l.check(n, d, 4); err != nil {
					return 0, 0, nil, err
				}
				out = make([]E, 0, n*d)
			}
		}
		if d != int64(dim) {
			return 0, 0, nil, fmt.Errorf("%w: row %d has %d dimensions, the first has %d", ErrFormat, rows, d, dim)
		}
		if err := l.check(int64(rows)+1, d, 4); err != nil {
			return 0, 0, nil, err
		}
		if _, err := io.ReadFull(br, row); err != nil {
			return 0, 0, nil, fmt.Errorf("row %d: %w", rows, short(err))
		}
		for b := row; len(b) >= 4; b = b[4:] {
			out = append(out, element(binary.LittleEndian.Uint32(b)))
		}
		rows++
	}
}
