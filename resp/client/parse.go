package client

import (
	"bytes"
	"fmt"
	"strconv"
)

const (
	maxBulk  = 512 << 20 // as a server's proto-max-bulk-len
	maxElems = 1 << 24   // of one array
	maxDepth = 32        // of nested arrays
	maxLine  = 1 << 20   // a header, a status or an error
)

// Scanner finds the end of the first reply in a growing buffer. It looks at
// each byte of the framing once, however the bytes arrive, and never at the
// contents of a bulk string. The zero value is ready.
type Scanner struct {
	pos     int   // what was looked at
	from    int   // how far the line at pos was searched for its end
	pending int64 // replies to find until the first one is complete
}

// Next returns the length of the first reply in b, or 0 when more bytes are
// needed; then b must begin with the same bytes at the next call. An error
// wraps [ErrProtocol].
func (s *Scanner) Next(b []byte) (int, error) {
	if s.pending == 0 {
		s.pos, s.from, s.pending = 0, 0, 1
	}
	for s.pending > 0 {
		if s.pos >= len(b) {
			return 0, nil
		}
		kind, n, next, err := header(b, s.pos, max(s.from, s.pos))
		if err != nil {
			return 0, err
		}
		if next < 0 { // the line is not complete
			s.from = len(b)
			return 0, nil
		}
		switch kind {
		case '$', '=', '!':
			if n >= 0 {
				if len(b)-next < int(n)+2 {
					return 0, nil
				}
				next += int(n)
				if b[next] != '\r' || b[next+1] != '\n' {
					return 0, fmt.Errorf("%w: a bulk string does not end where it should", ErrProtocol)
				}
				next += 2
			}
		case '*', '~', '>':
			s.pending += max(n, 0)
		case '%':
			s.pending += 2 * n
		case '|': // comes before a reply, is none itself
			s.pending += 2*n + 1
		}
		s.pending--
		s.pos = next
	}
	s.pending = 0
	return s.pos, nil
}

// header reads the line at pos: its type, the number in it where it is a
// length or a count, and where the next line begins, or -1. The end of the
// line is searched from from on.
func header(b []byte, pos, from int) (kind byte, n int64, next int, err error) {
	kind = b[pos]
	i := bytes.IndexByte(b[from:], '\n')
	if i < 0 {
		if len(b)-pos > maxLine {
			return kind, 0, 0, fmt.Errorf("%w: a line of more than %d bytes", ErrProtocol, maxLine)
		}
		return kind, 0, -1, nil
	}
	end := from + i
	if end-pos < 2 || b[end-1] != '\r' {
		return kind, 0, 0, fmt.Errorf("%w: a line does not end with CR LF", ErrProtocol)
	}
	line := b[pos+1 : end-1]
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(':
		return kind, 0, end + 1, nil
	case '$', '=', '!':
		n, err = length(line, maxBulk)
	case '*', '~', '>':
		n, err = length(line, maxElems)
	case '%', '|':
		if n, err = length(line, maxElems); n < 0 {
			err = fmt.Errorf("%w: count %q", ErrProtocol, clip(line))
		}
	default:
		err = fmt.Errorf("%w: type %q", ErrProtocol, kind)
	}
	return kind, n, end + 1, err
}

// length reads a length or count up to most; -1 stands for a null.
func length(line []byte, most int64) (int64, error) {
	if len(line) == 2 && line[0] == '-' && line[1] == '1' {
		return -1, nil
	}
	var n int64
	for _, c := range line {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%w: length %q", ErrProtocol, clip(line))
		}
		if n = n*10 + int64(c-'0'); n > most {
			return 0, fmt.Errorf("%w: length %q is over the limit of %d", ErrProtocol, clip(line), most)
		}
	}
	if len(line) == 0 {
		return 0, fmt.Errorf("%w: empty length", ErrProtocol)
	}
	return n, nil
}

func clip(b []byte) []byte { return b[:min(len(b), 32)] }

// Parse reads the first reply in b, which must be complete (see [Scanner]),
// and returns its length. Attributes of RESP3 are skipped.
func Parse(b []byte) (Value, int, error) { return parse(b, 0, 0) }

func parse(b []byte, pos, depth int) (v Value, next int, err error) {
	if depth > maxDepth {
		return v, 0, fmt.Errorf("%w: nested more than %d deep", ErrProtocol, maxDepth)
	}
	if pos >= len(b) {
		return v, 0, fmt.Errorf("%w: incomplete", ErrProtocol)
	}
	kind, n, next, err := header(b, pos, pos)
	if err != nil {
		return v, 0, err
	}
	if next < 0 {
		return v, 0, fmt.Errorf("%w: incomplete", ErrProtocol)
	}
	line := b[pos+1 : next-2]
	v.Kind = Kind(kind)
	switch kind {
	case '+', '-', ',', '(':
		v.Str = string(line)
	case ':':
		if v.Int, err = strconv.ParseInt(string(line), 10, 64); err != nil {
			err = fmt.Errorf("%w: integer %q", ErrProtocol, clip(line))
		}
	case '#':
		if len(line) != 1 || line[0] != 't' && line[0] != 'f' {
			return v, 0, fmt.Errorf("%w: bool %q", ErrProtocol, clip(line))
		}
		if line[0] == 't' {
			v.Int = 1
		}
	case '_':
	case '$', '=', '!':
		if n < 0 {
			v.Kind = Null
			break
		}
		if len(b)-next < int(n)+2 {
			return v, 0, fmt.Errorf("%w: incomplete", ErrProtocol)
		}
		s := b[next : next+int(n)]
		next += int(n) + 2
		if b[next-2] != '\r' || b[next-1] != '\n' {
			return v, 0, fmt.Errorf("%w: a bulk string does not end where it should", ErrProtocol)
		}
		if kind == '=' && len(s) >= 4 && s[3] == ':' {
			s = s[4:]
		}
		if kind == '!' {
			v.Kind = ErrorKind
		}
		v.Str = string(s)
	default:
		if n < 0 {
			v.Kind = Null
			break
		}
		if kind == '%' || kind == '|' {
			n *= 2
		}
		// An element has three bytes at least; no claim takes more than
		// the bytes that are there can fill.
		if n > int64(len(b)-next)/3 {
			return v, 0, fmt.Errorf("%w: incomplete", ErrProtocol)
		}
		v.Elems = make([]Value, n)
		for i := range v.Elems {
			if v.Elems[i], next, err = parse(b, next, depth+1); err != nil {
				return v, 0, err
			}
		}
		if kind == '|' {
			return parse(b, next, depth+1)
		}
	}
	return v, next, err
}
