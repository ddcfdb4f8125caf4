package session

import "sync"

// backlog is what goes before all that a session has written since: what its client
// has not taken of its replies, and large values, with what was written before those.
// It is kept in pieces of memory that sessions share: a client that reads nothing lets
// it grow up to its limit, and neither that nor its end may make the collector run, or
// copy what is there again and again.
type backlog struct {
	pieces []piece
	first  int // of pieces; those before have gone
	sent   int // bytes of the first piece that have gone
	bytes  int // to be sent
	room   int // of the pieces that are the backlog's own
	shared int // bytes of the others
}

// piece is some of it. Where it is another's memory there is hold.
type piece struct {
	b    []byte
	hold Holder
}

// Holder keeps memory as it is until Release is called. Shared reports whether others
// hold it too.
type Holder interface {
	Release()
	Shared() bool
}

// pieceSize is that of a piece of replies. Some that a socket had no room for are
// a few bytes, so it is not large. A reply that is larger, and has memory of its own,
// is a piece as it is. Between large values stand a few bytes: smallSize holds them.
const (
	pieceSize = 16 << 10
	smallSize = 64
)

var (
	pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}
	smalls = sync.Pool{New: func() any { return new([smallSize]byte) }}
)

// keptPieces is for how many pieces there is room while there are none.
const keptPieces = 16

// add copies b behind what is there.
func (l *backlog) add(b []byte) {
	l.bytes += len(b)
	if len(l.pieces) > l.first {
		last := &l.pieces[len(l.pieces)-1].b
		n := min(len(b), cap(*last)-len(*last))
		*last = append(*last, b[:n]...)
		b = b[n:]
	}
	for len(b) > 0 {
		var p []byte
		if len(b) <= smallSize {
			p = smalls.Get().(*[smallSize]byte)[:]
		} else {
			p = pieces.Get().(*[pieceSize]byte)[:]
		}
		n := copy(p, b)
		l.pieces = append(l.pieces, piece{b: p[:n]})
		l.room += len(p)
		b = b[n:]
	}
}

// adopt puts b, which is the backlog's from here on, behind what is there.
func (l *backlog) adopt(b []byte) {
	l.bytes += len(b)
	l.room += cap(b)
	l.pieces = append(l.pieces, piece{b: b})
}

// share puts b behind what is there, which stays as it is until hold is released.
func (l *backlog) share(b []byte, hold Holder) {
	l.bytes += len(b)
	l.shared += len(b)
	l.pieces = append(l.pieces, piece{b[:len(b):len(b)], hold})
}

// sole is how many bytes of what is shared are held by nobody else any more.
func (l *backlog) sole() (n int) {
	if l.shared == 0 {
		return 0
	}
	for _, p := range l.pieces[l.first:] {
		if p.hold != nil && !p.hold.Shared() {
			n += len(p.b)
		}
	}
	return n
}

// unsent fills dst with the first pieces, and returns what it has of them.
func (l *backlog) unsent(dst [][]byte) [][]byte {
	n := 0
	for _, p := range l.pieces[l.first:] {
		if n == len(dst) {
			break
		}
		dst[n] = p.b
		n++
	}
	if n > 0 {
		dst[0] = dst[0][l.sent:]
	}
	return dst[:n]
}

// discard drops the first n bytes: they were sent.
func (l *backlog) discard(n int) {
	l.bytes -= n
	l.sent += n
	for l.first < len(l.pieces) && l.sent >= len(l.pieces[l.first].b) {
		l.sent -= len(l.pieces[l.first].b)
		l.drop()
	}
	if l.first == len(l.pieces) {
		l.clear()
	}
}

// drop gives the first piece back.
func (l *backlog) drop() {
	p := l.pieces[l.first]
	l.pieces[l.first] = piece{}
	if l.first++; l.first > keptPieces && 2*l.first >= len(l.pieces) {
		n := copy(l.pieces, l.pieces[l.first:])
		clear(l.pieces[n:])
		l.pieces, l.first = l.pieces[:n], 0
	}
	if p.hold != nil {
		l.shared -= len(p.b)
		p.hold.Release()
		return
	}
	l.room -= cap(p.b)
	switch cap(p.b) {
	case pieceSize:
		pieces.Put((*[pieceSize]byte)(p.b[:pieceSize]))
	case smallSize:
		smalls.Put((*[smallSize]byte)(p.b[:smallSize]))
	}
}

// clear drops everything.
func (l *backlog) clear() {
	for l.first < len(l.pieces) {
		l.drop()
	}
	kept := l.pieces[:0]
	if cap(kept) > keptPieces {
		kept = nil
	}
	*l = backlog{pieces: kept}
}
