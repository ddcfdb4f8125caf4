package persist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"
	"sync"

	"github.com/klauspost/compress"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
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
	flagZstd   = 0x40 // the payload is compressed, better and more slowly: in a base

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

// bound is what a frame takes at most: what it takes, but for short numbers, and quicker to know than that.
func (r *Record) bound() int {
	n := frameMin + 3*binary.MaxVarintLen64
	for i := range r.Commands {
		args := r.Commands[i].Args
		n += (2 + len(args)) * binary.MaxVarintLen64
		for _, a := range args {
			n += len(a)
		}
	}
	return n
}

// appendFrame appends a record with an empty checksum, see finish.
func (r *Record) appendFrame(b []byte, lsn uint64) []byte {
	start := len(b)
	b = slices.Grow(b, r.bound())
	return b[:start+r.putFrame(b[start:cap(b)], lsn)]
}

// putFrame is appendFrame to the beginning of b, which has room for bound bytes. It returns how many it took.
func (r *Record) putFrame(b []byte, lsn uint64) int {
	binary.LittleEndian.PutUint32(b, 0)
	binary.LittleEndian.PutUint64(b[frameHead:], lsn)
	b[frameMin-1] = typeCommit
	n := frameMin
	n = putUvarint(b, n, r.Seq)
	n = putUvarint(b, n, zigzag(r.At))
	n = putUvarint(b, n, uint64(len(r.Commands)))
	for i := range r.Commands {
		c := &r.Commands[i]
		n = putUvarint(b, n, uint64(c.DB))
		n = putUvarint(b, n, uint64(len(c.Args)))
		for _, a := range c.Args {
			n = putUvarint(b, n, uint64(len(a)))
			n += copy(b[n:], a)
		}
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(n-frameHead))
	return n
}

// putUvarint writes v at b[n:] and returns the end.
func putUvarint(b []byte, n int, v uint64) int {
	for ; v >= 0x80; n++ {
		b[n] = byte(v) | 0x80
		v >>= 7
	}
	b[n] = byte(v)
	return n + 1
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
				n = frameMin
				for _, piece := range packed {
					n += copy(b[r+n:], piece)
				}
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

// packPiece is how much is compressed at once. Of a large payload many pieces make one
// block: what would have room for all, if it does not become smaller, is as large again.
const packPiece = 1 << 20

// pack returns the compressed payload, in pieces, or nil where that would not save an
// eighth, of a large one of its beginning.
func pack(payload []byte, scratch *[]byte) [][]byte {
	if need := s2.MaxEncodedLen(min(len(payload), packPiece)); cap(*scratch) < need {
		*scratch = make([]byte, need)
	}
	buf := (*scratch)[:cap(*scratch)]
	if len(payload) <= packPiece {
		packed := s2.Encode(buf, payload)
		if len(packed) > len(payload)-len(payload)/8 {
			return nil
		}
		return [][]byte{packed}
	}
	size := binary.AppendUvarint(nil, uint64(len(payload)))
	pieces, n := [][]byte{size}, len(size)
	for at := 0; at < len(payload); {
		piece := payload[at:min(at+packPiece, len(payload))]
		at += len(piece)
		packed := s2.Encode(buf, piece)
		_, head := binary.Uvarint(packed) // its own size
		if n += len(packed) - head; n > at-at/8 {
			return nil
		}
		pieces = append(pieces, bytes.Clone(packed[head:]))
	}
	return pieces
}

var errPayload = errors.New("malformed record")

// AppendCommand appends a command in the form of [Base.Block].
func AppendCommand(b []byte, db int, args ...[]byte) []byte {
	b = binary.AppendUvarint(b, uint64(db))
	b = binary.AppendUvarint(b, uint64(len(args)))
	for _, a := range args {
		b = binary.AppendUvarint(b, uint64(len(a)))
		b = append(b, a...)
	}
	return b
}

// splitCommands returns how many commands b begins with that take no more than limit
// bytes, one at least, and how many bytes they are.
func splitCommands(b []byte, limit int) (commands, size int, err error) {
	c := cursor{b: b}
	for len(c.b) > 0 {
		c.uvarint()
		for n := c.count(); n > 0 && !c.bad; n-- {
			c.bytes()
		}
		if c.bad {
			return 0, 0, errPayload
		}
		if end := len(b) - len(c.b); end <= limit || commands == 0 {
			commands, size = commands+1, end
		} else {
			break
		}
	}
	return commands, size, nil
}

// packers compress blocks, one at a time each. The second is made when two are to be compressed at once: each takes
// some 8 MB. Of texts the better level leaves 4% less than the default, in 1.4 times the time; the best one another 5%,
// in 5 times that.
var packers = [...]func() *zstd.Encoder{sync.OnceValue(newPacker), sync.OnceValue(newPacker)}

func newPacker() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		panic(err) // of constant options
	}
	return e
}

var unpacker = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxRecord))
	if err != nil {
		panic(err) // of constant options
	}
	return d
})

// packBlock is pack with zstd, by the packer of that number. What looks like vectors is not tried.
func packBlock(dst, payload []byte, by int) []byte {
	if len(payload) < compressFrom || compress.Estimate(payload[:min(len(payload), 64<<10)]) < 0.02 {
		return nil
	}
	packed := packers[by%len(packers)]().EncodeAll(payload, dst[:0])
	if len(packed) > len(payload)-len(payload)/8 {
		return nil
	}
	return packed
}

// decoder turns payloads into records. What it returns is valid until its next use.
type decoder struct {
	limit int  // greatest payload after decompression
	keep  bool // payloads that are not large are copied: what is returned needs nothing else
	large bool // the last payload was, above keepBuffer
	plain []byte
	args  [][]byte
	cmds  []Command
}

// commit reads the payload of a frame of type typeCommit with flags.
func (d *decoder) commit(payload []byte, flags byte) (Record, error) {
	if flags != 0 {
		plain, err := d.unpack(payload, flags)
		if err != nil {
			return Record{}, err
		}
		payload = plain
	} else if d.keep && len(payload) <= keepBuffer {
		d.plain = append(d.plain[:0], payload...)
		payload = d.plain
	}
	if d.large = len(payload) > keepBuffer; d.large {
		d.plain = nil
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

// unpack decompresses a payload into plain.
func (d *decoder) unpack(payload []byte, flags byte) ([]byte, error) {
	var n uint64
	if flags == flagS2 {
		size, err := s2.DecodedLen(payload)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errPayload, err)
		}
		n = uint64(size)
	} else {
		var h zstd.Header
		if err := h.Decode(payload); err != nil || !h.HasFCS {
			return nil, fmt.Errorf("%w: a block that does not say its size: %w", errPayload, err)
		}
		n = h.FrameContentSize
	}
	if n > uint64(d.limit) {
		return nil, fmt.Errorf("%w: %d bytes, decompressed", errPayload, n)
	}
	if uint64(cap(d.plain)) < n {
		d.plain = make([]byte, n)
	}
	var plain []byte
	var err error
	if flags == flagS2 {
		plain, err = s2.Decode(d.plain[:n], payload)
	} else if plain, err = unpacker().DecodeAll(payload, d.plain[:0]); err == nil && uint64(len(plain)) != n {
		err = fmt.Errorf("%d bytes of %d", len(plain), n)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPayload, err)
	}
	return plain, nil
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
