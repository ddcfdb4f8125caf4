package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/klauspost/compress/s2"
)

// MaxRecord is the greatest length of a record in the log, in bytes. See [Record.Size].
const MaxRecord = 1<<31 - 1 - 1<<10

const (
	frameHead = 8 // crc32c, length
	bodyHead  = 9 // lsn, type
	frameMin  = frameHead + bodyHead
	markSize  = frameMin // a mark has no payload

	typeCommit = 1    // a commit
	typeMark   = 2    // everything up to lsn is on disk
	flagS2     = 0x80 // the payload is compressed

	// compressFrom is the payload from which s2 is tried: below it the gain is a few bytes, and the time is the same.
	compressFrom = 4 << 10
	maxDB        = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Record is one commit: what one command, or one EXEC, changed.
type Record struct {
	// LSN is the record's place in the log, from 1 without gaps. The log sets it; Append and Rewrite ignore it.
	// During Open it is 0 for the records of a rewrite.
	LSN uint64
	// Seq is the caller's number of the commit. The log stores it and does not look at it.
	Seq uint64
	// At is the time of the commit, Unix ms.
	At int64
	// Commands repeat the change, in order. A record without commands is not written.
	Commands []Command
}

// Command is one effect: a command and the database it runs in. An EXEC may have effects in several.
type Command struct {
	DB   int
	Args [][]byte
}

// Size returns the bytes that the record takes in the log before compression. Append cannot write one above MaxRecord.
func (r *Record) Size() int64 { return frameMin + r.payloadSize() }

func (r *Record) payloadSize() int64 {
	n := uvarintLen(r.Seq) + uvarintLen(zigzag(r.At)) + uvarintLen(uint64(len(r.Commands)))
	for i := range r.Commands {
		c := &r.Commands[i]
		n += uvarintLen(uint64(c.DB)) + uvarintLen(uint64(len(c.Args)))
		for _, a := range c.Args {
			n += uvarintLen(uint64(len(a))) + int64(len(a))
		}
	}
	return n
}

func uvarintLen(v uint64) int64 { return int64(bits.Len64(v|1)+6) / 7 }

func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// appendFrame appends a record with an empty checksum, see finish.
func (r *Record) appendFrame(b []byte, lsn uint64, payload int) []byte {
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(bodyHead+payload))
	b = binary.LittleEndian.AppendUint64(b, lsn)
	b = append(b, typeCommit)
	b = binary.AppendUvarint(b, r.Seq)
	b = binary.AppendUvarint(b, zigzag(r.At))
	b = binary.AppendUvarint(b, uint64(len(r.Commands)))
	for i := range r.Commands {
		c := &r.Commands[i]
		b = binary.AppendUvarint(b, uint64(c.DB))
		b = binary.AppendUvarint(b, uint64(len(c.Args)))
		for _, a := range c.Args {
			b = binary.AppendUvarint(b, uint64(len(a)))
			b = append(b, a...)
		}
	}
	return b
}

// putMark writes a mark over b[:markSize].
func putMark(b []byte, lsn uint64, seed uint32) {
	binary.LittleEndian.PutUint32(b[4:], bodyHead)
	binary.LittleEndian.PutUint64(b[8:], lsn)
	b[16] = typeMark
	binary.LittleEndian.PutUint32(b, crc32.Update(seed, castagnoli, b[4:markSize]))
}

// finish compresses the large frames of b, when compress is set, and gives all their checksums. It works in place and
// returns the part of b that is left; scratch is kept for the next call.
func finish(b []byte, seed uint32, compress bool, scratch *[]byte) []byte {
	w := 0
	for r := 0; r < len(b); {
		end := r + frameHead + int(binary.LittleEndian.Uint32(b[r+4:]))
		n := end - r
		if payload := b[r+frameMin : end]; compress && len(payload) >= compressFrom && b[r+16] == typeCommit {
			if packed := pack(payload, scratch); packed != nil {
				copy(b[r+frameMin:], packed)
				n = frameMin + len(packed)
				binary.LittleEndian.PutUint32(b[r+4:], uint32(n-frameHead))
				b[r+16] |= flagS2
			}
		}
		if w != r {
			copy(b[w:], b[r:r+n])
		}
		binary.LittleEndian.PutUint32(b[w:], crc32.Update(seed, castagnoli, b[w+4:w+n]))
		w, r = w+n, end
	}
	return b[:w]
}

// pack returns the compressed payload, or nil where that would not save an eighth.
func pack(payload []byte, scratch *[]byte) []byte {
	need := s2.MaxEncodedLen(len(payload))
	if need < 0 {
		return nil
	}
	buf := *scratch
	if cap(buf) < need {
		buf = make([]byte, need)
		if need <= keepBuffer {
			*scratch = buf
		}
	}
	packed := s2.Encode(buf[:need], payload)
	if len(packed) > len(payload)-len(payload)/8 {
		return nil
	}
	return packed
}

var errPayload = errors.New("malformed record")

// decoder turns payloads into records. What it returns is valid until its next use.
type decoder struct {
	limit int // greatest payload after decompression
	plain []byte
	args  [][]byte
	cmds  []Command
}

func (d *decoder) commit(payload []byte, compressed bool) (Record, error) {
	if compressed {
		n, err := s2.DecodedLen(payload)
		if err != nil || n > d.limit {
			return Record{}, fmt.Errorf("%w: %d bytes, decompressed", errPayload, n)
		}
		if cap(d.plain) < n {
			d.plain = make([]byte, n)
		}
		plain, err := s2.Decode(d.plain[:n], payload)
		if err != nil {
			return Record{}, fmt.Errorf("%w: %w", errPayload, err)
		}
		payload = plain
		if n > keepBuffer {
			d.plain = nil
		}
	}
	b := cursor{b: payload}
	r := Record{Seq: b.uvarint(), At: unzigzag(b.uvarint())}
	d.args, d.cmds = d.args[:0], d.cmds[:0]
	for n := b.count(); n > 0 && !b.bad; n-- {
		db := b.uvarint()
		if db > maxDB {
			b.bad = true
		}
		start := len(d.args)
		for n := b.count(); n > 0 && !b.bad; n-- {
			d.args = append(d.args, b.bytes())
		}
		// An append that moves d.args leaves the earlier commands their old array, which nobody writes to again.
		d.cmds = append(d.cmds, Command{DB: int(db), Args: d.args[start:len(d.args):len(d.args)]})
	}
	if b.bad || len(b.b) != 0 {
		return Record{}, errPayload
	}
	r.Commands = d.cmds
	return r, nil
}

// cursor reads a payload; after a mistake every read gives zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || n != int(uvarintLen(v)) { // one form for each number
		c.b, c.bad = nil, true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads the number of things that follow, of which each takes a byte at least. There is always one.
func (c *cursor) count() uint64 {
	n := c.uvarint()
	if n == 0 || n > uint64(len(c.b)) {
		c.b, c.bad = nil, true
		return 0
	}
	return n
}

func (c *cursor) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.b, c.bad = nil, true
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}
