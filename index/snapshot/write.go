package snapshot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
)

// Section is rows of an index.
type Section struct {
	Name string           // at most 16 bytes
	Row  int              // bytes of a row
	Rows int              // how many there are
	Data iter.Seq[[]byte] // Row*Rows bytes, in pieces
}

// One is the Data of a section that is in one piece.
func One(b []byte) iter.Seq[[]byte] { return slices.Values([][]byte{b}) }

// Write writes an index's file. It neither buffers nor syncs.
func Write(w io.Writer, h Header, sections []Section) error {
	if !littleEndian {
		return ErrEndian
	}
	raw := rawHeader{Version: Version, Page: Page, Chunk: Chunk, Parts: uint32(len(sections)), Params: toRaw(h.Params)}
	if len(sections) > maxParts || len(h.State) > MaxState || len(h.Kind) > len(raw.Kind) {
		return fmt.Errorf("snapshot: %d sections, %d numbers, kind %q", len(sections), len(h.State), h.Kind)
	}
	copy(raw.Magic[:], magic)
	copy(raw.Kind[:], h.Kind)
	copy(raw.State[:], h.State)
	for i, s := range sections {
		raw.Table[i] = part{Row: uint64(s.Row), Rows: uint64(s.Rows)}
		if copy(raw.Table[i].Name[:], s.Name) < len(s.Name) {
			return fmt.Errorf("snapshot: section name %q", s.Name)
		}
	}
	size, ok := raw.place()
	if !ok {
		return fmt.Errorf("snapshot: too large for a file")
	}
	raw.Size = uint64(size)
	if _, err := w.Write(raw.bytes()); err != nil {
		return err
	}
	for i, s := range sections {
		if err := writeSection(w, s, raw.Table[i].padded()); err != nil {
			return fmt.Errorf("snapshot: section %s: %w", s.Name, err)
		}
	}
	return nil
}

func writeSection(w io.Writer, s Section, padded int64) error {
	var sums sums
	n := int64(0)
	for b := range s.Data {
		for n += int64(len(b)); len(b) > 0; {
			// The checksum is made of what is about to be written, while it is in the cache.
			piece := b[:min(len(b), Chunk)]
			b = b[len(piece):]
			sums.add(piece)
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
	}
	if n != int64(s.Row)*int64(s.Rows) {
		return fmt.Errorf("%d bytes for %d rows of %d", n, s.Rows, s.Row)
	}
	tail := make([]byte, padded-n)
	sums.add(tail)
	if _, err := w.Write(append(tail, sums.table(padded)...)); err != nil {
		return err
	}
	return nil
}

// sums makes the checksums of bytes that come in pieces.
type sums struct {
	all []byte // of the chunks that are complete, 4 bytes each
	crc uint32 // of the one that is not
	n   int    // its bytes so far
}

func (s *sums) add(b []byte) {
	for len(b) > 0 {
		piece := b[:min(len(b), Chunk-s.n)]
		b = b[len(piece):]
		s.crc = crc32.Update(s.crc, castagnoli, piece)
		if s.n += len(piece); s.n == Chunk {
			s.flush()
		}
	}
}

func (s *sums) flush() {
	s.all = binary.LittleEndian.AppendUint32(s.all, s.crc)
	s.crc, s.n = 0, 0
}

// table is the checksums as they are written behind the rows, which are n bytes.
func (s *sums) table(n int64) []byte {
	if s.n > 0 {
		s.flush()
	}
	b := binary.LittleEndian.AppendUint32(s.all, crc32.Checksum(s.all, castagnoli))
	return append(b, make([]byte, checksumBytes(n)-int64(len(b)))...)
}
