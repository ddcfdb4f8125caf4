package rdb

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/str"
)

// StreamWriter writes an RDB file to somebody who reads it as it comes. Its header says
// version 10, which every reader takes that PSYNC is spoken with; values are in their
// newest forms. It is for one goroutine.
type StreamWriter struct {
	w   io.Writer
	sum uint64
	err error
}

// NewStreamWriter begins a file.
func NewStreamWriter(w io.Writer) *StreamWriter {
	s := &StreamWriter{w: w}
	_ = s.Write(appendHeader(nil, version70))
	return s
}

// Write writes what AppendKey, AppendAux and AppendFunction have made.
func (s *StreamWriter) Write(b []byte) error {
	if s.err == nil {
		s.sum = Checksum(s.sum, b)
		_, s.err = s.w.Write(b)
	}
	return s.err
}

// Close ends the file.
func (s *StreamWriter) Close() error {
	if s.Write([]byte{opEnd}) == nil {
		_, s.err = s.w.Write(binary.LittleEndian.AppendUint64(nil, s.sum))
	}
	return s.err
}

// AppendAux appends a note, which is about database db where it is about one.
func AppendAux(b []byte, db int, name string, text []byte) []byte {
	b = appendLength(append(b, opSelectDB), uint64(db))
	return appendPlain(AppendString(append(b, opAux), []byte(name)), text)
}

// AppendFunction appends a library of functions.
func AppendFunction(b, code []byte) []byte { return appendPlain(append(b, opFunction), code) }

// AppendKey appends a key with its value; expireAt is in Unix ms, 0 for never. Where
// there is no form of the value it appends nothing and returns ErrUnsupported. Nothing is compressed: whoever holds the
// key would wait for it, and to send it takes less time.
func AppendKey(b []byte, db int, key []byte, o object.Object, expireAt int64) ([]byte, error) {
	from := len(b)
	b = appendLength(append(b, opSelectDB), uint64(db))
	if expireAt != 0 {
		b = appendMillis(append(b, opExpireMs), expireAt)
	}
	if v, ok := o.(*str.Value); ok {
		return appendPlain(appendUnpacked(append(b, typeString), key), v.B), nil
	}
	// The type stands before the key, and the value behind it.
	at := len(b)
	b = appendUnpacked(append(b, 0), key)
	value := len(b)
	b, _, err := appendAs(b, o, Version, appendUnpacked)
	if err != nil {
		return b[:from], fmt.Errorf("key %.100q: %w", key, err)
	}
	b[at] = b[value]
	return append(b[:value], b[value+1:]...), nil
}

// appendPlain appends a string as it is: to compress it would take longer than to send
// it.
func appendPlain(b, s []byte) []byte { return append(appendLength(b, uint64(len(s))), s...) }
