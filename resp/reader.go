package resp

import (
	"bytes"
	"io"
	"math"
	"unsafe"
)

// Limits bounds what a Reader accepts. Each is checked against the declared
// length, before anything is reserved for it. A zero field means the default.
type Limits struct {
	MaxBulk   int64 // bytes of one argument (proto-max-bulk-len)
	MaxArgs   int   // arguments of one command
	MaxInline int   // bytes of an inline command, and of the line that holds a length
	MaxQuery  int64 // memory of one incomplete command (client-query-buffer-limit)

	// Unauthenticated adds the limits for a client that may still be anybody:
	// 10 arguments of 16 kB each, as Redis has since CVE-2021-32675.
	Unauthenticated bool
}

// Defaults of Limits, which are those of Redis, but for MaxArgs: Redis lets a
// client announce 2^31 arguments and waits for them.
const (
	DefaultMaxBulk   = 512 << 20
	DefaultMaxArgs   = 1 << 20
	DefaultMaxInline = 64 << 10
	DefaultMaxQuery  = 1 << 30
)

const (
	unauthMaxArgs = 10
	unauthMaxBulk = 16 << 10
)

func (l Limits) withDefaults() Limits {
	if l.MaxBulk <= 0 {
		l.MaxBulk = DefaultMaxBulk
	}
	l.MaxBulk = min(l.MaxBulk, math.MaxInt/4) // an offset plus a length never wraps
	if l.MaxArgs <= 0 {
		l.MaxArgs = DefaultMaxArgs
	}
	if l.MaxInline <= 0 {
		l.MaxInline = DefaultMaxInline
	}
	if l.MaxQuery <= 0 {
		l.MaxQuery = DefaultMaxQuery
	}
	return l
}

const (
	// minBuffer is what an idle client costs: the handshake of every client
	// library fits, and ten thousand of them take 10 MB.
	minBuffer = 1 << 10
	// pipeBuffer is how far the buffer grows merely because reads fill it. One
	// read of 64 kB is about what a socket holds.
	pipeBuffer = 64 << 10
	// keepArgs is the number of arguments whose slices are kept for the next
	// command.
	keepArgs = 1 << 10
	// dropBuffer is the size above which the buffer of a finished command is
	// given back at once. Growing it again costs less than the command itself.
	dropBuffer = 1 << 20
	// shrinkAfter is how many times in a row the buffer must have been nearly
	// empty before half of it is given back.
	shrinkAfter = 16
	// minRead is the least room offered to a read.
	minRead = 512
	// argOverhead is what an argument costs beyond its bytes: span and slice.
	argOverhead = 16 + 24
	// ownBulk is the length from which on an argument is read into memory of its
	// own, which whoever stores it may keep: it is neither copied nor moved again.
	ownBulk = 1 << 20
	// ownAhead is how many times what has arrived of it is reserved at most. What
	// is copied while it grows is an eighth of it, in sum a seventh.
	ownAhead = 8
	// maxEmptyReads is how many reads may return neither bytes nor an error.
	maxEmptyReads = 100
)

// span is an argument as offsets into the buffer, which may still move, or one
// that has memory of its own: off is -1 minus its place among those.
type span struct{ off, end int }

// extent is where a command that has been parsed ends, in argv and in the buffer.
type extent struct{ args, end int }

// Reader cuts the bytes of a client into commands.
//
// The session calls Next until it returns nil, then Fill, and so on:
//
//	for {
//		args, err := r.Next()
//		if err != nil { … answer and close … }
//		if args == nil {
//			if err := r.Fill(); err != nil { … close … }
//			continue
//		}
//		… run the command …
//	}
//
// State is kept between the bytes: a command that arrives one byte a packet
// costs as much as one that arrives whole. The buffer grows with what has
// arrived, never to what was announced.
type Reader struct {
	rd  io.Reader
	lim Limits

	buf   []byte // buf[start:] holds the command being parsed and what follows
	start int    // first byte of the command being parsed
	pos   int    // everything before has been parsed
	scan  int    // buf[pos:scan] holds no end of line; scan <= pos means nothing is known

	left  int    // arguments still to come; 0 between commands
	bulk  int    // length of the argument being read; -1 before its header
	argv  []span // arguments of the commands in ready, then of the one being parsed
	ready []extent
	taken int // of ready, by Next

	own     []byte   // of the argument being read, where it has memory of its own
	owns    [][]byte // arguments of the command with memory of their own
	ownFrom int      // ownBulk but in tests

	args [][]byte // what Next returned last
	err  error    // protocol error, final

	spare    []byte // between Lend and Return: the reader's own buffer, kept for what Return finds
	borrowed bool   // buf was lent

	readErr error // came together with bytes; returned by the next Fill
	full    bool  // the last read left no room
	idle    int   // times in a row that the buffer was nearly empty
}

// NewReader returns a Reader of r. Zero fields of l mean the defaults.
func NewReader(r io.Reader, l Limits) *Reader {
	return &Reader{rd: r, lim: l.withDefaults(), bulk: -1, ownFrom: ownBulk}
}

// SetLimits replaces the limits, for the commands that follow.
func (r *Reader) SetLimits(l Limits) { r.lim = l.withDefaults() }

// Buffered returns the number of bytes read that are not part of a command
// returned by Next: what waits in a pipeline, whole commands or not.
func (r *Reader) Buffered() int { return len(r.buf) - r.start }

// Size is the memory of the buffers in bytes, without what is lent.
func (r *Reader) Size() int {
	n := cap(r.spare) + cap(r.own) + cap(r.argv)*int(unsafe.Sizeof(span{})) + cap(r.args)*int(unsafe.Sizeof([]byte{}))
	if !r.borrowed {
		n += cap(r.buf)
	}
	for _, b := range r.owns {
		n += cap(b)
	}
	return n
}

// Next returns the next command in the buffer, its name first, or nil when more
// bytes are needed. Empty commands are skipped. The arguments, and the slice
// that holds them, are valid until the next call of Next, Fill or Return.
//
// The error is a ProtocolError. It is final: every later call returns it, and
// whatever else is in the buffer is never looked at.
func (r *Reader) Next() ([][]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.taken < len(r.ready) {
		return r.take(), nil
	}
	r.rewind()
	for r.left == 0 {
		switch {
		case r.pos == len(r.buf):
			return nil, nil
		case r.buf[r.pos] != '*':
			line, ok, err := r.line()
			if !ok {
				return nil, r.fail(err)
			}
			if r.args, ok = SplitArgs(r.args[:0], line); !ok {
				return nil, r.fail(ProtocolError("unbalanced quotes in request"))
			}
			r.start = r.pos
			if len(r.args) > 0 {
				return r.args, nil
			}
		default:
			if ok, err := r.count(); !ok {
				return nil, r.fail(err)
			}
			if r.left == 0 {
				r.start = r.pos
			}
		}
	}
	if ok, err := r.bulks(); !ok {
		return nil, r.fail(err)
	}
	return r.take(), nil
}

// Ahead parses the commands that Next will return, as far as they are in the
// buffer and up to n of them, and returns how many it has.
func (r *Reader) Ahead(n int) int {
	if r.err != nil || r.lim.Unauthenticated { // whose limits may be others after the next command
		return 0
	}
	r.rewind()
	// What is no array, or wrong, and what comes behind a long argument is left to
	// Next. An error is met by it again.
	for len(r.ready)-r.taken < n && len(r.owns) == 0 {
		if r.left == 0 {
			if r.pos == len(r.buf) || r.buf[r.pos] != '*' {
				break
			}
			if ok, _ := r.count(); !ok || r.left == 0 {
				break
			}
		}
		if ok, _ := r.bulks(); !ok {
			break
		}
	}
	return len(r.ready) - r.taken
}

// Args returns how many arguments command i of those ahead has, its name
// included, and Arg one of them, which is valid until Fill or Return.
func (r *Reader) Args(i int) int { return len(r.spans(i)) }

// Arg is argument k of command i of those ahead.
func (r *Reader) Arg(i, k int) []byte { return r.arg(r.spans(i)[k]) }

// spans are the arguments of command i of those that are ready and not taken.
func (r *Reader) spans(i int) []span {
	from := 0
	if i += r.taken; i > 0 {
		from = r.ready[i-1].args
	}
	return r.argv[from:r.ready[i].args]
}

func (r *Reader) arg(s span) []byte {
	if s.off < 0 {
		return r.owns[-1-s.off]
	}
	return r.buf[s.off:s.end:s.end]
}

// take returns the first command that is ready.
func (r *Reader) take() [][]byte {
	r.args = r.args[:0]
	for _, s := range r.spans(0) {
		r.args = append(r.args, r.arg(s))
	}
	r.start = r.ready[r.taken].end
	r.taken++
	return r.args
}

// rewind forgets the commands that Next has returned.
func (r *Reader) rewind() {
	if r.taken > 0 {
		args := r.ready[r.taken-1].args
		r.argv = r.argv[:copy(r.argv, r.argv[args:])]
		r.ready = r.ready[:copy(r.ready, r.ready[r.taken:])]
		for i := range r.ready {
			r.ready[i].args -= args
		}
		r.taken = 0
	}
	if r.left == 0 && len(r.ready) == 0 && len(r.owns) > 0 {
		clear(r.owns)
		r.owns = r.owns[:0]
		clear(r.args[:cap(r.args)])
	}
}

// count parses the number of arguments of a command.
func (r *Reader) count() (bool, error) {
	at := r.pos
	n, ok, err := r.length("too big mbulk count string", "invalid multibulk length")
	switch {
	case !ok:
		return false, err
	case n > int64(r.lim.MaxArgs):
		err = ProtocolError("invalid multibulk length")
	case n > unauthMaxArgs && r.lim.Unauthenticated:
		err = ProtocolError("unauthenticated multibulk length")
	default:
		r.left = int(max(n, 0)) // *0 and *-1 ask for nothing
		return true, nil
	}
	r.pos = at
	return false, err
}

// fail makes err final and lets go of the buffer; nil is no failure.
func (r *Reader) fail(err error) error {
	if err != nil {
		*r = Reader{rd: r.rd, lim: r.lim, bulk: -1, ownFrom: r.ownFrom, err: err}
	}
	return err
}

// bulks parses the arguments that are left of the command, and adds it to ready.
// It reports false when the buffer ends before them, or with an error.
func (r *Reader) bulks() (bool, error) {
	for r.left > 0 {
		if r.bulk < 0 {
			if r.pos == len(r.buf) {
				return false, nil
			}
			if b := r.buf[r.pos : r.pos+1]; b[0] != '$' {
				return false, ProtocolError("expected '$', got '" + string(b) + "'")
			}
			at := r.pos
			n, ok, err := r.length("too big bulk count string", "invalid bulk length")
			switch {
			case !ok:
				return false, err
			case n < 0 || n > r.lim.MaxBulk:
				err = ProtocolError("invalid bulk length")
			case n > unauthMaxBulk && r.lim.Unauthenticated:
				err = ProtocolError("unauthenticated bulk length")
			}
			if err != nil {
				r.pos = at
				return false, err
			}
			if r.bulk = int(n); n >= int64(r.ownFrom) && int64(len(r.buf)-r.pos) < n+2 {
				r.begin(r.buf[r.pos:])
				r.buf = r.buf[:r.pos]
			}
		}
		if r.own != nil {
			if len(r.own) < r.bulk+2 {
				return false, nil
			}
			if r.own[r.bulk] != '\r' || r.own[r.bulk+1] != '\n' {
				return false, ProtocolError("expected CRLF after a bulk")
			}
			r.owns = append(r.owns, r.own[:r.bulk:r.bulk])
			r.argv = append(r.argv, span{off: -len(r.owns)})
			r.own, r.bulk = nil, -1
			r.left--
			continue
		}
		end := r.pos + r.bulk
		if len(r.buf)-2 < end {
			return false, nil
		}
		if r.buf[end] != '\r' || r.buf[end+1] != '\n' {
			return false, ProtocolError("expected CRLF after a bulk")
		}
		r.argv = append(r.argv, span{r.pos, end})
		r.pos = end + 2
		r.bulk = -1
		r.left--
	}
	r.ready = append(r.ready, extent{len(r.argv), r.pos})
	return true, nil
}

// begin gives the argument being read memory of its own, with what has come of it.
func (r *Reader) begin(b []byte) { r.own = append(make([]byte, 0, r.ownSize(len(b))), b...) }

// ownSize is the whole of it, or the largest of an eighth, a 64th, … that is not
// too far ahead of what has arrived.
func (r *Reader) ownSize(arrived int) int {
	n := r.bulk + 2
	for n > max(ownAhead*arrived, minBuffer) {
		n = n/ownAhead + 1
	}
	return n
}

// Keep returns an argument of the command that Next has returned last, in
// memory that the caller may keep: a copy, or itself, where it has memory of its
// own. Nobody may change it then.
func (r *Reader) Keep(arg []byte) []byte {
	if len(arg) >= r.ownFrom {
		for _, b := range r.owns {
			if &b[0] == &arg[0] {
				return b
			}
		}
	}
	return bytes.Clone(arg)
}

// length parses the line at pos, a byte for its kind and a number, and moves
// pos behind it. It reports false when the line is incomplete, or with a
// ProtocolError: long for a line without end, bad for one that is no number.
func (r *Reader) length(long, bad ProtocolError) (int64, bool, error) {
	// Nearly always the line is complete and holds a few digits.
	b := r.buf[r.pos:]
	n, i := int64(0), 1
	for ; i < len(b) && i <= 10; i++ {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		n = n*10 + int64(d)
	}
	if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' && (i == 2 || i > 2 && b[1] != '0') {
		r.pos += i + 2
		return n, true, nil
	}

	from := max(r.scan, r.pos)
	cr := len(r.buf)
	if i = bytes.IndexByte(r.buf[from:], '\r'); i >= 0 {
		cr = from + i
	}
	if cr-r.pos > r.lim.MaxInline {
		return 0, false, long
	}
	r.scan = cr
	if cr+1 >= len(r.buf) {
		return 0, false, nil
	}
	n, ok := ParseInt(r.buf[r.pos+1 : cr])
	if !ok || r.buf[cr+1] != '\n' {
		return 0, false, bad
	}
	r.pos = cr + 2
	return n, true, nil
}

// line returns the inline command at pos without its line end, which is LF or
// CRLF, and moves pos behind it. It reports false when the line is incomplete,
// or with an error.
func (r *Reader) line() ([]byte, bool, error) {
	from := max(r.scan, r.pos)
	lf := len(r.buf)
	if i := bytes.IndexByte(r.buf[from:], '\n'); i >= 0 {
		lf = from + i
	}
	r.scan = lf
	if lf-r.pos > r.lim.MaxInline {
		return nil, false, ProtocolError("too big inline request")
	}
	if lf == len(r.buf) {
		return nil, false, nil
	}
	line := bytes.TrimSuffix(r.buf[r.pos:lf], []byte{'\r'})
	r.pos = lf + 1
	return line, true, nil
}

// Fill reads once and adds what came to the buffer. It invalidates what Next
// returned. The error is that of the underlying reader, and parsing may go on
// after one that is temporary; or ErrQueryLimit, or the error of Next.
func (r *Reader) Fill() error {
	if r.err != nil {
		return r.err
	}
	if err := r.readErr; err != nil {
		r.readErr = nil
		return err
	}
	r.rewind()
	into := &r.buf
	if r.own != nil {
		into = &r.own
	}
	if err := r.makeRoom(); err != nil {
		return err
	}
	for range maxEmptyReads {
		b := *into
		n, err := r.rd.Read(b[len(b):cap(b)])
		*into = b[:len(b)+n]
		if n > 0 {
			r.full = len(r.buf) == cap(r.buf)
			r.readErr = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Lend gives the reader memory to read into until Return, which others use in
// turn: most commands are gone by then. It invalidates what Next returned.
func (r *Reader) Lend(b []byte) {
	n := r.Buffered()
	if r.err != nil || r.borrowed || n > cap(b)/2 { // a large command goes on in memory of its own
		return
	}
	r.spare = r.buf[:0]
	r.move(b[:n])
	r.borrowed = true
}

// Return ends Lend: what is left in the memory lent moves to the reader's own.
// It invalidates what Next returned.
func (r *Reader) Return() {
	r.rewind()
	if !r.borrowed {
		return
	}
	n := r.Buffered()
	if n > cap(r.spare) {
		r.spare = make([]byte, 0, max(n, minBuffer))
	} else if n == 0 && cap(r.spare) > minBuffer {
		r.spare = nil
	}
	r.move(r.spare[:n])
	r.spare, r.borrowed = nil, false
}

// makeRoom moves, grows or shrinks the buffer so that a read finds room. It
// grows only when more than half of it is in use, so its size follows the bytes
// that came and not the length that was announced; and every move is paid for
// by bytes read since the last one, so parsing stays linear.
func (r *Reader) makeRoom() error {
	used, size := len(r.buf)-r.start, cap(r.buf)
	if r.own != nil {
		if r.incomplete() >= r.lim.MaxQuery {
			return ErrQueryLimit
		}
		if len(r.own) == cap(r.own) {
			r.begin(r.own)
		}
		return nil
	}
	need := used + 1
	if r.bulk >= 0 {
		need = r.pos - r.start + r.bulk + 2
	}
	switch {
	case used == 0:
		if !r.borrowed {
			size = r.keep()
		}
		r.buf, r.start, r.pos, r.scan = r.buf[:0], 0, 0, 0
	case r.incomplete() >= r.lim.MaxQuery:
		return ErrQueryLimit
	case size > dropBuffer && need <= size/8: // a large command came before
		size = max(2*need, pipeBuffer)
	case used > size/2 && r.bulk < 0:
		size *= 2
	case used > size/2 && need > size:
		if size = min(2*size, need+minRead); r.bulk < cap(r.buf)/8 {
			// A command of many small arguments would need a few bytes more, and
			// a copy of everything, at each read.
			size = 2 * cap(r.buf)
		}
	}
	if r.full && size < pipeBuffer {
		size *= 2
	}
	r.full = false
	size = max(size, minBuffer)
	switch room := cap(r.buf) - len(r.buf); {
	case size != cap(r.buf):
		r.move(make([]byte, used, size))
		r.borrowed = false
		clear(r.args[:cap(r.args)]) // they hold the old buffer alive
	case r.start > 0 && (room < minRead || r.start+need > size):
		r.move(r.buf[:used])
	}
	return nil
}

// incomplete is what the command being read takes.
func (r *Reader) incomplete() int64 {
	n := r.Buffered() + len(r.own) + len(r.argv)*argOverhead
	for _, b := range r.owns {
		n += len(b)
	}
	return int64(n)
}

// keep returns how large an empty buffer is to be.
func (r *Reader) keep() int {
	size := cap(r.buf)
	switch {
	case size > dropBuffer:
		r.idle, r.argv, r.args = 0, nil, nil
		return minBuffer
	case size <= minBuffer || len(r.buf) > size/8:
		r.idle = 0
		return size
	}
	if r.idle++; r.idle < shrinkAfter {
		return size
	}
	r.idle = 0
	if cap(r.argv) > keepArgs {
		r.argv, r.args = nil, nil
	}
	return size / 2
}

// move copies what is in use to the front of dst, which may be the same memory.
func (r *Reader) move(dst []byte) {
	copy(dst, r.buf[r.start:])
	for i := range r.argv {
		if r.argv[i].off >= 0 {
			r.argv[i].off -= r.start
			r.argv[i].end -= r.start
		}
	}
	for i := range r.ready {
		r.ready[i].end -= r.start
	}
	r.pos -= r.start
	r.scan -= r.start
	r.start = 0
	r.buf = dst
}
