//go:build linux && !noepoll

package reactor

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo sends back what comes, and fails when two goroutines run it at once.
type echo struct {
	t        testing.TB
	conn     *Conn
	inside   atomic.Bool
	readable bool
	out      []byte
	turn     func(*echo) Next // before the work of a turn; Wait goes on with it
	later    bool             // what comes in a turn goes back in Send
	owes     bool             // which is still to come
	away     func(*echo)
}

func (e *echo) Turn(ready Ready, s *Scratch) (next Next) {
	defer e.enter()()
	if e.owes {
		e.t.Error("another turn comes before what is to be sent")
	}
	e.readable = e.readable || ready&Readable != 0
	if e.turn != nil {
		if next := e.turn(e); next != Wait {
			return next
		}
	}
	next = e.work(s.In)
	e.owes = next == Send
	return next
}

func (e *echo) Send(*Scratch) Next {
	defer e.enter()()
	e.owes = false
	if !e.send() {
		return Gone
	}
	if e.readable && len(e.out) == 0 {
		return Again
	}
	return Wait
}

func (e *echo) Away() Next {
	defer e.enter()()
	if e.away != nil {
		e.away(e)
	}
	return e.work(make([]byte, 1000))
}

func (e *echo) enter() (leave func()) {
	if !e.inside.CompareAndSwap(false, true) {
		e.t.Error("two goroutines run one connection")
	}
	return func() { e.inside.Store(false) }
}

func (e *echo) work(in []byte) Next {
	if !e.send() {
		return Gone
	}
	if !e.readable || len(e.out) > 0 {
		return Wait
	}
	n, err := e.conn.Read(in)
	if err != nil {
		return Gone
	}
	e.out = append(e.out, in[:n]...)
	e.readable = n > 0
	if e.later {
		return Send
	}
	if !e.send() {
		return Gone
	}
	if e.readable {
		return Again
	}
	return Wait
}

func (e *echo) send() bool {
	for len(e.out) > 0 {
		half := len(e.out) / 2 // in two pieces
		n, err := e.conn.Write([][]byte{e.out[:half], e.out[half:]})
		if err != nil {
			return false
		}
		if n == 0 {
			return true
		}
		e.out = e.out[n:]
	}
	return true
}

// world is a pool whose connections all have handlers made by make.
type world struct {
	*testing.T
	pool *Pool
	ln   net.Listener
	all  sync.Map // the address of the client → *echo
}

func newWorld(t *testing.T, reactors int, prepare func(*echo)) *world {
	t.Helper()
	w := &world{T: t}
	var err error
	if w.pool, err = New(reactors); err != nil {
		t.Fatal(err)
	}
	if w.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	var turn atomic.Int32
	go func() {
		defer close(accepting)
		for {
			nc, err := w.ln.Accept()
			if err != nil {
				return
			}
			who := nc.RemoteAddr().String()
			if err := w.pool.Adopt(nc, func(c *Conn) Handler {
				e := &echo{t: t, conn: c, later: turn.Add(1)%2 == 0}
				if prepare != nil {
					prepare(e)
				}
				w.all.Store(who, e)
				return e
			}); err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() {
		w.ln.Close()
		<-accepting
		w.all.Range(func(_, e any) bool { e.(*echo).conn.Abort(); return true })
		w.pool.Close()
	})
	return w
}

func (w *world) dial() net.Conn {
	w.Helper()
	c, err := net.Dial("tcp", w.ln.Addr().String())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// handler is that of a client, which has had an answer.
func (w *world) handler(c net.Conn) *echo {
	w.ping(c)
	e, _ := w.all.Load(c.LocalAddr().String())
	return e.(*echo)
}

func (w *world) ping(c net.Conn) {
	w.Helper()
	var b [1]byte
	if _, err := c.Write([]byte("x")); err != nil {
		w.Fatal(err)
	}
	if _, err := io.ReadFull(c, b[:]); err != nil || b[0] != 'x' {
		w.Fatalf("%q %v", b, err)
	}
}

func TestLargeMessagesComeBackWhole(t *testing.T) {
	w := newWorld(t, 2, nil)
	var wg sync.WaitGroup
	for range 8 {
		c := w.dial()
		sent := make([]byte, 3<<20) // does not fit into a socket
		r := rand.NewChaCha8([32]byte{1})
		_, _ = r.Read(sent)
		wg.Go(func() {
			if _, err := c.Write(sent); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
				t.Error("something else came back", err)
			}
		})
	}
	wg.Wait()
}

func TestEndComesAfterTheLastBytes(t *testing.T) {
	w := newWorld(t, 1, nil)
	c := w.dial()
	if _, err := c.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c); err != nil || string(b) != "last words" {
		t.Fatalf("%q %v", b, err)
	}
}

// The other connections of a reactor do not wait for one that is stuck.
func TestAStuckTurnDelaysNobodyElse(t *testing.T) {
	gate := make(chan struct{})
	var stick atomic.Pointer[echo]
	w := newWorld(t, 1, func(e *echo) {
		e.turn = func(e *echo) Next {
			if stick.CompareAndSwap(e, nil) {
				<-gate
			}
			return Wait
		}
	})
	stuck, other := w.dial(), w.dial()
	stick.Store(w.handler(stuck))
	if _, err := stuck.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		w.ping(other)
	}
	// It goes on with what has come meanwhile.
	if _, err := stuck.Write([]byte("def")); err != nil {
		t.Fatal(err)
	}
	close(gate)
	var b [6]byte
	if _, err := io.ReadFull(stuck, b[:]); err != nil || string(b[:]) != "abcdef" {
		t.Fatalf("%q %v", b, err)
	}
	w.ping(other)
}

// The watch goes to sleep while a driver is about to: it must not take it for one that
// sleeps, and leave it alone with what it does next.
func TestTheWatchLooksAfterADriverThatDoesNotSleep(t *testing.T) {
	p := &Pool{}
	p.watch.bell = make(chan struct{}, 1)
	r := &reactor{pool: p}
	r.post(letter{what: wakes}) // so it does not sleep
	p.watch.asleep.Store(true)
	r.sleep()
	if p.watch.asleep.Load() || len(p.watch.bell) != 1 {
		t.Error("the watch sleeps while the driver works")
	}
}

func TestWhatHappensWhileAwayIsNotLost(t *testing.T) {
	left, gate := make(chan struct{}), make(chan struct{})
	var leaver atomic.Pointer[echo]
	w := newWorld(t, 1, func(e *echo) {
		e.turn = func(e *echo) Next {
			if leaver.CompareAndSwap(e, nil) {
				return Leave
			}
			return Wait
		}
		e.away = func(*echo) {
			left <- struct{}{}
			<-gate
		}
	})
	c, other := w.dial(), w.dial()
	w.ping(other)
	leaver.Store(w.handler(c))
	_, _ = c.Write([]byte("1"))
	<-left
	w.ping(other)
	_, _ = c.Write([]byte("2"))
	w.ping(other)
	gate <- struct{}{}
	var b [2]byte
	if _, err := io.ReadFull(c, b[:]); err != nil || string(b[:]) != "12" {
		t.Fatalf("%q %v", b, err)
	}
	w.ping(c)
}

func TestWakeIsNeverLost(t *testing.T) {
	const wakers, times = 4, 2000
	var want, seen atomic.Int64
	w := newWorld(t, 1, func(e *echo) {
		e.turn = func(*echo) Next {
			seen.Store(want.Load())
			return Wait
		}
	})
	e := w.handler(w.dial())
	var wg sync.WaitGroup
	for range wakers {
		wg.Go(func() {
			for range times {
				want.Add(1)
				e.conn.Wake()
			}
		})
	}
	wg.Wait()
	for end := time.Now().Add(time.Minute); seen.Load() != wakers*times; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a turn has seen %d of %d", seen.Load(), wakers*times)
		}
	}
}

func TestAbortEndsAConnection(t *testing.T) {
	w := newWorld(t, 1, nil)
	c := w.dial()
	e := w.handler(c)
	e.conn.Abort()
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Fatalf("%q %v", b, err)
	}
	e.conn.Abort() // of one that is gone
	e.conn.Wake()
	w.ping(w.dial())
}

// farewell ends its connection with what it sends when bytes have come, and has been woken by then.
type farewell struct {
	t      testing.TB
	conn   *Conn
	joined chan struct{} // of capacity 1
	ended  bool
}

func (f *farewell) Turn(ready Ready, _ *Scratch) Next {
	if f.ended {
		f.t.Error("a turn after the end")
		return Gone
	}
	if ready&Readable == 0 {
		select {
		case f.joined <- struct{}{}:
		default:
		}
		return Wait
	}
	f.conn.Wake() // letters are read after what is ready, in the same round
	return Send
}

func (f *farewell) Send(*Scratch) Next { f.ended = true; return Gone }

func (f *farewell) Away() Next { return Gone }

func TestAConnectionEndsOnce(t *testing.T) {
	p, err := New(1)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	joined := make(chan struct{}, 1)
	if err := p.Adopt(nc, func(conn *Conn) Handler { return &farewell{t: t, conn: conn, joined: joined} }); err != nil {
		t.Fatal(err)
	}
	<-joined
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(c) // its end, or a reset: nobody has read the byte
	p.Close()            // never returns where the count of connections is wrong
}

// asker asks for as many turns as are left.
type asker struct {
	name  string
	next  Next
	left  int
	turns *[]string
}

func (a *asker) Turn(Ready, *Scratch) Next {
	*a.turns = append(*a.turns, a.name)
	if a.left--; a.left < 0 {
		return Wait
	}
	return a.next
}
func (a *asker) Send(*Scratch) Next { return Wait }
func (a *asker) Away() Next         { return Wait }

// Who is new, or needs more than a turn, waits until those have had theirs who are ready
// and ask for little. Of those whose clients take nothing one comes to its end before
// the next begins.
func TestLongOnesLetOthersGoFirst(t *testing.T) {
	r := &reactor{}
	r.lend()
	var turns []string
	add := func(name string, next Next, left int) *Conn {
		c := &Conn{r: r, fd: len(r.conns), long: true}
		c.handler = &asker{name, next, left, &turns}
		r.conns = append(r.conns, c)
		return c
	}
	next := func() bool {
		c := r.next()
		return c != nil && r.run(c, c.noted)
	}
	f := func(want string) {
		t.Helper()
		if got := strings.Join(turns, " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		turns = nil
	}
	little := add("little", Wait, 0)
	r.dispatch(little, Readable)
	f("") // it may be anybody
	next()
	f("little")
	much, more := add("much", Again, 2), add("more", Again, 1)
	for _, c := range []*Conn{much, more, much, little} {
		r.dispatch(c, Readable)
	}
	f("little")
	for next() {
		r.dispatch(little, Readable)
	}
	f("much little more little much little more little much little")
	r.dispatch(much, Readable)
	f("") // it was a long one
	next()
	r.dispatch(much, Readable)
	f("much much")

	for i, name := range []string{"a", "b", "c"} {
		r.dispatch(add(name, Hoard, 2+i/2), Readable)
	}
	r.dispatch(add("x", Again, 3), Readable)
	for next() {
	}
	f("a b b c c x c x c x b x a a") // one of either in turn; the one that began last is done first
}

// Everything at once: turns that leave, that take long, that ask for another,
// connections that come and go, wakers. Each byte comes back in its place, and
// nothing runs twice at a time.
func TestTurnsOfAllKinds(t *testing.T) {
	var rolls atomic.Uint64
	w := newWorld(t, 2, func(e *echo) {
		e.turn = func(e *echo) Next {
			switch r := rolls.Add(0x9e3779b97f4a7c15) >> 32 % 200; {
			case r == 0:
				time.Sleep(lookEvery * 5 / 2)
			case r < 20:
				return Leave
			case r < 30:
				return Again
			}
			return Wait
		}
		e.away = func(*echo) {
			if rolls.Add(0x9e3779b97f4a7c15)>>32%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	var stop atomic.Bool
	var wg, wakers sync.WaitGroup
	wakers.Go(func() {
		for !stop.Load() {
			w.all.Range(func(_, e any) bool { e.(*echo).conn.Wake(); return true })
			time.Sleep(time.Millisecond)
		}
	})
	for n := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			for range 4 {
				c, err := net.Dial("tcp", w.ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				for range 30 {
					sent := make([]byte, 1+rng.IntN(3000))
					for i := range sent {
						sent[i] = byte(rng.Uint32())
					}
					got := make([]byte, len(sent))
					if _, err := c.Write(sent); err != nil {
						t.Error(err)
					} else if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
						t.Error("something else came back", err)
					}
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	wakers.Wait()
}
