package load

import (
	"bytes"
	"fmt"
	"net"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// stats is what one worker saw in the window.
type stats struct {
	hist     histogram
	local    uint64 // reads that a client's own copy answered
	died     uint64 // copies that the server declared dead
	unsent   uint64 // open loop: commands that were due and could not be sent
	misses   uint64 // replies that found nothing
	errors   uint64
	firstErr string
}

func (s *stats) merge(o *stats) {
	s.hist.merge(&o.hist)
	s.local += o.local
	s.died += o.died
	s.unsent += o.unsent
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

// asked is a command under way.
type asked struct {
	op  *op
	key uint64
}

// conn is the state of one connection between the calls of an engine: a batch
// of commands goes out, its replies come in, the next batch goes out.
type conn struct {
	w      *workload
	src    source
	data   *material
	win    window
	st     *stats
	copies []uint64 // a bit for each key of which this client holds a copy; nil: it keeps none

	out   []byte
	in    []byte // in[r:n] was read and not consumed
	r, n  int
	scan  client.Scanner
	mid   bool    // the scanner has begun with a reply
	batch []asked // as many as the pipeline is deep
	want  int     // replies still to come of this batch
	sent  int64   // when the batch was handed to the kernel, or was due
}

func newConn(w *workload, m *material, pipeline int, win window, st *stats, src source) *conn {
	return &conn{w: w, data: m, win: win, st: st, src: src, batch: make([]asked, pipeline), in: make([]byte, 64<<10)}
}

// localRun bounds how many reads in a row a client answers from its copies.
const localRun = 1 << 12

// fill makes the next batch, which is due at a moment.
func (c *conn) fill(due int64) {
	c.out = c.out[:0]
	for i := range c.batch {
		o, key := c.w.pick(&c.src), c.src.key()
		if c.copies != nil {
			n := uint64(0)
			for ; o.reads && c.holds(key) && n < localRun; n++ {
				o, key = c.w.pick(&c.src), c.src.key()
			}
			if due >= c.win.from {
				c.st.local += n
			}
		}
		c.batch[i] = asked{o, key}
		c.out = o.append(c.out, &c.src, c.data, key)
	}
	c.want = len(c.batch)
	c.sent = due
}

func (c *conn) holds(key uint64) bool { return c.copies[key>>6]>>(key&63)&1 != 0 }

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

// short is the length of a status OK or a bulk string at the head of b, the
// usual replies; 0: another one, or not all of it.
func short(b []byte) int {
	if len(b) < 5 {
		return 0
	}
	if b[0] == '+' && b[1] == 'O' && b[2] == 'K' && b[3] == '\r' && b[4] == '\n' {
		return 5
	}
	if b[0] != '$' {
		return 0
	}
	n := 0
	for i := 1; i < min(len(b)-1, 10); i++ {
		switch d := b[i] - '0'; {
		case d <= 9:
			n = n*10 + int(d)
		case b[i] == '\r' && i > 1:
			if end := i + 4 + n; end <= len(b) && b[i+1] == '\n' && b[end-2] == '\r' && b[end-1] == '\n' {
				return end
			}
			return 0
		default:
			return 0
		}
	}
	return 0
}

// reply returns the next reply, nil when it is not complete.
func (c *conn) reply() ([]byte, error) {
	b := c.in[c.r:c.n]
	size := 0
	if !c.mid {
		size = short(b)
	}
	if size == 0 {
		var err error
		if size, err = c.scan.Next(b); err != nil {
			return nil, err
		}
		if c.mid = size == 0; c.mid {
			return nil, nil
		}
	}
	c.r += size
	return b[:size], nil
}

// consume takes n bytes that were read at now. Each reply's latency is the
// time from the hand-over of its batch (or when that was due) to the end of
// the read that completed the reply. An error means that the stream is of no
// use.
func (c *conn) consume(n int, now int64) error {
	c.n += n
	counts := now >= c.win.from && now < c.win.until
	for c.r < c.n {
		reply, err := c.reply()
		if reply == nil {
			return err
		}
		if reply[0] == '>' {
			c.push(reply, counts)
			continue
		}
		if c.want == 0 {
			return fmt.Errorf("%d bytes more than the replies to what was asked", c.n-c.r+len(reply))
		}
		a := &c.batch[len(c.batch)-c.want]
		c.want--
		if c.copies != nil && a.op.reads && reply[0] == '$' && reply[1] != '-' {
			c.copies[a.key>>6] |= 1 << (a.key & 63)
		}
		if !counts {
			continue
		}
		c.st.hist.record(now - c.sent)
		switch {
		case reply[0] == '-' || !a.op.expects(reply[0]):
			c.st.errors++
			if c.st.firstErr == "" {
				c.st.firstErr = string(reply[:min(len(reply), 200)])
			}
		case a.op.missed != nil && a.op.missed(reply):
			c.st.misses++
		}
	}
	return nil
}

// push takes an invalidation: the names of keys, or null for all of them.
func (c *conn) push(b []byte, counts bool) {
	const head = ">2\r\n$10\r\ninvalidate\r\n"
	if c.copies == nil || !bytes.HasPrefix(b, []byte(head)) {
		return
	}
	b = b[len(head):]
	if b[0] != '*' {
		clear(c.copies)
		return
	}
	for {
		i := bytes.Index(b, []byte("$16\r\n"))
		if i < 0 || len(b) < i+5+16 {
			return
		}
		if key, ok := keyNumber("key:", b[i+5:i+21]); ok && key>>6 < uint64(len(c.copies)) {
			if counts && c.holds(key) {
				c.st.died++
			}
			c.copies[key>>6] &^= 1 << (key & 63)
		}
		b = b[i+21:]
	}
}

// greet asks a server something before the load and wants no error.
func (c *conn) greet(nc net.Conn, args ...any) error {
	b, err := client.AppendCommand(nil, args...)
	if err != nil {
		return err
	}
	if err := nc.SetDeadline(time.Now().Add(stall)); err != nil {
		return err
	}
	defer func() { _ = nc.SetDeadline(time.Time{}) }() // an error shows at the next use
	if _, err := nc.Write(b); err != nil {
		return err
	}
	for {
		for c.r < c.n {
			reply, err := c.reply()
			if err != nil {
				return err
			}
			if reply == nil {
				break
			}
			switch reply[0] {
			case '>':
				c.push(reply, false)
			case '-':
				return fmt.Errorf("%v: %s", args, bytes.TrimSpace(reply))
			default:
				return nil
			}
		}
		n, err := nc.Read(c.room())
		if err != nil {
			return err
		}
		c.n += n
	}
}
