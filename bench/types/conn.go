package types

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// conn sends commands and looks at no more of the replies than where they end and
// whether they are errors.
type conn struct {
	nc   net.Conn
	out  []byte
	in   []byte
	r, n int
	scan client.Scanner
}

func dial(addr string) (*conn, error) {
	nc, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{nc: nc, in: make([]byte, 256<<10)}, nil
}

// add appends a command to what is sent next.
func (c *conn) add(words ...string) {
	c.out = append(c.out, '*')
	c.out = strconv.AppendInt(c.out, int64(len(words)), 10)
	c.out = append(c.out, '\r', '\n')
	for _, w := range words {
		c.out = append(c.out, '$')
		c.out = strconv.AppendInt(c.out, int64(len(w)), 10)
		c.out = append(c.out, '\r', '\n')
		c.out = append(append(c.out, w...), '\r', '\n')
	}
}

// flush sends what was added and waits for so many replies.
func (c *conn) flush(replies int) error {
	_ = c.nc.SetDeadline(time.Now().Add(time.Minute))
	sent := make(chan error, 1)
	if len(c.out) > 64<<10 { // more than the sockets hold: the server may wait for us
		go func(b []byte) { _, err := c.nc.Write(b); sent <- err }(c.out)
	} else {
		_, err := c.nc.Write(c.out)
		sent <- err
	}
	for range replies {
		if err := c.reply(); err != nil {
			return err
		}
	}
	c.out = c.out[:0]
	return <-sent
}

func (c *conn) reply() error {
	first := true
	for {
		if c.r < c.n {
			if first && c.in[c.r] == '-' {
				line, _, _ := bytes.Cut(c.in[c.r:c.n], []byte("\r"))
				return fmt.Errorf("the server says %s", line)
			}
			first = false
			k, err := c.scan.Next(c.in[c.r:c.n])
			if err != nil {
				return err
			}
			if k > 0 {
				c.r += k
				return nil
			}
		}
		if c.r > 0 {
			c.n = copy(c.in, c.in[c.r:c.n])
			c.r = 0
		}
		if c.n == len(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		k, err := c.nc.Read(c.in[c.n:])
		if err != nil {
			return err
		}
		c.n += k
	}
}
