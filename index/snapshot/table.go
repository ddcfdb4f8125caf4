package snapshot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/nearcache/nearcache/index"
)

// maxTableName is how long a name in a table of labels may be: as long as a key or an element.
const maxTableName = 512 << 20

// A TableReader reads a table of labels: what is called how in the graphs beside it. FORMAT.md describes both kinds.
//
//	for t.Next() { … t.Name, t.Label … }
//	if err := t.Err(); …
type TableReader struct {
	Head  []byte // what stands between the version and the first name
	Name  string
	Label uint64

	rest []byte
	err  error
}

// OpenTable reads the beginning, of head bytes, and the checksum. Errors are index.ErrCorrupt.
func OpenTable(b []byte, magic string, version uint32, head int) (*TableReader, error) {
	if len(b) < head+5 || string(b[:len(magic)]) != magic {
		return nil, BadTable("it is none")
	}
	at := len(magic) + 4
	if v := binary.LittleEndian.Uint32(b[len(magic):]); v != version {
		return nil, BadTable("format version %d, this program knows %d", v, version)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, BadTable("wrong checksum")
	}
	return &TableReader{Head: body[at:head], rest: body[head:]}, nil
}

// Next goes to the next name; false at the end, or at damage.
func (t *TableReader) Next() bool {
	n, ok := t.uvarint()
	switch {
	case !ok:
		return t.bad("it ends within a name")
	case n == 0:
		if len(t.rest) > 0 {
			return t.bad("%d bytes behind its end", len(t.rest))
		}
		return false
	}
	if n--; n > maxTableName || n > uint64(len(t.rest)) {
		return t.bad("a name of %d bytes", n)
	}
	t.Name, t.rest = string(t.rest[:n]), t.rest[n:]
	if t.Label, ok = t.uvarint(); !ok {
		return t.bad("it ends within a label")
	}
	return true
}

// Bytes are the next n that stand behind a label; nil where there are no more, and then Next is false.
func (t *TableReader) Bytes(n int) (b []byte) {
	if n > len(t.rest) {
		t.bad("it ends behind label %d", t.Label)
		return nil
	}
	b, t.rest = t.rest[:n], t.rest[n:]
	return b
}

// Err is why Next has returned false before the end.
func (t *TableReader) Err() error { return t.err }

func (t *TableReader) uvarint() (n uint64, ok bool) {
	if t.err != nil {
		return 0, false
	}
	n, w := binary.Uvarint(t.rest)
	if w <= 0 {
		return 0, false
	}
	t.rest = t.rest[w:]
	return n, true
}

func (t *TableReader) bad(format string, args ...any) bool {
	if t.err == nil {
		t.err = BadTable(format, args...)
	}
	return false
}

// BadTable is the error of a table that does not hold.
func BadTable(format string, args ...any) error {
	return fmt.Errorf("%w: table of labels: %s", index.ErrCorrupt, fmt.Sprintf(format, args...))
}
