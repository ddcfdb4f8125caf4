package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"github.com/tidwall/redcon"
)

// Options of a connection. The zero value speaks RESP3 and waits 10 seconds
// for a reply.
type Options struct {
	Proto    int           // 2 or 3; 0 means 3
	Username string        // empty: the default user
	Password string        // empty: no AUTH
	Name     string        // CLIENT SETNAME
	Timeout  time.Duration // of a round trip; negative: none
	OnPush   func(Value)   // called for each push, from Do and Run
}

// Conn is one connection. It is for one goroutine at a time.
type Conn struct {
	nc  net.Conn
	o   Options
	out []byte
	in  []byte // in[r:] is what was read and not parsed
	r   int
	sc  Scanner
	err error // the connection is broken
}

// Dial connects to addr, a host:port or the path of a unix socket, and shakes
// hands: HELLO 3 for protocol version 3, AUTH, CLIENT SETNAME.
func Dial(ctx context.Context, addr string, o Options) (*Conn, error) {
	if o.Proto == 0 {
		o.Proto = 3
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	d := net.Dialer{}
	if o.Timeout > 0 {
		d.Timeout = o.Timeout
	}
	nc, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{nc: nc, o: o, in: make([]byte, 0, 16<<10)}
	if err := c.hello(); err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return c, nil
}

func (c *Conn) hello() error {
	user := c.o.Username
	if user == "" {
		user = "default"
	}
	switch c.o.Proto {
	case 2:
		if c.o.Password != "" {
			args := []any{"AUTH", user, c.o.Password}
			if c.o.Username == "" {
				args = []any{"AUTH", c.o.Password}
			}
			if _, err := c.Do(args...); err != nil {
				return err
			}
		}
	case 3:
		args := []any{"HELLO", 3}
		if c.o.Password != "" {
			args = append(args, "AUTH", user, c.o.Password)
		}
		if _, err := c.Do(args...); err != nil {
			return err
		}
	default:
		return fmt.Errorf("protocol version %d", c.o.Proto)
	}
	if c.o.Name != "" {
		if _, err := c.Do("CLIENT", "SETNAME", c.o.Name); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }

// Do sends a command and waits for its reply. Arguments are string, []byte,
// int, int64, uint64, float64, or []float32 for a vector. An error reply of the
// server is returned as an [Error]; any other error leaves the connection
// broken.
func (c *Conn) Do(args ...any) (Value, error) {
	if c.err != nil {
		return Value{}, c.err
	}
	out, err := AppendCommand(c.out[:0], args...)
	if err != nil {
		return Value{}, err
	}
	c.out = out
	c.deadline()
	if _, err := c.nc.Write(c.out); err != nil {
		return Value{}, c.fail(err)
	}
	v, err := c.reply()
	if err != nil {
		return Value{}, err
	}
	return v, v.Err()
}

// AppendCommand appends a command as the client of a server sends it; see
// [Conn.Do] for the types of arguments.
func AppendCommand(b []byte, args ...any) ([]byte, error) {
	if len(args) == 0 {
		return b, errors.New("empty command")
	}
	b = redcon.AppendArray(b, len(args))
	for _, a := range args {
		switch a := a.(type) {
		case string:
			b = redcon.AppendBulkString(b, a)
		case []byte:
			b = redcon.AppendBulk(b, a)
		case int:
			b = redcon.AppendBulkInt(b, int64(a))
		case int64:
			b = redcon.AppendBulkInt(b, a)
		case uint64:
			b = redcon.AppendBulkUint(b, a)
		case float64:
			b = redcon.AppendBulkFloat(b, a)
		case []float32:
			b = AppendVector(b, a)
		default:
			return b, fmt.Errorf("argument of type %T", a)
		}
	}
	return b, nil
}

// AppendVector appends v as one argument: a bulk string of little-endian
// float32.
func AppendVector(b []byte, v []float32) []byte {
	b = append(b, '$')
	b = fmt.Appendf(b, "%d\r\n", 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return append(b, '\r', '\n')
}

// Pipeline collects commands that are sent together.
type Pipeline struct {
	c   *Conn
	n   int
	out []byte
	err error
}

// Pipeline starts an empty pipeline.
func (c *Conn) Pipeline() *Pipeline { return &Pipeline{c: c} }

// Add appends a command; see [Conn.Do] for the types of arguments.
func (p *Pipeline) Add(args ...any) {
	out, err := AppendCommand(p.out, args...)
	if err != nil {
		if p.err == nil {
			p.err = fmt.Errorf("command %d: %w", p.n, err)
		}
		return
	}
	p.out = out
	p.n++
}

// Len is the number of commands collected.
func (p *Pipeline) Len() int { return p.n }

// Run sends the commands and returns their replies in order; error replies
// are among them (see [Value.Err]). The pipeline is empty afterwards.
func (p *Pipeline) Run() ([]Value, error) {
	replies := make([]Value, 0, p.n)
	if err := p.Each(func(_ int, v Value) { replies = append(replies, v) }); err != nil {
		return nil, err
	}
	return replies, nil
}

// Each is Run that calls f with each reply as it comes: after the pushes before
// it, and before those behind it.
func (p *Pipeline) Each(f func(i int, v Value)) error {
	c, n, out, err := p.c, p.n, p.out, p.err
	p.n, p.out, p.err = 0, p.out[:0], nil
	if err == nil {
		err = c.err
	}
	if err != nil || n == 0 {
		return err
	}
	c.deadline()
	// A server stops reading from a client that does not take its replies: what
	// is too long for the socket's buffers is written while replies are read.
	written := make(chan error, 1)
	write := func() {
		_, err := c.nc.Write(out)
		written <- err
	}
	if len(out) <= 32<<10 {
		write()
	} else {
		go write()
	}
	for i := range n {
		v, err := c.reply()
		if err != nil {
			c.nc.Close() // ends the writer
			<-written
			return err
		}
		f(i, v)
	}
	if err := <-written; err != nil {
		return c.fail(err)
	}
	return nil
}

// Await hands over pushes as they come until enough says so, without a limit of
// time. It is for a connection that waits for no reply.
func (c *Conn) Await(enough func() bool) error {
	_ = c.nc.SetDeadline(time.Time{})
	for !enough() {
		v, push, err := c.next()
		if err != nil {
			return err
		}
		if !push {
			return c.fail(fmt.Errorf("%w: a reply that nobody has asked for: %v", ErrProtocol, v))
		}
	}
	return nil
}

func (c *Conn) deadline() {
	if c.o.Timeout > 0 {
		// An error of SetDeadline shows at the write that follows.
		_ = c.nc.SetDeadline(time.Now().Add(c.o.Timeout))
	}
}

func (c *Conn) fail(err error) error {
	c.err = err
	return err
}

// reply returns the next reply and hands over the pushes before it.
func (c *Conn) reply() (Value, error) {
	for {
		v, push, err := c.next()
		if err != nil || !push {
			return v, err
		}
	}
}

// next returns the next value; a push was handed over.
func (c *Conn) next() (v Value, push bool, err error) {
	for {
		n, err := c.sc.Next(c.in[c.r:])
		if err != nil {
			return Value{}, false, c.fail(err)
		}
		if n == 0 {
			if err := c.fill(); err != nil {
				return Value{}, false, c.fail(err)
			}
			continue
		}
		v, _, err := Parse(c.in[c.r : c.r+n])
		if err != nil {
			return Value{}, false, c.fail(err)
		}
		if c.r += n; c.r == len(c.in) {
			c.in, c.r = c.in[:0], 0
		}
		if v.Kind == Push && c.o.OnPush != nil {
			c.o.OnPush(v)
		}
		return v, v.Kind == Push, nil
	}
}

func (c *Conn) fill() error {
	if c.r > 0 && cap(c.in)-len(c.in) < 4<<10 {
		c.in = append(c.in[:0], c.in[c.r:]...)
		c.r = 0
	}
	if cap(c.in)-len(c.in) < 4<<10 {
		c.in = append(make([]byte, 0, 2*cap(c.in)+16<<10), c.in...)
	}
	n, err := c.nc.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	return err
}
