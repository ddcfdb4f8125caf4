package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/nearcache/nearcache/index"
)

// The numbers of the format.
const (
	Version   = 1
	Page      = 4096    // sections begin at a multiple of it
	Chunk     = 1 << 16 // bytes that have a checksum of their own
	MaxState  = 16      // numbers in a header
	maxParts  = 16      // sections
	maxBytes  = 1 << 56 // of a file
	magic     = "NEARVEC\n"
	crcOffset = Page - 4

	tableOffset = 224
)

// ErrEndian is returned on machines that store the most significant byte
// first. Files are written and read as memory lies, which is the other way.
var ErrEndian = errors.New("snapshot: a big-endian machine can neither save nor load")

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is what a file says of the index in it.
type Header struct {
	Kind   string       // the type of index, at most 8 bytes
	Params index.Params // without Dir, which is the machine's business
	State  []uint64     // at most MaxState numbers of the type's own
}

// rawHeader is the first page up to its checksum.
type rawHeader struct {
	Magic                       [8]byte
	Version, Page, Chunk, Parts uint32
	Kind                        [8]byte
	Size                        uint64 // of the file
	Params                      rawParams
	State                       [MaxState]uint64
	Table                       [maxParts]part
}

type rawParams struct {
	Dim                          uint32
	Element, Metric, Quant, _    uint8
	M, EFConstruction, EFRuntime uint32
	_                            uint32
	Epsilon                      float64
	InitialCap, BlockSize, Seed  uint64
}

// part says where a section lies.
type part struct {
	Name      [16]byte
	Row       uint64 // bytes of a row
	Rows      uint64
	Offset    uint64 // of the first row
	Checksums uint64 // offset of the checksums, behind the rows
}

func (p *part) name() string { return string(bytes.TrimRight(p.Name[:], "\x00")) }

// padded is the section's size in whole pages.
func (p *part) padded() int64 { return int64(p.Checksums - p.Offset) }

// checksumBytes is the size of the checksums of n bytes, in whole pages: one
// for each chunk, and one of those.
func checksumBytes(n int64) int64 { return pages((n+Chunk-1)/Chunk*4 + 4) }

func pages(n int64) int64 { return (n + Page - 1) / Page * Page }

// place lays the sections out and returns the file's size; false if that is
// more than a file can have.
func (h *rawHeader) place() (int64, bool) {
	at := int64(Page)
	for i := range h.Table[:h.Parts] {
		p := &h.Table[i]
		hi, n := bits.Mul64(p.Row, p.Rows)
		if hi != 0 || n > maxBytes {
			return 0, false
		}
		p.Offset = uint64(at)
		at += pages(int64(n))
		p.Checksums = uint64(at)
		if at += checksumBytes(p.padded()); at > maxBytes {
			return 0, false
		}
	}
	return at, true
}

func (h *rawHeader) bytes() []byte {
	b, err := binary.Append(make([]byte, 0, Page), binary.LittleEndian, h)
	if err != nil {
		panic(err) // the struct has a fixed size
	}
	b = append(b, make([]byte, crcOffset-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// parse checks the first page.
func (h *rawHeader) parse(b []byte) error {
	if string(b[:len(magic)]) != magic {
		return Corrupt("header", 0, "it is not a saved index")
	}
	if sum := binary.LittleEndian.Uint32(b[crcOffset:]); sum != crc32.Checksum(b[:crcOffset], castagnoli) {
		return Corrupt("header", crcOffset, "wrong checksum")
	}
	n, err := binary.Decode(b, binary.LittleEndian, h)
	if err != nil {
		return err
	}
	if h.Version != Version {
		return Corrupt("header", 8, "format version %d, this program knows %d", h.Version, Version)
	}
	if h.Page != Page || h.Chunk != Chunk || h.Parts > maxParts || len(bytes.Trim(b[n:crcOffset], "\x00")) > 0 {
		return Corrupt("header", 12, "pages of %d, chunks of %d, %d sections", h.Page, h.Chunk, h.Parts)
	}
	want := *h
	size, ok := want.place()
	if !ok || want.Table != h.Table || uint64(size) != h.Size {
		return Corrupt("header", tableOffset, "sections overlap, or do not end with the file at %d", h.Size)
	}
	for _, p := range h.Table[h.Parts:] {
		if p != (part{}) {
			return Corrupt("header", tableOffset, "more than %d sections", h.Parts)
		}
	}
	return nil
}

func toRaw(p index.Params) rawParams {
	return rawParams{
		Dim: uint32(p.Dim), Element: uint8(p.Element), Metric: uint8(p.Metric), Quant: uint8(p.Quant),
		M: uint32(p.M), EFConstruction: uint32(min(p.EFConstruction, 1<<31-1)), EFRuntime: uint32(min(p.EFRuntime, 1<<31-1)),
		Epsilon: p.Epsilon, InitialCap: uint64(p.InitialCap), BlockSize: uint64(p.BlockSize), Seed: p.Seed,
	}
}

func (r *rawParams) params() index.Params {
	return index.Params{
		Dim: int(r.Dim), Element: index.Element(r.Element), Metric: index.Metric(r.Metric), Quant: index.Quant(r.Quant),
		M: int(r.M), EFConstruction: int(r.EFConstruction), EFRuntime: int(r.EFRuntime),
		Epsilon: r.Epsilon, InitialCap: int(r.InitialCap), BlockSize: int(r.BlockSize), Seed: r.Seed,
	}
}

// Corrupt is an [index.ErrCorrupt] that names the section and the file's offset.
func Corrupt(section string, off int64, format string, a ...any) error {
	return fmt.Errorf("%w: %s at offset %d: %s", index.ErrCorrupt, section, off, fmt.Sprintf(format, a...))
}
