package main

import (
	"fmt"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// stats is what one worker saw in the window.
type stats struct {
	hist     histogram
	misses   uint64 // replies that found nothing
	errors   uint64
	firstErr string
}

func (s *stats) merge(o *stats) {
	s.hist.merge(&o.hist)
	s.misses += o.misses
	s.errors += o.errors
	if s.firstErr == "" {
		s.firstErr = o.firstErr
	}
}

// window is when replies count, in nanoseconds of the clock below. Before it
// the load runs to warm up; at its end no more is sent.
type window struct{ from, until int64 }

var epoch = time.Now()

// clock is monotonic nanoseconds.
func clock() int64 { return int64(time.Since(epoch)) }

// conn is the state of one connection between the calls of an engine: a batch
// of commands goes out, its replies come in, the next batch goes out.
type conn struct {
	w        *workload
	src      source
	data     *material
	pipeline int
	win      window
	st       *stats

	out  []byte
	in   []byte // in[r:n] was read and not consumed
	r, n int
	scan client.Scanner
	want int   // replies still to come of this batch
	sent int64 // when the batch was handed to the kernel
}

// batch fills out with the next commands and stamps them.
func (c *conn) batch() {
	c.out = c.out[:0]
	for range c.pipeline {
		c.out = c.w.next(c.out, &c.src, c.data)
	}
	c.want = c.pipeline
	c.sent = clock()
}

// room returns where the next read may write.
func (c *conn) room() []byte {
	if c.r == c.n {
		c.r, c.n = 0, 0
	} else if len(c.in)-c.n < 4<<10 {
		c.n = copy(c.in, c.in[c.r:c.n])
		c.r = 0
		if len(c.in)-c.n < 4<<10 {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
	}
	return c.in[c.n:]
}

// consume takes n bytes that were read at now. Each reply's latency is the
// time from the hand-over of its batch to the end of the read that completed
// the reply. An error means that the stream is of no use.
func (c *conn) consume(n int, now int64) error {
	c.n += n
	for c.want > 0 {
		size, err := c.scan.Next(c.in[c.r:c.n])
		if err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
		reply := c.in[c.r : c.r+size]
		c.r += size
		c.want--
		if now < c.win.from || now >= c.win.until {
			continue
		}
		c.st.hist.record(now - c.sent)
		switch {
		case reply[0] == '-' || !c.w.expects(reply[0]):
			c.st.errors++
			if c.st.firstErr == "" {
				c.st.firstErr = string(reply[:min(len(reply), 200)])
			}
		case c.w.missed != nil && c.w.missed(reply):
			c.st.misses++
		}
	}
	if c.r != c.n {
		return fmt.Errorf("%d bytes more than the replies to what was asked", c.n-c.r)
	}
	return nil
}
