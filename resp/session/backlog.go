package session

import "sync"

// backlog is what a client has not taken of its replies, in pieces of memory that
// sessions share: a client that reads nothing lets it grow up to its limit, and
// neither that nor its end may make the collector run, or copy what is there again
// and again.
type backlog struct {
	pieces [][]byte
	sent   int // bytes of the first piece that have gone
	bytes  int // to be sent
	room   int // of all pieces
}

// pieceSize is that of a piece of replies. Some that a socket had no room for are
// a few bytes, so it is not large. A reply that is larger, and has memory of its own,
// is a piece as it is.
const pieceSize = 16 << 10

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// add copies b behind what is there.
func (l *backlog) add(b []byte) {
	l.bytes += len(b)
	if k := len(l.pieces); k > 0 {
		last := &l.pieces[k-1]
		n := min(len(b), cap(*last)-len(*last))
		*last = append(*last, b[:n]...)
		b = b[n:]
	}
	for len(b) > 0 {
		p := pieces.Get().(*[pieceSize]byte)
		n := copy(p[:], b)
		l.pieces = append(l.pieces, p[:n])
		l.room += pieceSize
		b = b[n:]
	}
}

// adopt puts b, which is the backlog's from here on, behind what is there.
func (l *backlog) adopt(b []byte) {
	l.bytes += len(b)
	l.room += cap(b)
	l.pieces = append(l.pieces, b)
}

// unsent fills dst with the first pieces, and returns what it has of them.
func (l *backlog) unsent(dst [][]byte) [][]byte {
	n := copy(dst, l.pieces)
	if n > 0 {
		dst[0] = dst[0][l.sent:]
	}
	return dst[:n]
}

// discard drops the first n bytes: they were sent.
func (l *backlog) discard(n int) {
	l.bytes -= n
	l.sent += n
	for len(l.pieces) > 0 && l.sent >= len(l.pieces[0]) {
		l.sent -= len(l.pieces[0])
		l.drop()
	}
	if len(l.pieces) == 0 {
		*l = backlog{}
	}
}

// drop gives the first piece back.
func (l *backlog) drop() {
	b := l.pieces[0]
	l.pieces[0] = nil
	l.pieces = l.pieces[1:]
	if l.room -= cap(b); cap(b) == pieceSize {
		pieces.Put((*[pieceSize]byte)(b[:pieceSize]))
	}
}

// clear drops everything.
func (l *backlog) clear() {
	for len(l.pieces) > 0 {
		l.drop()
	}
	*l = backlog{}
}
