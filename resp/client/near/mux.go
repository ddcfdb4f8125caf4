package near

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// ErrClosed is returned by the methods of a client that was closed.
var ErrClosed = errors.New("near: the client is closed")

// call is one request on its way: some commands that are sent together.
type call struct {
	replies int
	// reply gets each reply in turn, err instead where the connection has ended.
	// It runs in the reader and must not wait.
	reply func(i int, v client.Value, err error)
}

// mux sends the requests of many goroutines over one connection, and reads
// their replies and the server's pushes in the order of the wire.
type mux struct {
	o      *Options
	addr   string
	opened func(c *conn) // a connection stands; its reader does not run yet
	report func() []byte // a command that the server is sent with every Ping, or nil
	push   func(v client.Value)
	closed func() // the connection has ended; before its calls fail

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		conn *conn
		up   chan struct{} // closed once conn is set
		last error         // of the newest attempt to connect
	}
}

// conn is one connection of a mux, from its handshake to its end.
type conn struct {
	nc        net.Conn
	wake      chan struct{} // there is something to write
	ended     chan struct{}
	noReports atomic.Bool // the server does not know TRACKING.REPORT

	mu     sync.Mutex
	heard  bool // the reader has read something since the last Ping
	out    []byte
	calls  []call // in the order of their commands; calls[0].replies counts down
	head   int    // calls before it are done
	nth    int    // replies of calls[head] that have come
	broken error
}

func (m *mux) start(ctx context.Context) error {
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.mu.up = make(chan struct{})
	c, err := m.dial(ctx)
	if err != nil {
		m.cancel()
		return err
	}
	m.wg.Go(func() { m.run(c) })
	return nil
}

func (m *mux) stop() {
	m.cancel()
	m.mu.Lock()
	c := m.mu.conn
	m.mu.Unlock()
	if c != nil {
		_ = c.nc.Close()
	}
	m.wg.Wait()
}

// dial makes a connection whose reads are tracked.
func (m *mux) dial(ctx context.Context) (*conn, error) {
	network := "tcp"
	if strings.HasPrefix(m.addr, "/") {
		network = "unix"
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, m.addr)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(m.o.Timeout))
	c := &conn{nc: nc, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	if err := m.handshake(c); err != nil {
		_ = nc.Close()
		return nil, err
	}
	_ = nc.SetDeadline(time.Time{})
	return c, nil
}

func (m *mux) handshake(c *conn) error {
	hello := []any{"HELLO", 3}
	if m.o.Password != "" {
		user := m.o.Username
		if user == "" {
			user = "default"
		}
		hello = append(hello, "AUTH", user, m.o.Password)
	}
	if m.o.Name != "" {
		hello = append(hello, "SETNAME", m.o.Name)
	}
	out, _ := client.AppendCommand(nil, hello...)
	out, _ = client.AppendCommand(out, "CLIENT", "TRACKING", "ON")
	if m.o.DB != 0 {
		out, _ = client.AppendCommand(out, "SELECT", m.o.DB)
	}
	if _, err := c.nc.Write(out); err != nil {
		return err
	}
	want := 2
	if m.o.DB != 0 {
		want++
	}
	r := reader{nc: c.nc}
	for range want {
		v, err := r.next()
		if err == nil {
			err = v.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run reads connection after connection until the mux stops.
func (m *mux) run(c *conn) {
	for c != nil {
		m.opened(c)
		m.mu.Lock()
		m.mu.conn = c
		close(m.mu.up)
		m.mu.Unlock()
		if m.ctx.Err() != nil { // stop has not seen it
			_ = c.nc.Close()
		}
		var writer sync.WaitGroup
		writer.Go(func() { m.write(c) })
		err := m.read(c)
		_ = c.nc.Close()
		m.mu.Lock()
		m.mu.conn, m.mu.last = nil, err
		m.mu.up = make(chan struct{})
		m.mu.Unlock()
		m.closed()
		c.end(err)
		writer.Wait()
		c = m.redial()
	}
	m.mu.Lock()
	close(m.mu.up) // whoever waits sees that the mux has stopped
	m.mu.Unlock()
}

// Waits between attempts to connect, doubled up to the longest.
const (
	redialFirst = 10 * time.Millisecond
	redialMost  = time.Second
)

// redial returns the next connection, nil once the mux has stopped.
func (m *mux) redial() *conn {
	for wait := redialFirst; m.ctx.Err() == nil; wait = min(2*wait, redialMost) {
		c, err := m.dial(m.ctx)
		if err == nil {
			return c
		}
		m.mu.Lock()
		m.mu.last = err
		m.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-m.ctx.Done():
		}
	}
	return nil
}

// send queues a request on the connection, waiting for one to stand.
func (m *mux) send(ctx context.Context, commands []byte, cl call) error {
	for {
		m.mu.Lock()
		c, up, last := m.mu.conn, m.mu.up, m.mu.last
		m.mu.Unlock()
		if m.ctx.Err() != nil {
			return ErrClosed
		}
		if c != nil && c.enqueue(commands, cl) {
			return nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		}
		if c != nil { // it has just ended; up is of the time before
			select {
			case <-c.ended:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// tell queues a command whose reply nobody waits for, if there is a connection.
func (m *mux) tell(command []byte) {
	m.mu.Lock()
	c := m.mu.conn
	m.mu.Unlock()
	if c != nil {
		c.enqueue(command, call{replies: 1, reply: func(int, client.Value, error) {}})
	}
}

// enqueue returns false where the connection has ended.
func (c *conn) enqueue(commands []byte, cl call) bool {
	c.mu.Lock()
	if c.broken != nil {
		c.mu.Unlock()
		return false
	}
	c.out = append(c.out, commands...)
	c.calls = append(c.calls, cl)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// write sends what is queued, and a PING where nothing has been heard for a
// while. A connection that stays silent is closed, which ends its reader.
func (m *mux) write(c *conn) {
	t := time.NewTicker(m.o.Ping)
	defer t.Stop()
	var spare []byte
	asked := false
	for {
		select {
		case <-c.ended:
			return
		case <-t.C:
			if out := m.report(); out != nil && !c.noReports.Load() {
				c.enqueue(out, call{replies: 1, reply: func(_ int, v client.Value, _ error) {
					c.noReports.Store(v.Err() != nil) // a server that knows no such thing
				}})
			}
			c.mu.Lock()
			heard := c.heard
			c.heard = false
			c.mu.Unlock()
			switch {
			case heard:
				asked = false
			case asked: // Ping ago, and no answer
				_ = c.nc.Close()
				return
			default:
				asked = true
				out, _ := client.AppendCommand(nil, "PING")
				c.enqueue(out, call{replies: 1, reply: func(int, client.Value, error) {}})
			}
		case <-c.wake:
			c.mu.Lock()
			out := c.out
			c.out = spare[:0]
			c.mu.Unlock()
			if len(out) > 0 {
				_ = c.nc.SetWriteDeadline(time.Now().Add(m.o.Timeout)) // an error shows at the write
				if _, err := c.nc.Write(out); err != nil {
					_ = c.nc.Close()
					return
				}
			}
			if spare = out; cap(spare) > maxSpare {
				spare = nil
			}
		}
	}
}

const maxSpare = 1 << 20 // bytes of a buffer that is kept for the next requests

// read handles replies and pushes until the connection ends.
func (m *mux) read(c *conn) error {
	r := reader{nc: c.nc}
	for {
		v, err := r.next()
		if err != nil {
			return err
		}
		if v.Kind == client.Push {
			c.note()
			m.push(v)
			continue
		}
		cl, i, ok := c.next()
		if !ok {
			return errors.New("near: a reply that nobody has asked for")
		}
		cl.reply(i, v, nil)
	}
}

func (c *conn) note() {
	c.mu.Lock()
	c.heard = true
	c.mu.Unlock()
}

// next returns the call that the reply which has come belongs to.
func (c *conn) next() (cl call, i int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = true
	if c.head == len(c.calls) {
		return call{}, 0, false
	}
	cl, i = c.calls[c.head], c.nth
	if c.nth++; c.nth == cl.replies {
		c.calls[c.head] = call{}
		c.nth = 0
		if c.head++; 2*c.head >= len(c.calls) { // mostly all of them
			n := copy(c.calls, c.calls[c.head:])
			clear(c.calls[n:])
			c.calls, c.head = c.calls[:n], 0
		}
	}
	return cl, i, true
}

// end fails the calls that have no reply.
func (c *conn) end(err error) {
	c.mu.Lock()
	c.broken = err
	calls, nth := c.calls[c.head:], c.nth
	c.calls = nil
	c.mu.Unlock()
	close(c.ended)
	for _, cl := range calls {
		for i := nth; i < cl.replies; i++ {
			cl.reply(i, client.Value{}, err)
		}
		nth = 0
	}
}

// reader cuts a connection's bytes into values.
type reader struct {
	nc  net.Conn
	sc  client.Scanner
	buf []byte
	at  int // buf[at:] is not parsed yet
}

func (r *reader) next() (client.Value, error) {
	for {
		n, err := r.sc.Next(r.buf[r.at:])
		if err != nil {
			return client.Value{}, err
		}
		if n > 0 {
			v, _, err := client.Parse(r.buf[r.at : r.at+n])
			r.at += n
			return v, err
		}
		if err := r.fill(); err != nil {
			return client.Value{}, err
		}
	}
}

const readSize = 16 << 10

func (r *reader) fill() error {
	if r.at == len(r.buf) && cap(r.buf) > maxSpare {
		r.buf, r.at = nil, 0
	}
	if r.at > 0 && cap(r.buf)-len(r.buf) < readSize/2 {
		r.buf = append(r.buf[:0], r.buf[r.at:]...)
		r.at = 0
	}
	if cap(r.buf)-len(r.buf) < readSize/2 {
		r.buf = append(make([]byte, 0, 2*cap(r.buf)+readSize), r.buf...)
	}
	n, err := r.nc.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}
