package args

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

	"github.com/nearcache/nearcache/resp"
)

// Parser reads the arguments of one command, from left to right. A Parser is
// reused by Reset; it is not safe for concurrent use.
type Parser struct {
	argv [][]byte
	pos  int
	err  error
}

// Reset starts over with argv, whose first element is the command's name and is
// skipped.
func (p *Parser) Reset(argv [][]byte) {
	*p = Parser{argv: argv, pos: min(1, len(argv))}
}

// More reports whether arguments are left and nothing has failed.
func (p *Parser) More() bool { return p.err == nil && p.pos < len(p.argv) }

// Len returns the number of arguments left; none after an error.
func (p *Parser) Len() int {
	if p.err != nil {
		return 0
	}
	return len(p.argv) - p.pos
}

// Name is the command's name, or its subcommand's, as the client has written it.
func (p *Parser) Name() []byte {
	if len(p.argv) == 0 {
		return nil
	}
	return p.argv[0]
}

// Position is the place of the next argument in the command; the name's is 0.
func (p *Parser) Position() int { return p.pos }

// Peek returns the next argument without consuming it, or nil when there is
// none. Unlike a read it does not fail.
func (p *Parser) Peek() []byte {
	if !p.More() {
		return nil
	}
	return p.argv[p.pos]
}

// Bytes consumes an argument. The slice belongs to the command's buffer: it is
// valid while the command runs and must be copied to be kept. When nothing is
// left it fails with resp.ErrSyntax.
func (p *Parser) Bytes() []byte {
	if p.err != nil {
		return nil
	}
	if p.pos >= len(p.argv) {
		p.err = resp.ErrSyntax
		return nil
	}
	p.pos++
	return p.argv[p.pos-1]
}

// String consumes an argument and returns a copy.
func (p *Parser) String() string { return string(p.Bytes()) }

// Int consumes a signed 64-bit integer, or fails with resp.ErrNotInt.
func (p *Parser) Int() int64 {
	b := p.Bytes()
	if p.err != nil {
		return 0
	}
	n, ok := resp.ParseInt(b)
	if !ok {
		p.err = resp.ErrNotInt
	}
	return n
}

// Uint consumes an unsigned 64-bit integer, or fails with resp.ErrNotInt.
func (p *Parser) Uint() uint64 {
	b := p.Bytes()
	if p.err != nil {
		return 0
	}
	n, ok := resp.ParseUint(b)
	if !ok {
		p.err = resp.ErrNotInt
	}
	return n
}

// Float consumes a floating-point number, or fails with resp.ErrNotFloat. It may
// be infinite, never NaN.
func (p *Parser) Float() float64 {
	b := p.Bytes()
	if p.err != nil {
		return 0
	}
	f, ok := ParseFloat(b)
	if !ok {
		p.err = resp.ErrNotFloat
	}
	return f
}

// Accept consumes the next argument if it is word, in any mixture of cases, and
// reports whether it did.
func (p *Parser) Accept(word string) bool {
	if !p.More() || !EqualFold(p.argv[p.pos], word) {
		return false
	}
	p.pos++
	return true
}

// Rest consumes all arguments that are left. Ownership is that of Bytes.
func (p *Parser) Rest() [][]byte {
	if p.err != nil {
		return nil
	}
	rest := p.argv[p.pos:]
	p.pos = len(p.argv)
	return rest
}

// Fail records err, unless an error is recorded already or err is nil.
func (p *Parser) Fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// Done fails with resp.ErrSyntax when arguments are left.
func (p *Parser) Done() {
	if p.More() {
		p.err = resp.ErrSyntax
	}
}

// Err returns the first error.
func (p *Parser) Err() error { return p.err }

// EqualFold reports whether b and s are equal but for the case of ASCII letters.
func EqualFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if d := s[i]; c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// ParseFloat reads a floating-point number as Redis does, which takes what
// strtod of C takes, hexadecimal and infinity included, but neither NaN, nor
// spaces around it, nor what is too large or too small for a float64.
func ParseFloat(b []byte) (float64, bool) {
	if len(b) == 0 || bytes.IndexByte(b, '_') >= 0 { // Go takes 0x_1p0
		return 0, false
	}
	hex := bytes.IndexByte(b, 'x') >= 0 || bytes.IndexByte(b, 'X') >= 0
	var text [64]byte
	if hex && len(b) < len(text)-2 && bytes.IndexByte(b, 'p') < 0 && bytes.IndexByte(b, 'P') < 0 {
		b = append(append(text[:0], b...), "p0"...) // which C lets out and Go wants
	}
	f, err := strconv.ParseFloat(unsafe.String(&b[0], len(b)), 64)
	if err != nil || math.IsNaN(f) || f == 0 && underflows(b, hex) {
		return 0, false
	}
	return f, true
}

// underflows reports whether b, which was read as zero, is the text of another
// number.
func underflows(b []byte, hex bool) bool {
	for _, c := range b {
		switch {
		case '1' <= c && c <= '9', hex && 'a' <= c|0x20 && c|0x20 <= 'f':
			return true
		case c|0x20 == 'e', c|0x20 == 'p':
			return false
		}
	}
	return false
}
