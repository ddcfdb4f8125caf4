package squeeze

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/nearcache/nearcache/index"
)

// ErrCorrupt says that bytes are not what Compress returned, or that their
// generation is gone.
var ErrCorrupt = errors.New("squeeze: corrupt value")

const (
	// MinLen is the length of a value below which Compress does not try: what
	// is saved is less than what an allocator rounds up to.
	MinLen = 64

	maxGenerations = 256 // a byte; 0 is the one without a dictionary
	maxHeader      = 1 + binary.MaxVarintLen64
	maxFrameHeader = 4 + 1 + 1 + 8 // magic, descriptor, dictionary, content size
	maxBlock       = 128 << 10     // of a zstd block, decompressed
	window         = 256 << 10     // of matches; an encoder has a buffer of that size
	maxLanes       = 4             // that compress at once, and as many that decompress
	minSaved       = 8             // a value is left as it is if compression saves less than 1/minSaved
)

// Options of a Codec. The zero value works.
type Options struct {
	// Level is zstd's, [zstd.SpeedFastest] by default. [zstd.SpeedBetterCompression]
	// saves 5% more and takes twice as long or more. What is above takes
	// milliseconds for each value to load a dictionary, and is refused.
	Level zstd.EncoderLevel
	// DictionarySize is the most bytes of a dictionary, 64 kB by default.
	// More gain little, and each generation in use holds its own.
	DictionarySize int
	// SampleSize is the most bytes of values kept to train the next dictionary
	// from, 2 MB by default.
	SampleSize int
	// MaxLen is the length of the longest value, 512 MB by default.
	MaxLen int
}

func (o Options) withDefaults() Options {
	if o.Level == 0 {
		o.Level = zstd.SpeedFastest
	}
	if o.DictionarySize == 0 {
		o.DictionarySize = 64 << 10
	}
	if o.SampleSize == 0 {
		o.SampleSize = 2 << 20
	}
	if o.MaxLen == 0 {
		o.MaxLen = 512 << 20
	}
	return o
}

// Validate returns an error if an option is out of its range.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.Level < zstd.SpeedFastest || o.Level > zstd.SpeedBetterCompression:
		return fmt.Errorf("squeeze: there is no level %d", o.Level)
	case o.DictionarySize < minDictionary || o.DictionarySize > 1<<20:
		return fmt.Errorf("squeeze: a dictionary of %d bytes, want %d to %d", o.DictionarySize, minDictionary, 1<<20)
	case o.SampleSize < o.DictionarySize || o.SampleSize > 1<<30:
		return fmt.Errorf("squeeze: samples of %d bytes, want at least a dictionary's %d and at most %d", o.SampleSize, o.DictionarySize, 1<<30)
	case o.MaxLen < 0 || o.MaxLen > math.MaxUint32:
		return fmt.Errorf("squeeze: values of %d bytes", o.MaxLen)
	}
	return nil
}

// Codec compresses and decompresses values.
type Codec struct {
	o Options

	current     atomic.Pointer[generation]
	generations [maxGenerations]atomic.Pointer[generation]
	scratch     sync.Pool // *[]byte

	samples samples
	train   sync.Mutex // one Train at a time
}

// generation is a dictionary and what uses it.
type generation struct {
	id         uint8
	dictionary []byte               // nil in generation 0
	encoders   lanes[*zstd.Encoder] // nil once it is not the current one
	decoders   lanes[*zstd.Decoder]
	// refs counts the values, and one while it is the current one. At 0 it is
	// gone for good.
	refs atomic.Int64
}

// New returns a Codec that has no dictionary yet.
func New(o Options) (*Codec, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := &Codec{o: o.withDefaults()}
	c.scratch.New = func() any { return new([]byte) }
	c.samples.init(c.o.SampleSize)
	g, err := c.newGeneration(0, nil)
	if err != nil {
		return nil, err
	}
	g.refs.Store(2) // for good
	c.generations[0].Store(g)
	c.current.Store(g)
	return c, nil
}

func (c *Codec) newGeneration(id uint8, dictionary []byte) (*generation, error) {
	g := &generation{id: id, dictionary: dictionary}
	eo := []zstd.EOption{
		zstd.WithEncoderLevel(c.o.Level),
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), // memory is trusted
		zstd.WithSingleSegment(true),
		zstd.WithWindowSize(window),
		zstd.WithLowerEncoderMem(true),
	}
	do := []zstd.DOption{
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(uint64(c.o.MaxLen) + 1),
		zstd.WithDecodeAllCapLimit(true),
	}
	if dictionary != nil {
		eo = append(eo, zstd.WithEncoderDict(dictionary))
		do = append(do, zstd.WithDecoderDicts(dictionary))
	}
	for range min(maxLanes, index.Processors()) {
		enc, err := zstd.NewWriter(nil, eo...) // takes its tables with the first value
		if err != nil {
			return nil, err
		}
		dec, err := zstd.NewReader(nil, do...)
		if err != nil {
			return nil, err
		}
		g.encoders = append(g.encoders, lane[*zstd.Encoder]{coder: enc})
		g.decoders = append(g.decoders, lane[*zstd.Decoder]{coder: dec})
	}
	return g, nil
}

// lanes let several goroutines work at once. The first that is free is taken,
// so that one goroutine alone always finds the same tables in its caches.
type lanes[T any] []lane[T]

type lane[T any] struct {
	sync.Mutex
	coder T
}

// lock returns a lane for the caller alone, who unlocks it.
func (l lanes[T]) lock() *lane[T] {
	for i := range l {
		if l[i].TryLock() {
			return &l[i]
		}
	}
	l[0].Lock()
	return &l[0]
}

// Compress appends the compressed src to dst. It returns dst as it was and
// false if that would not save an eighth. What it appends is a reference to its
// generation: each copy that is kept needs a Retain, and each that is dropped,
// this one included, a Release. dst must not overlap src. With room for [Room]
// bytes in dst nothing is allocated.
func (c *Codec) Compress(dst, src []byte) (b []byte, ok bool) {
	if len(src) < MinLen || len(src) > c.o.MaxLen {
		return dst, false
	}
	g := c.acquire()
	b = g.compress(dst, src)
	if len(b)-len(dst) > len(src)-len(src)/minSaved {
		c.drop(g)
		return b[:len(dst)], false
	}
	return b, true
}

// Room is how much Compress writes at most, for a moment, for n bytes.
func Room(n int) int { return n + n>>8 + 64 + maxHeader }

// compress appends the header and the blocks of a zstd frame, whose own header
// follows from these; or src itself if that cannot be.
func (g *generation) compress(dst, src []byte) []byte {
	at := len(dst)
	e := g.encoders.lock()
	defer e.Unlock()
	if e.coder == nil { // a newer generation came this moment
		return append(dst, src...)
	}
	dst = append(dst, g.id)
	dst = binary.AppendUvarint(dst, uint64(len(src)))
	body := len(dst)
	dst = e.coder.EncodeAll(src, dst)
	var h [maxFrameHeader]byte
	frame := appendFrameHeader(h[:0], g.id, len(src))
	if len(dst)-body < len(frame) || string(dst[body:body+len(frame)]) != string(frame) {
		// Another header than ours could not be made again. No version of the
		// compressor writes one; a test knows.
		return append(dst[:at], src...)
	}
	n := copy(dst[body:], dst[body+len(frame):])
	return dst[:body+n]
}

// appendFrameHeader appends the header of a frame of one segment (RFC 8878,
// section 3.1.1.1), as the compressor writes it.
func appendFrameHeader(b []byte, dictionary uint8, n int) []byte {
	const singleSegment = 1 << 5
	b = append(b, 0x28, 0xb5, 0x2f, 0xfd)
	descriptor := byte(singleSegment)
	if dictionary != 0 {
		descriptor |= 1 // of one byte
	}
	switch {
	case n < 256:
	case n < 1<<16+256:
		descriptor |= 1 << 6
	default:
		descriptor |= 2 << 6
	}
	b = append(b, descriptor)
	if dictionary != 0 {
		b = append(b, dictionary)
	}
	switch {
	case n < 256:
		return append(b, byte(n))
	case n < 1<<16+256:
		return binary.LittleEndian.AppendUint16(b, uint16(n-256))
	default:
		return binary.LittleEndian.AppendUint32(b, uint32(n))
	}
}

// parse splits a compressed value. n is at most what the blocks can hold.
func (c *Codec) parse(src []byte) (g *generation, n int, blocks []byte, err error) {
	if len(src) < 2 {
		return nil, 0, nil, ErrCorrupt
	}
	x, k := binary.Uvarint(src[1:])
	if k <= 0 {
		return nil, 0, nil, ErrCorrupt
	}
	blocks = src[1+k:]
	// A block has at least three bytes.
	if x > uint64(c.o.MaxLen) || x > uint64(len(blocks)/3)*maxBlock {
		return nil, 0, nil, ErrCorrupt
	}
	if g = c.generations[src[0]].Load(); g == nil {
		return nil, 0, nil, fmt.Errorf("%w: of generation %d", ErrCorrupt, src[0])
	}
	return g, int(x), blocks, nil
}

// Len is the length of the value that Compress made src of.
func (c *Codec) Len(src []byte) (int, error) {
	_, n, _, err := c.parse(src)
	return n, err
}

// Decompress appends the value that Compress made src of to dst. With room for
// it nothing is allocated, see Len. The caller holds a reference. Whatever src
// is, it ends in an error at worst.
func (c *Codec) Decompress(dst, src []byte) ([]byte, error) {
	g, n, blocks, err := c.parse(src)
	if err != nil {
		return dst, err
	}
	s := c.scratch.Get().(*[]byte)
	frame := append(appendFrameHeader((*s)[:0], g.id, n), blocks...)
	dst = slices.Grow(dst, n)
	at := len(dst)
	out, err := g.decode(dst[at:at:at+n], frame)
	if *s = frame; cap(frame) <= maxBlock {
		c.scratch.Put(s)
	}
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if len(out) != n {
		return dst, fmt.Errorf("%w: %d bytes, want %d", ErrCorrupt, len(out), n)
	}
	return dst[:at+n], nil
}

func (g *generation) decode(dst, frame []byte) ([]byte, error) {
	d := g.decoders.lock()
	defer d.Unlock()
	return d.coder.DecodeAll(frame, dst)
}

// acquire adds a reference to the current generation.
func (c *Codec) acquire() *generation {
	for {
		g := c.current.Load()
		for n := g.refs.Load(); n > 0; n = g.refs.Load() {
			if g.refs.CompareAndSwap(n, n+1) {
				return g
			}
		}
		// It went between the two loads: there is another.
	}
}

// drop takes a reference away, and with the last one the generation.
func (c *Codec) drop(g *generation) {
	switch n := g.refs.Add(-1); {
	case n == 0:
		c.generations[g.id].Store(nil)
	case n < 0:
		panic("squeeze: value released once too often")
	}
}

// Retain adds a reference for a copy of src, to which the caller has one. Bytes
// that do not come from Compress are ignored.
func (c *Codec) Retain(src []byte) {
	if g, _, _, err := c.parse(src); err == nil {
		g.refs.Add(1)
	}
}

// Release drops the reference of src, which may not be decompressed after.
func (c *Codec) Release(src []byte) {
	if g, _, _, err := c.parse(src); err == nil {
		c.drop(g)
	}
}

// Stale reports whether src is of another generation than the newest, so that
// compressing it again would let the older one go.
func (c *Codec) Stale(src []byte) bool {
	return len(src) > 0 && src[0] != c.current.Load().id
}

// Dictionary is the current generation's, in zstd's format; nil if it has none.
// It may not be changed.
func (c *Codec) Dictionary() []byte { return c.current.Load().dictionary }

// Stats are the figures of a Codec.
type Stats struct {
	Generations []GenerationStats // the oldest number first
	Current     uint8             // that Compress uses
	Samples     int               // values kept to train from
	SampleBytes int64
}

// GenerationStats are the figures of a generation.
type GenerationStats struct {
	ID         uint8
	Dictionary int   // bytes. Its decoder takes as much again; the current one's encoders 1 MB for each that works at once
	Values     int64 // that refer to it
}

// Stats are the figures now.
func (c *Codec) Stats() Stats {
	s := Stats{Current: c.current.Load().id}
	s.Samples, s.SampleBytes = c.samples.size()
	for i := range c.generations {
		g := c.generations[i].Load()
		if g == nil {
			continue
		}
		refs := g.refs.Load()
		if i == 0 {
			refs--
		}
		if s.Current == g.id {
			refs--
		}
		s.Generations = append(s.Generations, GenerationStats{ID: g.id, Dictionary: len(g.dictionary), Values: max(refs, 0)})
	}
	return s
}
