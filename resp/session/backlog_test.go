package session

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// narrow is a link that takes as many bytes as there is room.
type narrow struct {
	room int
	took []byte
	err  error
}

func (l *narrow) Write(pieces [][]byte) (n int, err error) {
	for _, b := range pieces {
		k := min(len(b), l.room-n)
		l.took = append(l.took, b[:k]...)
		n += k
	}
	l.room -= n
	return n, l.err
}
func (l *narrow) Wake()  {}
func (l *narrow) Abort() {}

// What a client gets is what was written, in order, however little of it the socket
// takes at a time, and wherever it was written.
func TestASlowClientGetsEverythingInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		l := &narrow{}
		s := New(1, l, nil, nil, nil)
		var want []byte
		var held holders
		lent := make([]byte, 0, 4*pieceSize)
		for i := range 100 {
			isLent := i%2 == 0
			if isLent {
				s.Out.Lend(lent)
			}
			for range rng.IntN(3) {
				b := bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN([]int{10, pieceSize, 6 * pieceSize}[rng.IntN(3)]))
				s.Out.Raw(b)
				want = append(want, b...)
			}
			if rng.IntN(3) == 0 {
				b := held.share(s, byte(rng.Uint32()), 1+rng.IntN(2*pieceSize))
				want = fmt.Appendf(want, "$%d\r\n%s\r\n", len(b), b)
			}
			if rng.IntN(3) == 0 {
				s.Push([]byte("push"))
			}
			l.room = rng.IntN([]int{1, 100, 3 * pieceSize, 20 * pieceSize}[rng.IntN(4)])
			if rng.IntN(2) == 0 && s.UnsentLen() > 0 {
				s.Stash()
			} else {
				before := s.PendingLen()
				if all, err := s.Flush(); err != nil || all != (s.Unsent() == 0 && s.PendingLen() == 0) {
					t.Fatal(all, err)
				}
				if s.PendingLen() < before {
					want = append(want, bytes.Repeat([]byte("push"), before/4)...)
				}
			}
			if isLent {
				lent = s.Out.Return(lent)
				clear(lent[:cap(lent)]) // somebody else has it now
			}
			if n := len(want) - len(l.took); n != s.Unsent() || n != s.UnsentLen() || n > s.Room()+held.bytes() || n == 0 && s.Room() > 0 || (n > 0) != (s.StalledAt.Load() > 0) {
				t.Fatalf("%d bytes are left: %d, %d, in %d", n, s.Unsent(), s.UnsentLen(), s.Room())
			}
		}
		l.room = 1 << 30
		if all, err := s.Flush(); !all || err != nil {
			t.Fatal(all, err)
		}
		if !bytes.HasPrefix(l.took, want) || len(bytes.TrimPrefix(l.took, want))%4 != 0 {
			t.Fatal("something else has come")
		}
		if held.bytes() != 0 {
			t.Fatal("what was sent is held")
		}
	}
}

// holders are large values that are shared, each overwritten when it is released.
type holders []*holder

type holder struct {
	b        []byte
	released int
}

func (h *holder) Release() {
	h.released++
	clear(h.b)
}

func (h *holder) Shared() bool { return true }

func (l *holders) share(s *Session, c byte, n int) []byte {
	h := &holder{b: bytes.Repeat([]byte{c}, n)}
	*l = append(*l, h)
	s.Share(h.b, h)
	return bytes.Clone(h.b)
}

// bytes is how many are held.
func (l *holders) bytes() (n int) {
	for _, h := range *l {
		if h.released > 1 {
			panic("released twice")
		}
		n += (1 - h.released) * len(h.b)
	}
	return n
}

// What a session holds of others is released when it ends, and until then nothing of it is
// its own memory but a few bytes between.
func TestASharedValueIsHeldUntilTheEnd(t *testing.T) {
	s := New(1, &narrow{}, nil, nil, nil)
	var held holders
	for range 100 {
		held.share(s, 1, 1<<20)
	}
	s.Stash()
	if s.Unsent() < 100<<20 || s.Room() > 100*smallSize+pieceSize || held.bytes() != 100<<20 {
		t.Error(s.Unsent(), s.Room(), held.bytes())
	}
	if s.Close(); s.Room() != 0 || held.bytes() != 0 {
		t.Error("something is left")
	}
}

func TestSharedValuesAreSentWithoutAllocation(t *testing.T) {
	l := &narrow{}
	s := New(1, l, nil, nil, nil)
	value, h := make([]byte, 1<<20), &holder{}
	lent := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() {
		s.Out.Lend(lent)
		s.Out.Raw(value[:100])
		s.Share(value, h)
		s.Share(value, h)
		l.room, l.took = 3<<20, l.took[:0]
		if all, err := s.Flush(); !all || err != nil {
			t.Fatal(all, err)
		}
		s.Out.Return(lent)
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// A client that reads nothing costs what waits for it, and a piece; what is left when
// it is gone is used for others, without a new one.
func TestWhatWaitsTakesItsSizeInMemory(t *testing.T) {
	l := &narrow{}
	s := New(1, l, nil, nil, nil)
	lent := make([]byte, 0, 4*pieceSize)
	reply := make([]byte, 1000)
	fill := func() {
		for range 1000 {
			s.Out.Lend(lent)
			s.Out.Raw(reply)
			s.Stash()
			lent = s.Out.Return(lent)
		}
	}
	fill()
	if n := s.Room(); s.Unsent() != 1_000_000 || n > 1_000_000+pieceSize {
		t.Errorf("%d bytes take %d", s.Unsent(), n)
	}
	s.Close()
	if s.Room() != 0 || s.UnsentLen() != 0 {
		t.Error("something is left")
	}
}

// A large reply is not copied to wait.
func TestALargeReplyWaitsWhereItIs(t *testing.T) {
	l := &narrow{room: 10}
	s := New(1, l, nil, nil, nil)
	s.Out.Lend(make([]byte, 0, 100))
	s.Out.Raw(make([]byte, 10<<20))
	first := &s.Out.Bytes()[0]
	if all, err := s.Flush(); all || err != nil {
		t.Fatal(all, err)
	}
	if &s.waits.pieces[0].b[0] != first || s.Unsent() != 10<<20-10 {
		t.Error("it was copied")
	}
	l.room, l.err = 5, errors.New("gone")
	if _, err := s.Flush(); err == nil || s.Unsent() != 10<<20-15 {
		t.Error(err, s.Unsent())
	}
}
