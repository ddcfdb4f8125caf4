package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
)

// Reader reads a file that [Write] wrote.
type Reader struct {
	Header
	raw  rawHeader
	next int            // the section that comes
	at   int64          // bytes read so far
	src  io.Reader      // nil if file is there
	file io.ReaderAt    //
	fd   func() uintptr // of file, nil if it cannot be mapped
	buf  []byte
}

// Read begins to read a file from r. What is behind the file's end in r is not
// read.
func Read(r io.Reader) (*Reader, error) {
	return (&Reader{src: r}).begin()
}

// Map begins to read a file of size bytes that can be mapped, if f has a
// method Fd, as [os.File] has, and the system can; otherwise its sections are
// read. The file must not change as long as an arena is filled by it. It may be
// closed, renamed, deleted or replaced by a rename. A page that the disk does
// not give again, after the system has dropped it, ends the process, as a page
// of swap does.
func Map(f io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{file: f}
	if d, ok := f.(interface{ Fd() uintptr }); ok {
		r.fd = d.Fd
	}
	if _, err := r.begin(); err != nil {
		return nil, err
	}
	if r.raw.Size != uint64(size) {
		return nil, Corrupt("header", 32, "the file should have %d bytes and has %d", r.raw.Size, size)
	}
	return r, nil
}

func (r *Reader) begin() (*Reader, error) {
	if !littleEndian {
		return nil, ErrEndian
	}
	b := make([]byte, Page)
	if err := r.read("header", b); err != nil {
		return nil, err
	}
	if err := r.raw.parse(b); err != nil {
		return nil, err
	}
	r.Kind = string(bytes.TrimRight(r.raw.Kind[:], "\x00"))
	r.Params = r.raw.Params.params()
	r.State = r.raw.State[:]
	if err := r.Params.Validate(); err != nil {
		return nil, Corrupt("header", 40, "%v", err)
	}
	return r, nil
}

// Is reports with an error whether the file holds another type of index, or
// one of other parameters than want: what decides about what is stored has to
// be the same, which is all that Params has but for search's defaults and
// hints. Quant may be QuantAuto, which any file fulfils.
func (r *Reader) Is(kind string, want index.Params) error {
	p := r.Params
	if r.Kind != kind {
		return fmt.Errorf("%w: the file is of type %s, not %s", index.ErrParams, r.Kind, kind)
	}
	if p.Dim != want.Dim || p.Element != want.Element || p.Metric != want.Metric || p.M != want.M ||
		want.Quant != index.QuantAuto && p.Quant != want.Quant {
		return fmt.Errorf("%w: the file is of dimension %d, %v, %v, %v, M %d", index.ErrParams, p.Dim, p.Element, p.Metric, p.Quant, p.M)
	}
	return nil
}

// Rows is how many rows a section has, of size bytes each; an error if there is
// no such section.
func (r *Reader) Rows(name string, size int) (int, error) {
	for i := range r.raw.Table[:r.raw.Parts] {
		if p := &r.raw.Table[i]; p.name() == name && p.Row == uint64(size) {
			return int(p.Rows), nil
		}
	}
	return 0, Corrupt("header", tableOffset, "no section %s of rows of %d bytes", name, size)
}

// Bad is an [index.ErrCorrupt] about a row.
func (r *Reader) Bad(name string, row int, format string, a ...any) error {
	for i := range r.raw.Table[:r.raw.Parts] {
		if p := &r.raw.Table[i]; p.name() == name {
			return Corrupt(name, int64(p.Offset)+int64(row)*int64(p.Row), format, a...)
		}
	}
	return Corrupt(name, 0, format, a...)
}

// End wants all sections to have been read.
func (r *Reader) End() error {
	if r.next != int(r.raw.Parts) {
		return Corrupt(r.raw.Table[r.next].name(), int64(r.raw.Table[r.next].Offset), "a section too many")
	}
	return nil
}

// section is the next one, if it is as it should be.
func (r *Reader) section(name string, row, rows int) (*part, error) {
	if r.next >= int(r.raw.Parts) {
		return nil, Corrupt("header", tableOffset, "no section %s", name)
	}
	p := &r.raw.Table[r.next]
	if p.name() != name || p.Row != uint64(row) || p.Rows != uint64(rows) {
		return nil, Corrupt(p.name(), int64(p.Offset), "%d rows of %d bytes, and not section %s of %d rows of %d bytes", p.Rows, p.Row, name, rows, row)
	}
	r.next++
	return p, nil
}

// Fill makes an empty arena of the next section.
func (r *Reader) Fill(a *slot.Arena, name string, row, rows int) error {
	p, err := r.section(name, row, rows)
	if err != nil {
		return err
	}
	if r.fd != nil {
		switch err := a.Map(r.fd(), r.at, uintptr(p.padded())); {
		case err == nil:
			return r.checkMapped(p, unsafe.Slice((*byte)(a.Base()), p.padded()))
		case !errors.Is(err, errors.ErrUnsupported):
			return err
		}
	}
	var sums sums
	for at, n := int64(0), p.padded(); at < n; at += Chunk {
		size := min(Chunk, n-at)
		// Not all at once: a file may say more than it has.
		if err := a.Grow(uintptr(at + size)); err != nil {
			return err
		}
		b := unsafe.Slice((*byte)(unsafe.Add(a.Base(), at)), size)
		if err := r.read(name, b); err != nil {
			return err
		}
		sums.add(b)
	}
	if err := r.checkSums(p, &sums); err != nil {
		return err
	}
	return checkPadding(p, unsafe.Slice((*byte)(a.Base()), p.padded()))
}

// Each calls f with each row of the next section.
func (r *Reader) Each(name string, row, rows int, f func(i int, b []byte) error) error {
	p, err := r.section(name, row, rows)
	if err != nil {
		return err
	}
	if r.buf == nil {
		r.buf = make([]byte, Chunk)
	}
	var sums sums
	var rest []byte // a row that has begun
	i := 0
	for at, n := int64(0), p.padded(); at < n; at += Chunk {
		b := r.buf[:min(Chunk, n-at)]
		if err := r.read(name, b); err != nil {
			return err
		}
		sums.add(b)
		if end := int64(row)*int64(rows) - at; end < int64(len(b)) {
			if err := checkPadding(p, b[max(end, 0):]); err != nil {
				return err
			}
			b = b[:max(end, 0)]
		}
		for len(b) > 0 {
			if len(rest) == 0 && len(b) >= row {
				if err := f(i, b[:row]); err != nil {
					return err
				}
				i, b = i+1, b[row:]
				continue
			}
			n := min(row-len(rest), len(b))
			rest, b = append(rest, b[:n]...), b[n:]
			if len(rest) == row {
				if err := f(i, rest); err != nil {
					return err
				}
				i, rest = i+1, rest[:0]
			}
		}
	}
	return r.checkSums(p, &sums)
}

// checkPadding wants zeros behind the last row; b ends with the section.
func checkPadding(p *part, b []byte) error {
	pad := int(p.padded() - int64(p.Row*p.Rows))
	if pad = min(pad, len(b)); len(bytes.Trim(b[len(b)-pad:], "\x00")) > 0 {
		return Corrupt(p.name(), int64(p.Offset+p.Row*p.Rows), "something behind the last row")
	}
	return nil
}

// checkSums reads the checksums and compares them.
func (r *Reader) checkSums(p *part, got *sums) error {
	table := got.table(p.padded())
	want := make([]byte, len(table))
	if err := r.read(p.name(), want); err != nil {
		return err
	}
	if bytes.Equal(table, want) {
		return nil
	}
	for i := range table {
		if table[i] == want[i] {
			continue
		}
		if i/4 < len(got.all)/4 {
			return Corrupt(p.name(), int64(p.Offset)+int64(i/4)*Chunk, "wrong checksum")
		}
		break
	}
	return Corrupt(p.name(), int64(p.Checksums), "wrong checksums")
}

// checkMapped does the same for a section that is mapped at b, on all cores.
func (r *Reader) checkMapped(p *part, b []byte) error {
	r.at += p.padded()
	chunks := (len(b) + Chunk - 1) / Chunk
	var got sums
	got.all = make([]byte, 4*chunks)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(index.Processors(), chunks) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= chunks {
					return
				}
				piece := b[i*Chunk : min((i+1)*Chunk, len(b))]
				binary.LittleEndian.PutUint32(got.all[4*i:], crc32.Checksum(piece, castagnoli))
			}
		})
	}
	wg.Wait()
	if err := r.checkSums(p, &got); err != nil {
		return err
	}
	return checkPadding(p, b)
}

// read fills b with the bytes that come.
func (r *Reader) read(section string, b []byte) error {
	var n int
	var err error
	if r.src != nil {
		n, err = io.ReadFull(r.src, b)
	} else if n, err = r.file.ReadAt(b, r.at); n == len(b) {
		err = nil
	}
	r.at += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return Corrupt(section, r.at, "the file ends")
	}
	return err
}
