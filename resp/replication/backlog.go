package replication

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/store"
)

const (
	blockSize = 64 << 10
	// freeBlocks is how many blocks are kept to be used again.
	freeBlocks = 32
)

// NoID is the second ID of a stream that has none.
const NoID = "0000000000000000000000000000000000000000"

// NewID names a stream.
func NewID() string {
	var b [20]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Backlog is a stream and its last bytes. Make it with New.
type Backlog struct {
	// OnStray is called for a commit that is not part of the stream that is followed, with
	// shards held.
	OnStray func()

	on atomic.Bool // the stream is kept: somebody reads it, or may come back
	at atomic.Int64

	mu struct {
		sync.Mutex
		id, id2 string
		second  int64 // id2 has the bytes up to the one before this; -1: none
		offset  int64 // how many bytes there were
		db      int   // of the last SELECT, -1: the next commit begins with one
		follows bool  // the stream is another's: commits are no part of it
		size    int64 // how many bytes are kept at least
		blocks  []*block
		feeds   []*Feed
		free    [][]byte
	}
}

// block is a piece of the stream.
type block struct {
	from int64 // how many bytes were before it
	b    []byte
	own  bool // of blockSize
}

func (x *block) end() int64 { return x.from + int64(len(x.b)) }

// New makes a stream of which nothing is kept yet.
func New(size int64) *Backlog {
	b := &Backlog{}
	b.mu.id, b.mu.id2, b.mu.second = NewID(), NoID, -1
	b.mu.size, b.mu.db = size, -1
	return b
}

// State is what INFO tells of a stream.
type State struct {
	ID, ID2 string
	Offset  int64
	Second  int64 // the first offset that ID2 has no more, -1 without one
	On      bool
	Size    int64
	First   int64 // offset of the first byte that is kept
	Kept    int64 // how many are
	Memory  int64
	DB      int // of the last SELECT, -1 for none
}

// State returns it.
func (b *Backlog) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{ID: b.mu.id, ID2: b.mu.id2, Offset: b.mu.offset, Second: b.mu.second, On: b.on.Load(), Size: b.mu.size, DB: b.mu.db}
	if s.On {
		first := b.firstLocked()
		s.First, s.Kept = first+1, b.mu.offset-first
		for _, x := range b.mu.blocks {
			s.Memory += int64(cap(x.b))
		}
		s.Memory += int64(len(b.mu.free)) * blockSize
	}
	return s
}

// On reports whether the stream is kept.
func (b *Backlog) On() bool { return b.on.Load() }

// Offset is how many bytes there were.
func (b *Backlog) Offset() int64 { return b.at.Load() }

// SetSize sets how many bytes are kept at least.
func (b *Backlog) SetSize(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.size = n
	b.trimLocked()
}

// firstLocked is how many bytes were before those that are kept.
func (b *Backlog) firstLocked() int64 {
	if len(b.mu.blocks) == 0 {
		return b.mu.offset
	}
	return b.mu.blocks[0].from
}

// Append adds what repeats a commit. Of one that is no part of the stream, since another's
// is followed, stray says that it should not have happened.
func (b *Backlog) Append(effects []store.Effect, stray bool) {
	if !b.on.Load() || len(effects) == 0 {
		return
	}
	size := sizeOf(effects)
	var large []byte
	if size > blockSize {
		large = appendEffects(make([]byte, 0, size), effects)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.follows {
		if stray && b.OnStray != nil {
			b.OnStray()
		}
		return
	}
	if !b.on.Load() {
		return
	}
	if db := effects[0].DB; db != b.mu.db {
		x := b.roomLocked(selectSize)
		x.b = appendSelect(x.b, db)
	}
	b.mu.db = effects[len(effects)-1].DB
	if large == nil {
		x := b.roomLocked(size)
		x.b = appendEffects(x.b, effects)
	} else {
		b.addLocked(large)
	}
	b.addedLocked()
}

// AppendCommand adds a command that belongs to no database.
func (b *Backlog) AppendCommand(args ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.on.Load() || b.mu.follows {
		return
	}
	x := b.roomLocked(resp.CommandSize(args))
	x.b = appendCommand(x.b, args)
	b.addedLocked()
}

// AppendRaw adds bytes of the stream that is followed, behind which it is in database db.
func (b *Backlog) AppendRaw(raw []byte, db int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.follows {
		return
	}
	b.mu.db = db
	if !b.on.Load() {
		b.mu.offset += int64(len(raw))
		b.at.Store(b.mu.offset)
		return
	}
	if len(raw) <= blockSize {
		x := b.roomLocked(len(raw))
		x.b = append(x.b, raw...)
	} else {
		b.addLocked(append([]byte(nil), raw...))
	}
	b.addedLocked()
}

// roomLocked is the last block, with room for n more bytes.
func (b *Backlog) roomLocked(n int) *block {
	from := b.mu.offset
	if l := len(b.mu.blocks); l > 0 {
		x := b.mu.blocks[l-1]
		if len(x.b)+n <= cap(x.b) {
			return x
		}
		from = x.end()
	}
	x := &block{from: from, own: n <= blockSize}
	switch f := len(b.mu.free); {
	case !x.own:
		x.b = make([]byte, 0, n)
	case f > 0:
		x.b, b.mu.free = b.mu.free[f-1], b.mu.free[:f-1]
	default:
		x.b = make([]byte, 0, blockSize)
	}
	b.mu.blocks = append(b.mu.blocks, x)
	return x
}

// addLocked adds memory that is the backlog's from now on, in blocks that can be passed
// and let go one by one.
func (b *Backlog) addLocked(all []byte) {
	from := b.mu.offset
	if l := len(b.mu.blocks); l > 0 {
		from = b.mu.blocks[l-1].end()
	}
	for len(all) > 0 {
		n := min(len(all), blockSize)
		b.mu.blocks = append(b.mu.blocks, &block{from: from, b: all[:n:n]})
		all, from = all[n:], from+int64(n)
	}
}

// addedLocked wakes who waits for more, and lets go of what nobody needs.
func (b *Backlog) addedLocked() {
	b.mu.offset = b.mu.blocks[len(b.mu.blocks)-1].end()
	b.at.Store(b.mu.offset)
	for _, f := range b.mu.feeds {
		if f.waits {
			f.waits = false
			select {
			case f.Ready <- struct{}{}:
			default:
			}
		}
		if limit := f.limit.Load(); limit > 0 && b.mu.offset-f.at > limit && !f.over {
			f.over = true
			f.end(true)
		}
	}
	b.trimLocked()
}

// trimLocked lets go of blocks.
func (b *Backlog) trimLocked() {
	keep := b.mu.offset - b.mu.size
	for _, f := range b.mu.feeds {
		keep = min(keep, f.at)
	}
	n := 0
	for n < len(b.mu.blocks)-1 && b.mu.blocks[n].end() <= keep {
		if x := b.mu.blocks[n]; x.own && len(b.mu.free) < freeBlocks {
			b.mu.free = append(b.mu.free, x.b[:0])
		}
		n++
	}
	if n > 0 {
		left := copy(b.mu.blocks, b.mu.blocks[n:])
		clear(b.mu.blocks[left:])
		b.mu.blocks = b.mu.blocks[:left]
	}
}

// Start begins a Feed at the end of the stream, for who takes a copy of all keys at this
// moment. limit is how many bytes may wait for it, 0 for any. end is called once, under locks,
// when more do (slow), or when the stream becomes another one.
func (b *Backlog) Start(limit int64, end func(slow bool)) (f *Feed, id string, offset int64, db int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on.Store(true)
	if !b.mu.follows {
		b.mu.db = -1 // the copy says nothing of it
	}
	return b.feedLocked(b.mu.offset, limit, end), b.mu.id, b.mu.offset, b.mu.db
}

// Resume begins a Feed at an offset, counted from 1, of a stream of that ID, if this is
// that stream and has the bytes from there on.
func (b *Backlog) Resume(id string, offset, limit int64, end func(slow bool)) (f *Feed, now string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := strings.EqualFold(id, b.mu.id) || strings.EqualFold(id, b.mu.id2) && offset <= b.mu.second
	if !known || !b.on.Load() || offset-1 < b.firstLocked() || offset-1 > b.mu.offset {
		return nil, "", false
	}
	return b.feedLocked(offset-1, limit, end), b.mu.id, true
}

func (b *Backlog) feedLocked(at, limit int64, end func(slow bool)) *Feed {
	f := &Feed{b: b, at: at, end: end, Ready: make(chan struct{}, 1)}
	f.limit.Store(limit)
	b.mu.feeds = append(b.mu.feeds, f)
	return f
}

// Keep keeps the stream from now on, for who may come.
func (b *Backlog) Keep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on.Store(true)
}

// Drop lets go of the stream when nobody reads it, and begins another. It does nothing
// while another's is followed.
func (b *Backlog) Drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.feeds) > 0 || b.mu.follows || !b.on.Load() {
		return
	}
	b.on.Store(false)
	b.emptyLocked()
	b.mu.id, b.mu.id2, b.mu.second = NewID(), NoID, -1
}

func (b *Backlog) emptyLocked() { b.mu.blocks, b.mu.free, b.mu.db = nil, nil, -1 }

// endLocked has all Feeds end: who reads them is to ask what has become of the stream.
func (b *Backlog) endLocked() {
	for _, f := range b.mu.feeds {
		if f.gone = true; !f.over {
			f.over = true
			f.end(false)
		}
	}
}

// Follow says that commits are no part of the stream any more, but what AppendRaw adds.
// It ends all Feeds, as does what follows here.
func (b *Backlog) Follow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.follows = true
	b.endLocked()
}

// Reset makes the stream another one, at an offset.
func (b *Backlog) Reset(id string, offset int64, keep bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLocked()
	b.emptyLocked()
	b.mu.id, b.mu.id2, b.mu.second = id, NoID, -1
	b.mu.offset = offset
	b.at.Store(offset)
	b.on.Store(keep)
}

// Regain begins a stream behind another one, all of which is known here but no byte of it is kept.
func (b *Backlog) Regain(id string, offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLocked()
	b.emptyLocked()
	b.mu.offset = offset
	b.at.Store(offset)
	b.mu.id = id
	b.shiftLocked(NewID())
	b.on.Store(true)
}

// Rename gives the stream that goes on another ID, as its master has another one since it
// is the master.
func (b *Backlog) Rename(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != b.mu.id {
		b.endLocked()
		b.shiftLocked(id)
	}
}

func (b *Backlog) shiftLocked(id string) {
	b.mu.id2, b.mu.second, b.mu.id = b.mu.id, b.mu.offset+1, id
}

// Promote makes the stream one of commits again, with a new ID. Where the stream that was
// followed is whole here, its ID stays as the second.
func (b *Backlog) Promote(whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLocked()
	b.mu.follows = false
	b.mu.db = -1
	b.shiftLocked(NewID())
	if !whole {
		b.mu.id2, b.mu.second = NoID, -1
		b.emptyLocked()
		b.on.Store(false)
	}
}

// Feed is a reader of the stream. Its methods are for one goroutine.
type Feed struct {
	Ready chan struct{} // holds a value when there may be more

	b     *Backlog
	end   func(slow bool)
	limit atomic.Int64
	at    int64 // these by the backlog's lock: what has been sent
	waits bool
	over  bool // end has been called
	gone  bool // the stream has become another one
}

// feedStep is about how much Next returns.
const feedStep = 256 << 10

// Next appends to dst what comes next in the stream, which may be nothing: Ready says when
// there is more.
func (f *Feed) Next(dst [][]byte) [][]byte {
	b := f.b
	b.mu.Lock()
	defer b.mu.Unlock()
	at, n := f.at, 0
	if f.gone {
		return dst
	}
	for i := b.findLocked(at); i < len(b.mu.blocks) && n < feedStep; i++ {
		x := b.mu.blocks[i]
		if piece := x.b[at-x.from:]; len(piece) > 0 {
			dst = append(dst, piece)
			n += len(piece)
		}
		at = x.end()
	}
	f.waits = n == 0
	return dst
}

// findLocked is the block in which the byte behind at is, or will be.
func (b *Backlog) findLocked(at int64) int {
	lo, hi := 0, len(b.mu.blocks)
	for lo < hi {
		if m := (lo + hi) / 2; b.mu.blocks[m].end() <= at {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// Sent says that n more bytes have been sent.
func (f *Feed) Sent(n int64) {
	f.b.mu.Lock()
	f.at += n
	f.b.mu.Unlock()
}

// Waiting is how many bytes have not been sent.
func (f *Feed) Waiting() int64 {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	return f.b.mu.offset - f.at
}

// SetLimit sets how many bytes may wait.
func (f *Feed) SetLimit(n int64) { f.limit.Store(n) }

// Close ends the Feed: nothing is kept for it any more.
func (f *Feed) Close() {
	b := f.b
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, x := range b.mu.feeds {
		if x == f {
			b.mu.feeds = append(b.mu.feeds[:i:i], b.mu.feeds[i+1:]...)
			break
		}
	}
	b.trimLocked()
}
