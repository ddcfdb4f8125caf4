package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// FileWriter writes an RDB file of payloads of DUMP. The file has the oldest version
// that all of them allow, which is known at the end only: its header is written anew
// then. It is for one goroutine.
type FileWriter struct {
	w       io.WriteSeeker
	buf     []byte
	n       int64 // bytes written before those in buf
	sum     uint64
	version int
	db      int
	err     error
}

// writeStep is how much is written at a time.
const writeStep = 256 << 10

// NewFileWriter begins a file at the place where w stands, which must be its
// beginning. Close ends the file, and leaves w open.
func NewFileWriter(w io.WriteSeeker) *FileWriter {
	return &FileWriter{w: w, version: version70, db: -1, buf: appendHeader(nil, version70)}
}

func appendHeader(b []byte, version int) []byte {
	if version >= versionValkey {
		return fmt.Appendf(b, "%s%03d", magicValkey, version)
	}
	return fmt.Appendf(b, "%s%04d", magic, version)
}

// Version is what the file needs so far.
func (f *FileWriter) Version() int { return f.version }

// Size is how long the file is so far.
func (f *FileWriter) Size() int64 { return f.n + int64(len(f.buf)) }

// Aux writes a note. Notes come first.
func (f *FileWriter) Aux(name, text string) error {
	f.buf = AppendString(AppendString(append(f.buf, opAux), []byte(name)), []byte(text))
	return f.flush(writeStep)
}

// Functions writes the libraries of a payload of FUNCTION DUMP. They come before the
// keys.
func (f *FileWriter) Functions(payload []byte) error {
	if f.err != nil {
		return f.err
	}
	r, err := Open(payload) // of whatever version: version 10 has them
	if err != nil {
		return err
	}
	for r.More() {
		if r.Byte() != opFunction {
			return ErrFormat
		}
		if code := r.String(); r.err == nil {
			f.buf = AppendString(append(f.buf, opFunction), code)
		}
	}
	if r.err != nil {
		return r.err
	}
	return f.flush(writeStep)
}

// Key writes a key with a payload of DUMP; expireAt is in Unix ms, 0 for never. The
// keys of a database come together.
func (f *FileWriter) Key(db int, key, payload []byte, expireAt int64) error {
	r, err := f.open(payload)
	if err != nil {
		return err
	}
	if !r.More() {
		return ErrFormat
	}
	if db != f.db {
		f.db = db
		f.buf = appendLength(append(f.buf, opSelectDB), uint64(db))
	}
	if expireAt != 0 {
		f.buf = appendMillis(append(f.buf, opExpireMs), expireAt)
	}
	f.buf = AppendString(append(f.buf, r.buf[0]), key)
	f.buf = append(f.buf, r.buf[1:]...)
	return f.flush(writeStep)
}

// open takes a payload apart and raises the version to what it needs.
func (f *FileWriter) open(payload []byte) (*Reader, error) {
	if f.err != nil {
		return nil, f.err
	}
	r, err := Open(payload)
	if err == nil {
		f.version = max(f.version, r.Version)
	}
	return r, err
}

// flush writes what there is once it is as long as least.
func (f *FileWriter) flush(least int) error {
	if f.err != nil || len(f.buf) < least {
		return f.err
	}
	f.sum = Checksum(f.sum, f.buf)
	_, f.err = f.w.Write(f.buf)
	f.n += int64(len(f.buf))
	f.buf = f.buf[:0]
	return f.err
}

// Close ends the file.
func (f *FileWriter) Close() error {
	f.buf = append(f.buf, opEnd)
	if err := f.flush(0); err != nil {
		return err
	}
	was, is := appendHeader(nil, version70), appendHeader(nil, f.version)
	// The checksum is linear: it changes by that of what changes, moved on by what
	// stands behind it.
	f.sum ^= moveOn(Checksum(0, was)^Checksum(0, is), f.n-headerLen)
	end := binary.LittleEndian.AppendUint64(nil, f.sum)
	if _, f.err = f.w.Write(end); f.err != nil {
		return f.err
	}
	f.n += int64(len(end))
	if _, f.err = f.w.Seek(-f.n, io.SeekCurrent); f.err != nil {
		return f.err
	}
	if _, f.err = f.w.Write(is); f.err != nil {
		return f.err
	}
	if _, f.err = f.w.Seek(0, io.SeekEnd); f.err != nil {
		return f.err
	}
	f.err = errors.New("rdb: the file is closed")
	return nil
}

// moveOn is what becomes of a checksum behind n zero bytes.
func moveOn(sum uint64, n int64) uint64 {
	// What one zero byte makes of each bit; then of 2, 4, 8 … bytes.
	var m [64]uint64
	for i := range m {
		m[i] = Checksum(1<<i, []byte{0})
	}
	times := func(v uint64) (r uint64) {
		for i := 0; v != 0; i, v = i+1, v>>1 {
			if v&1 != 0 {
				r ^= m[i]
			}
		}
		return r
	}
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			sum = times(sum)
		}
		var twice [64]uint64
		for i := range twice {
			twice[i] = times(m[i])
		}
		m = twice
	}
	return sum
}
