package rdb

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strconv"
)

// ErrFormat is what is read where the bytes are no RDB.
var ErrFormat = errors.New("rdb: bad data format")

// Encodings of lengths and strings.
const (
	length14    = 1 << 6
	length32    = 0x80
	length64    = 0x81
	encodedInt8 = 0xc0 + iota - 3
	encodedInt16
	encodedInt32
	encodedLZF
)

// maxString is the longest string: what proto-max-bulk-len allows.
const maxString = 512 << 20

// readStep bounds how much memory is taken for a string before its bytes are there.
const readStep = 1 << 20

// Reader reads the parts of an RDB. Errors stick: after the first, everything
// that is read is zero and Err says what it was. It is for one goroutine.
type Reader struct {
	// Version is that of the payload or file. It tells which of two meanings some
	// types have.
	Version int
	// Templates are the fields of hashes that only name them by a number: an RDB
	// file lists them before its keys.
	Templates map[uint64][][]byte

	src   io.Reader // nil where all there is lies in buf
	buf   []byte
	pos   int
	read  int64 // bytes taken from buf before those that are in it
	sums  bool  // the checksum of what was taken from buf is kept
	sum   uint64
	err   error
	text  []byte // room of a string that is not as it stands
	digit [24]byte
}

// NewReader reads from memory. What it returns may be part of b.
func NewReader(b []byte) *Reader { return &Reader{buf: b, Version: Version} }

// NewStreamReader reads from a stream, ahead of what it is asked for.
func NewStreamReader(src io.Reader) *Reader { return &Reader{src: src, Version: Version} }

// Err is the first error: ErrFormat, io.ErrUnexpectedEOF or that of the stream.
func (r *Reader) Err() error { return r.err }

// Offset is how many bytes have been read.
func (r *Reader) Offset() int64 { return r.read + int64(r.pos) }

// More reports whether there is something left to read from memory.
func (r *Reader) More() bool { return r.err == nil && r.pos < len(r.buf) }

// fail notes that what was read is wrong.
func (r *Reader) fail() {
	if r.err == nil {
		r.err = ErrFormat
	}
}

// next takes n bytes, valid until the next read; nil after an error.
func (r *Reader) next(n int) []byte {
	if r.err != nil {
		return nil
	}
	for len(r.buf)-r.pos < n {
		if r.src == nil {
			r.err = io.ErrUnexpectedEOF
			return nil
		}
		if r.fill(n); r.err != nil {
			return nil
		}
	}
	b := r.buf[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

// fill reads more, up to n bytes and a bit or up to a step of them.
func (r *Reader) fill(n int) {
	if r.pos > 0 {
		if r.sums {
			r.sum = Checksum(r.sum, r.buf[:r.pos])
		}
		r.read += int64(r.pos)
		r.buf = r.buf[:copy(r.buf, r.buf[r.pos:])]
		r.pos = 0
	}
	want := max(min(n-len(r.buf), readStep), 4096)
	if cap(r.buf)-len(r.buf) < want {
		grown := make([]byte, len(r.buf), max(2*cap(r.buf), len(r.buf)+want))
		copy(grown, r.buf)
		r.buf = grown
	}
	k, err := io.ReadAtLeast(r.src, r.buf[len(r.buf):cap(r.buf)], min(want, n-len(r.buf)))
	r.buf = r.buf[:len(r.buf)+k]
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	r.err = err
}

// Byte reads a byte: a type or an opcode.
func (r *Reader) Byte() byte {
	if b := r.next(1); b != nil {
		return b[0]
	}
	return 0
}

// Length reads a length.
func (r *Reader) Length() uint64 {
	n, encoded := r.length()
	if encoded {
		r.fail()
		return 0
	}
	return n
}

// length reads a length, or says how the string is encoded that follows.
func (r *Reader) length() (n uint64, encoded bool) {
	c := r.Byte()
	switch {
	case c < length14:
		return uint64(c), false
	case c < length32:
		return uint64(c&(length14-1))<<8 | uint64(r.Byte()), false
	case c >= encodedInt8:
		return uint64(c), true
	}
	switch c {
	case length32:
		if b := r.next(4); b != nil {
			return uint64(binary.BigEndian.Uint32(b)), false
		}
	case length64:
		if b := r.next(8); b != nil {
			return binary.BigEndian.Uint64(b), false
		}
	default:
		r.fail()
	}
	return 0, false
}

// count reads a number of things of which there is at least one byte each.
func (r *Reader) count() int {
	n := r.Length()
	if n > math.MaxInt32 || r.src == nil && n > uint64(len(r.buf)-r.pos) {
		r.fail()
		return 0
	}
	return int(n)
}

// size reads the length of a string.
func (r *Reader) size() int {
	n := r.Length()
	if n > maxString {
		r.fail()
		return 0
	}
	return int(n)
}

// String reads a string, valid until the next read.
func (r *Reader) String() []byte {
	n, encoded := r.length()
	if !encoded {
		if n > maxString {
			r.fail()
			return nil
		}
		return r.next(int(n))
	}
	var v int64
	switch n {
	case encodedInt8:
		v = int64(int8(r.Byte()))
	case encodedInt16:
		if b := r.next(2); b != nil {
			v = int64(int16(binary.LittleEndian.Uint16(b)))
		}
	case encodedInt32:
		if b := r.next(4); b != nil {
			v = int64(int32(binary.LittleEndian.Uint32(b)))
		}
	case encodedLZF:
		packed, whole := r.size(), r.size()
		b := r.next(packed)
		if b == nil {
			return nil
		}
		var ok bool
		if r.text, ok = lzfExpand(r.text[:0], b, whole); !ok {
			r.fail()
			return nil
		}
		return r.text
	default:
		r.fail()
	}
	if r.err != nil {
		return nil
	}
	return strconv.AppendInt(r.digit[:0], v, 10)
}

// Double reads a floating-point number of eight bytes.
func (r *Reader) Double() float64 {
	if b := r.next(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// oldDouble reads a floating-point number in its printed form.
func (r *Reader) oldDouble() float64 {
	switch n := r.Byte(); n {
	case 255:
		return math.Inf(-1)
	case 254:
		return math.Inf(1)
	case 253:
		return math.NaN()
	default:
		f, err := strconv.ParseFloat(string(r.next(int(n))), 64)
		if err != nil {
			r.fail()
		}
		return f
	}
}

// Millis reads a time in Unix ms.
func (r *Reader) Millis() int64 {
	if b := r.next(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}
