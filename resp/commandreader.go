package resp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

// CommandReader reads commands as Redis writes them to its logs and to replicas:
// whole, from somebody who is believed to mean well, and counts their bytes. It
// believes no length. What clients send is for [Reader].
type CommandReader struct {
	src  *bufio.Reader
	n    int64
	keep bool
	raw  []byte // what was read, the arguments of the last command among it
	ends []int  // where each argument begins and ends there
	args [][]byte
}

// NewCommandReader makes a reader of what src has.
func NewCommandReader(src *bufio.Reader) *CommandReader { return &CommandReader{src: src} }

// Offset is how many bytes have been read.
func (r *CommandReader) Offset() int64 { return r.n }

// Keep has Raw tell what is read from now on.
func (r *CommandReader) Keep() { r.keep = true }

// Raw is what has been read since the last Forget, byte by byte, for who has said Keep. It is valid until
// the next command is read.
func (r *CommandReader) Raw() []byte { return r.raw }

// Forget empties Raw.
func (r *CommandReader) Forget() {
	if cap(r.raw) > keptRaw {
		r.raw = nil
	}
	r.raw = r.raw[:0]
}

// keptRaw and keptArgs are the largest buffers that are kept for the next commands.
const (
	keptRaw  = 64 << 10
	keptArgs = 1024
)

// took notes bytes that have been read.
func (r *CommandReader) took(b ...byte) {
	r.n += int64(len(b))
	r.raw = append(r.raw, b...)
}

// Buffered is how many bytes can be read without waiting.
func (r *CommandReader) Buffered() int { return r.src.Buffered() }

// What a command of a log may have.
const (
	maxArgs      = 1 << 20
	maxArg       = 512 << 20
	argStep      = 1 << 20
	maxCountLine = 64 // of a count or a length
)

// ErrNoCommand is what Next returns where something else stands.
var ErrNoCommand = errors.New("neither a command nor a note stands there")

// Next returns a command, which is valid until the next one is read, or Forget is called: io.EOF at the end, and
// io.ErrUnexpectedEOF in the middle of one.
func (r *CommandReader) Next() ([][]byte, error) {
	if !r.keep {
		r.Forget()
	}
	for {
		c, err := r.src.ReadByte()
		if err != nil {
			return nil, err
		}
		r.took(c)
		switch c {
		case '#': // a note, of the time for one
			if err := r.skipLine(); err != nil {
				return nil, err
			}
		case '\r', '\n': // a master that has nothing to say
		case '*':
			return r.command()
		default:
			return nil, ErrNoCommand
		}
	}
}

func (r *CommandReader) skipLine() error {
	for {
		b, err := r.src.ReadSlice('\n')
		r.took(b...)
		switch err {
		case nil:
			return nil
		case bufio.ErrBufferFull:
		default:
			return middle(err)
		}
	}
}

// middle is the error of a reader that stands in the middle of something.
func middle(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// number reads a number up to the end of its line.
func (r *CommandReader) number(most int64) (int64, error) {
	b, err := r.src.ReadSlice('\n')
	r.took(b...)
	if len(b) > maxCountLine {
		return 0, ErrNoCommand
	}
	if err != nil {
		return 0, middle(err)
	}
	b = bytes.TrimSuffix(b[:len(b)-1], []byte{'\r'})
	n, ok := ParseInt(b)
	if !ok || n < 0 || n > most {
		return 0, ErrNoCommand
	}
	return n, nil
}

func (r *CommandReader) command() ([][]byte, error) {
	n, err := r.number(maxArgs)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, ErrNoCommand
	}
	r.ends = r.ends[:0]
	for range n {
		c, err := r.src.ReadByte()
		if err != nil {
			return nil, middle(err)
		}
		r.took(c)
		if c != '$' {
			return nil, ErrNoCommand
		}
		size, err := r.number(maxArg)
		if err != nil {
			return nil, err
		}
		from := len(r.raw)
		for todo := int(size) + 2; todo > 0; {
			k, at := min(todo, argStep), len(r.raw)
			r.raw = slices.Grow(r.raw, k)[:at+k]
			got, err := io.ReadFull(r.src, r.raw[at:])
			r.raw, r.n = r.raw[:at+got], r.n+int64(got)
			if err != nil {
				return nil, middle(err)
			}
			todo -= k
		}
		end := from + int(size)
		if r.raw[end] != '\r' || r.raw[end+1] != '\n' {
			return nil, ErrNoCommand
		}
		r.ends = append(r.ends, from, end)
	}
	// Only now: what is read may have moved what was read before.
	if cap(r.args) > keptArgs {
		r.args = nil
	}
	r.args = r.args[:0]
	for i := 0; i < len(r.ends); i += 2 {
		r.args = append(r.args, r.raw[r.ends[i]:r.ends[i+1]:r.ends[i+1]])
	}
	if cap(r.ends) > 2*keptArgs {
		r.ends = nil
	}
	return r.args, nil
}

// CommandSize is how many bytes a command takes on the wire.
func CommandSize(args [][]byte) int {
	n := countSize(len(args))
	for _, a := range args {
		n += countSize(len(a)) + len(a) + 2
	}
	return n
}

// countSize is the length of a count with its sign and the end of its line.
func countSize(n int) int {
	size := len("$0\r\n")
	for ; n >= 10; n /= 10 {
		size++
	}
	return size
}
