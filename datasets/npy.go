package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// maxNPYHeader is far over what a plain array needs (about 80 bytes; NumPy
// pads to 64) and far under what could hurt.
const maxNPYHeader = 1 << 16

// ReadNPY reads a NumPy array file (format 1.0 to 3.0) of one or two
// dimensions with little-endian float16, float32 or float64 elements in C
// order. A one-dimensional array becomes one row. Elements become float32.
func ReadNPY(r io.Reader, l Limits) (*Matrix, error) {
	l = l.withDefaults()
	h, err := readNPYHeader(r)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	if err := l.check(h.rows, h.dim, 4); err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	n := h.rows * h.dim
	left := remaining(r)
	if left >= 0 && left < n*int64(h.width) {
		return nil, fmt.Errorf("npy: %w: %d bytes of elements, the header says %d", ErrFormat, left, n*int64(h.width))
	}
	out := make([]float32, 0, startCap(n, int64(h.width), left))
	buf := make([]byte, 1<<16)
	for todo := n * int64(h.width); todo > 0; {
		b := buf[:min(int64(len(buf)), todo)]
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, fmt.Errorf("npy: element %d of %d: %w", len(out), n, short(err))
		}
		todo -= int64(len(b))
		out = appendElements(out, b, h.width)
	}
	return &Matrix{Rows: int(h.rows), Dim: int(h.dim), Data: out}, nil
}

// EachNPYRow reads what [ReadNPY] reads, and calls f with each row and the byte where
// it begins. The row is valid until f returns: memory is bounded by one row, and
// Limits.MaxDim by its length. Nothing may stand behind the last row, and where the
// length of r is known, rows that are not there are noticed before f is called.
func EachNPYRow(r io.Reader, l Limits, f func(i int, at int64, row []float32) error) error {
	l = l.withDefaults()
	h, err := readNPYHeader(r)
	if err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	if err := l.check(h.rows, h.dim, 4); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	size := h.dim * int64(h.width)
	if left := remaining(r); left >= 0 && left/size < h.rows {
		return fmt.Errorf("npy: %w: %d bytes behind byte %d, too few for %d rows of %d", ErrFormat, left, h.size, h.rows, size)
	}
	row := make([]float32, 0, h.dim)
	b := make([]byte, size)
	at := h.size
	for i := range h.rows {
		if n, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("npy: at byte %d, row %d of %d: %w", at+int64(n), i, h.rows, short(err))
		}
		row = appendElements(row[:0], b, h.width)
		if err := f(int(i), at, row); err != nil {
			return err
		}
		at += size
	}
	switch _, err := io.ReadFull(r, b[:1]); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("npy: at byte %d: %w: more than the %d rows of %d bytes that the header tells", at, ErrFormat, h.rows, size)
	default:
		return fmt.Errorf("npy: at byte %d: %w", at, err)
	}
}

// LoadNPY reads the file at path with [ReadNPY].
func LoadNPY(path string, l Limits) (*Matrix, error) { return load(path, l, ReadNPY) }

func load[T any](path string, l Limits, read func(io.Reader, Limits) (*T, error)) (*T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := read(f, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func appendElements(dst []float32, b []byte, width int) []float32 {
	switch width {
	case 2:
		for ; len(b) >= 2; b = b[2:] {
			dst = append(dst, halfToFloat(binary.LittleEndian.Uint16(b)))
		}
	case 4:
		for ; len(b) >= 4; b = b[4:] {
			dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	case 8:
		for ; len(b) >= 8; b = b[8:] {
			dst = append(dst, float32(math.Float64frombits(binary.LittleEndian.Uint64(b))))
		}
	}
	return dst
}

type npyHeader struct {
	rows, dim int64
	width     int   // bytes of an element
	size      int64 // of the header
}

func readNPYHeader(r io.Reader) (npyHeader, error) {
	var h npyHeader
	var pre [12]byte
	if _, err := io.ReadFull(r, pre[:10]); err != nil {
		return h, short(err)
	}
	if !bytes.Equal(pre[:6], []byte("\x93NUMPY")) {
		return h, fmt.Errorf("%w: no NumPy magic", ErrFormat)
	}
	var n uint32
	switch pre[6] {
	case 1:
		n = uint32(binary.LittleEndian.Uint16(pre[8:]))
	case 2, 3:
		if _, err := io.ReadFull(r, pre[10:12]); err != nil {
			return h, short(err)
		}
		n = binary.LittleEndian.Uint32(pre[8:])
	default:
		return h, fmt.Errorf("%w: format version %d", ErrFormat, pre[6])
	}
	if n > maxNPYHeader {
		return h, fmt.Errorf("%w: header of %d bytes", ErrLimit, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return h, short(err)
	}
	h, err := parseNPYHeader(string(b))
	h.size = int64(n) + 10
	if pre[6] > 1 {
		h.size += 2
	}
	return h, err
}

// parseNPYHeader reads the Python dictionary that NumPy writes:
//
//	{'descr': '<f2', 'fortran_order': False, 'shape': (30781, 384), }
//
// Only these three keys with literals of these kinds may stand in it.
func parseNPYHeader(s string) (npyHeader, error) {
	var h npyHeader
	bad := func(what string) (npyHeader, error) {
		return npyHeader{}, fmt.Errorf("%w: header: %s", ErrFormat, what)
	}
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		return bad("not a dictionary")
	}
	s = strings.TrimSpace(s[1 : len(s)-1])
	var descr, order, shape string
	for s != "" {
		key, rest, ok := cutQuoted(s)
		if !ok {
			return bad("a key is not quoted")
		}
		rest = strings.TrimSpace(rest)
		if !strings.HasPrefix(rest, ":") {
			return bad("no colon after a key")
		}
		rest = strings.TrimSpace(rest[1:])
		var dst *string
		var val string
		switch key {
		case "descr":
			dst = &descr
			val, rest, ok = cutQuoted(rest)
		case "fortran_order":
			dst = &order
			i := strings.IndexAny(rest, ", ")
			if i < 0 {
				i = len(rest)
			}
			val, rest = rest[:i], rest[i:]
		case "shape":
			dst = &shape
			val, rest, ok = strings.Cut(rest, ")")
			ok = ok && strings.HasPrefix(val, "(")
			if ok {
				val = val[1:] + " "
			}
		default:
			return bad("key " + strconv.Quote(key))
		}
		if !ok || val == "" {
			return bad("value of " + key)
		}
		if *dst != "" {
			return bad(key + " twice")
		}
		*dst = val
		rest = strings.TrimSpace(rest)
		if rest != "" {
			if rest[0] != ',' {
				return bad("no comma after the value of " + key)
			}
			rest = strings.TrimSpace(rest[1:])
		}
		s = rest
	}
	switch descr {
	case "<f2":
		h.width = 2
	case "<f4":
		h.width = 4
	case "<f8":
		h.width = 8
	default:
		return bad("elements " + strconv.Quote(descr) + ", only <f2, <f4 and <f8 are read")
	}
	if order != "False" {
		return bad("fortran_order " + strconv.Quote(order) + ", only False is read")
	}
	var dims []int64
	for f := range strings.SplitSeq(shape, ",") {
		f = strings.TrimSpace(f)
		if f == "" {
			continue
		}
		n, err := strconv.ParseUint(f, 10, 63)
		if err != nil {
			return bad("shape " + strconv.Quote(shape))
		}
		dims = append(dims, int64(n))
	}
	switch len(dims) {
	case 1:
		h.rows, h.dim = 1, dims[0]
	case 2:
		h.rows, h.dim = dims[0], dims[1]
	default:
		return bad(strconv.Itoa(len(dims)) + " dimensions, only 1 and 2 are read")
	}
	return h, nil
}

// cutQuoted cuts a quoted word without escapes from the front of s.
func cutQuoted(s string) (word, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", s, false
	}
	i := strings.IndexByte(s[1:], s[0])
	if i < 0 {
		return "", s, false
	}
	return s[1 : 1+i], s[i+2:], true
}

// short says that a file ended too early, whichever way io said it.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", ErrFormat)
	}
	return err
}
