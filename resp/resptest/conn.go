package resptest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Timeout is how long a [Conn] waits for a reply.
const Timeout = 30 * time.Second

// Conn is a client that shows everything the server sends: replies as they are,
// pushes apart from them. It is for one goroutine.
type Conn struct {
	// Proto is the protocol version that the connection speaks now. Do keeps it
	// when it sends HELLO or RESET.
	Proto int

	nc     net.Conn
	r      *bufio.Reader
	pushes []Value // RESP3 pushes that came while a reply was awaited
	closed bool
}

// Dial connects to addr (host:port, or the path of a unix socket) and, for
// protocol version 3, says HELLO 3.
func Dial(addr string, proto int) (*Conn, error) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	nc, err := net.DialTimeout(network, addr, Timeout)
	if err != nil {
		return nil, err
	}
	c := &Conn{nc: nc, r: bufio.NewReader(nc), Proto: 2}
	if proto == 3 {
		if v := c.Do("HELLO", "3"); v.Kind != Map {
			nc.Close()
			return nil, fmt.Errorf("HELLO 3: %v", v)
		}
	}
	return c, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }

// Do sends a command and returns its reply.
func (c *Conn) Do(args ...string) Value {
	c.Send(args...)
	v := c.reply()
	c.follow(args, v)
	return v
}

// follow keeps Proto in step with what a command changed.
func (c *Conn) follow(args []string, reply Value) {
	if len(args) == 0 {
		return
	}
	switch {
	case strings.EqualFold(args[0], "HELLO") && len(args) > 1 && len(reply.Elems) > 0:
		if n, err := strconv.Atoi(args[1]); err == nil {
			c.Proto = n
		}
	case strings.EqualFold(args[0], "RESET") && reply.Text == "RESET":
		c.Proto = 2
	}
}

// Send sends commands, each an argument list, without waiting for replies.
func (c *Conn) Send(args ...string) {
	c.Write(Encode(args...))
}

// Write sends bytes as they are.
func (c *Conn) Write(b string) {
	c.nc.SetWriteDeadline(time.Now().Add(Timeout))
	if _, err := c.nc.Write([]byte(b)); err != nil {
		c.closed = true
	}
}

// Encode returns a command as clients send it.
func Encode(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

// Next returns the next thing the server sends, push or reply.
func (c *Conn) Next() Value {
	if len(c.pushes) > 0 {
		v := c.pushes[0]
		c.pushes = c.pushes[1:]
		return v
	}
	return c.read()
}

// reply returns the next thing that is no push.
func (c *Conn) reply() Value {
	for {
		v := c.read()
		if v.Kind != Push {
			return v
		}
		c.pushes = append(c.pushes, v)
	}
}

func (c *Conn) read() Value {
	c.nc.SetReadDeadline(time.Now().Add(Timeout))
	v, err := ReadValue(c.r, c.Proto)
	switch {
	case err == nil:
		return v
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Value{Kind: TimedOut}
	case errors.Is(err, errProtocol):
		c.closed = true
		return Value{Kind: Closed, Text: err.Error()}
	default:
		c.closed = true
		return Value{Kind: Closed}
	}
}

// Drain returns what the server has sent of its own accord: everything that
// comes before the reply to a PING that it sends now.
func (c *Conn) Drain() []Value {
	const mark = "drained"
	got := c.pushes
	c.pushes = nil
	c.Send("PING", mark)
	for {
		v := c.read()
		// A subscriber's PING in RESP2 is answered by an array.
		pong := len(v.Elems) == 2 && v.Elems[0].Text == "pong" && v.Elems[1].Text == mark
		if v.Kind == Bulk && v.Text == mark || pong {
			return got
		}
		got = append(got, v)
		if v.Kind == Closed || v.Kind == TimedOut {
			return got
		}
	}
}

// subscribing are the commands that are answered once for each argument.
var subscribing = []string{
	"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
}

// DoMany sends a command that is answered n times, such as SUBSCRIBE with n
// channels. Anything but a push or an array ends it early.
func (c *Conn) DoMany(n int, args ...string) []Value {
	c.Send(args...)
	var vs []Value
	for range n {
		v := c.read()
		for c.Proto == 3 && v.Kind == Push && !isConfirmation(v) {
			c.pushes = append(c.pushes, v)
			v = c.read()
		}
		vs = append(vs, v)
		if v.Kind != Push && v.Kind != Array {
			break
		}
	}
	return vs
}

func isConfirmation(v Value) bool {
	return len(v.Elems) > 0 && strings.HasSuffix(v.Elems[0].Text, "subscribe")
}

// Figure is a number that a text of INFO tells, -1 without it.
func Figure(info, name string) int64 {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return -1
}
