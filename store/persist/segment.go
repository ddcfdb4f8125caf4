package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/store/vfs"
)

const (
	segmentMagic = "ncachlog"
	version      = 1
	headerSize   = 36

	kindLog  = 0 // appended commits
	kindBase = 1 // written by a rewrite

	scanBuffer = 1 << 20
	keepBuffer = 4 << 20 // a buffer above this is not kept for later
)

// CorruptError says that a file of the log is damaged where a power cut cannot explain it. Nothing was changed on disk.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s", e.File, e.Offset, e.Reason)
}

// segment is one file of the log.
type segment struct {
	num   uint64
	kind  byte
	first uint64 // LSN of its first record, whether it has one or not; in a base, records count from 1
	size  int64  // bytes that belong to the log; openEnd for the last segment
}

const openEnd = -1

func (s segment) name() string {
	if s.kind == kindBase {
		return fmt.Sprintf("nearcache-%08d.base", s.num)
	}
	return fmt.Sprintf("nearcache-%08d.log", s.num)
}

// parseName returns the number in a segment's name.
func parseName(name string) (num uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, "nearcache-")
	if !ok {
		return 0, false
	}
	digits, ext, _ := strings.Cut(rest, ".")
	if len(digits) < 8 || ext != "log" && ext != "base" {
		return 0, false
	}
	num, err := strconv.ParseUint(digits, 10, 63)
	return num, err == nil
}

func (s segment) appendHeader(b []byte, salt uint64) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = append(b, s.kind, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, salt)
	b = binary.LittleEndian.AppendUint64(b, s.first)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// seedOf returns what all checksums of a segment start from.
func seedOf(salt uint64) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], salt)
	return crc32.Checksum(b[:], castagnoli)
}

// scanner reads the frames of a segment.
type scanner struct {
	f    io.Reader
	name string
	size int64 // end of what belongs to the log
	off  int64 // of the next frame
	seed uint32

	buf  []byte
	r, w int
	eof  bool // the file ended before size
}

// errBad is a frame that does not hold. It wraps the reason.
type errBad struct{ reason string }

func (e errBad) Error() string { return e.reason }

func newScanner(f io.Reader, name string, size int64) *scanner {
	return &scanner{f: f, name: name, size: size, buf: make([]byte, min(scanBuffer, max(size, headerSize)))}
}

// fill makes n bytes available, or as many as there are.
func (s *scanner) fill(n int) error {
	if s.w-s.r >= n || s.eof {
		return nil
	}
	if len(s.buf)-s.r < n {
		if len(s.buf) < n {
			buf := make([]byte, n)
			s.w = copy(buf, s.buf[s.r:s.w])
			s.buf = buf
		} else {
			s.w = copy(s.buf, s.buf[s.r:s.w])
		}
		s.r = 0
	}
	m, err := io.ReadAtLeast(s.f, s.buf[s.w:], n-(s.w-s.r))
	s.w += m
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.eof = true
		return nil
	}
	return err
}

func (s *scanner) take(n int) {
	s.r += n
	s.off += int64(n)
}

// header reads the file's header.
func (s *scanner) header() (segment, error) {
	if err := s.fill(headerSize); err != nil {
		return segment{}, fmt.Errorf("read %s: %w", s.name, err)
	}
	b := s.buf[s.r:s.w]
	bad := func(reason string) (segment, error) {
		return segment{}, &CorruptError{s.name, s.off, reason}
	}
	if len(b) < headerSize || s.size < headerSize {
		return bad("the header is cut short")
	}
	b = b[:headerSize]
	if string(b[:8]) != segmentMagic {
		return bad("not a log of nearcache")
	}
	if crc32.Checksum(b[:32], castagnoli) != binary.LittleEndian.Uint32(b[32:]) {
		return bad("checksum of the header")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return segment{}, fmt.Errorf("%s has format version %d: %w: it reads version %d", s.name, v, ErrVersion, version)
	}
	s.seed = seedOf(binary.LittleEndian.Uint64(b[16:]))
	seg := segment{kind: b[12], first: binary.LittleEndian.Uint64(b[24:])}
	s.take(headerSize)
	return seg, nil
}

// frame is a record or a mark, not yet decoded.
type frame struct {
	lsn     uint64
	typ     byte
	payload []byte // valid until the next call
}

// next returns the next frame; io.EOF at the end; errBad for a frame that does not hold, with off at its first byte.
func (s *scanner) next() (frame, error) {
	left := s.size - s.off
	if left == 0 {
		return frame{}, io.EOF
	}
	if left < frameMin {
		return frame{}, errBad{"the record is cut short"}
	}
	if err := s.fill(frameMin); err != nil {
		return frame{}, err
	}
	if s.w-s.r < frameMin {
		return frame{}, errBad{"the record is cut short"}
	}
	n := int64(binary.LittleEndian.Uint32(s.buf[s.r+4:]))
	if n < bodyHead || n > MaxRecord {
		return frame{}, errBad{"length of a record"}
	}
	if n += frameHead; n > left {
		return frame{}, errBad{"the record is longer than the file"}
	}
	if err := s.fill(int(n)); err != nil {
		return frame{}, err
	}
	if int64(s.w-s.r) < n {
		return frame{}, errBad{"the record is cut short"}
	}
	b := s.buf[s.r : s.r+int(n)]
	if crc32.Update(s.seed, castagnoli, b[4:]) != binary.LittleEndian.Uint32(b) {
		return frame{}, errBad{"checksum of a record"}
	}
	s.take(int(n))
	return frame{lsn: binary.LittleEndian.Uint64(b[8:]), typ: b[16], payload: b[frameMin:]}, nil
}

// markAfter looks behind a bad frame for a mark that says that LSN lsn was on disk.
func markAfter(f vfs.File, off, size int64, seed uint32, lsn uint64) (found bool, err error) {
	buf := make([]byte, min(scanBuffer, size-off))
	for size-off >= markSize {
		b := buf[:min(int64(len(buf)), size-off)]
		n, err := f.ReadAt(b, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		b = b[:n]
		for i := 0; i+markSize <= len(b); i++ {
			m := b[i : i+markSize]
			if m[4] == bodyHead && m[16] == typeMark && m[5]|m[6]|m[7] == 0 &&
				binary.LittleEndian.Uint64(m[8:]) >= lsn &&
				crc32.Update(seed, castagnoli, m[4:]) == binary.LittleEndian.Uint32(m) {
				return true, nil
			}
		}
		if err != nil || n < markSize {
			return false, nil
		}
		off += int64(n - markSize + 1)
	}
	return false, nil
}
