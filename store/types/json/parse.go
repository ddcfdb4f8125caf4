package json

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Errors of documents.
var (
	// ErrDepth is a document that is nested too deeply.
	ErrDepth = errors.New("json: recursion limit exceeded")
	// ErrTooLarge is a document of more than MaxSize bytes.
	ErrTooLarge = errors.New("json: document is too large")
)

const (
	// MaxDepth is how deeply arrays and objects may lie in each other.
	MaxDepth = 128
	// MaxSize is the largest document in bytes, as it lies in memory.
	MaxSize = 1 << 30

	docHead = wordSize + 4 // root, waste
)

// Doc is a parsed text, or whatever else is to become part of a document. It is
// reused by Parse.
type Doc struct {
	b     []byte
	stack []word // of open arrays and objects
	depth int
}

// Root is the value of the text.
func (d *Doc) Root() Node { return Node{d.b, 0} }

// Size is about how many bytes the value adds to a document.
func (d *Doc) Size() int { return len(d.b) }

// Depth is how deeply arrays and objects lie in each other in it.
func (d *Doc) Depth() int { return d.depth }

// SyntaxError is a text that is no JSON, and where. The words and the place are
// those of serde_json, which RedisJSON uses.
type SyntaxError struct {
	What         string
	Line, Column int
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.What, e.Line, e.Column)
}

const (
	eofList   = "EOF while parsing a list"
	eofObject = "EOF while parsing an object"
	eofString = "EOF while parsing a string"
	eofValue  = "EOF while parsing a value"
	tooDeep   = "recursion limit exceeded"
)

// Parse reads a text, which is valid UTF-8, strictly by RFC 8259. What the Doc
// held before is gone.
func (d *Doc) Parse(text []byte) error {
	d.reset(docHead + len(text))
	p := parser{d: d, text: text}
	w, ok := p.value(0)
	if ok {
		if p.space(); p.at < len(text) {
			ok = p.fail("trailing characters")
		}
	}
	d.stack = d.stack[:0]
	if !ok {
		if p.what == "" {
			return ErrTooLarge
		}
		return p.err()
	}
	putWord(d.b, 0, w)
	d.depth = p.deepest
	return nil
}

func (d *Doc) reset(room int) {
	if cap(d.b) < room {
		d.b = make([]byte, 0, room)
	}
	d.b = d.b[:docHead]
	clear(d.b)
	d.stack, d.depth = d.stack[:0], 0
}

type parser struct {
	d       *Doc
	text    []byte
	at      int
	what    string // went wrong, at
	errorAt int
	deepest int
	scratch []byte
}

// fail says that the next byte is wrong, failed that what was read is.
func (p *parser) fail(what string) bool {
	p.what, p.errorAt = what, min(p.at+1, len(p.text))
	return false
}

func (p *parser) failed(what string) bool {
	p.what, p.errorAt = what, p.at
	return false
}

func (p *parser) err() error {
	before := p.text[:p.errorAt]
	line := bytes.LastIndexByte(before, '\n') + 1
	return &SyntaxError{What: p.what, Line: 1 + bytes.Count(before, []byte{'\n'}), Column: p.errorAt - line}
}

// space skips white space and returns the byte behind it, 0 at the end.
func (p *parser) space() byte {
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		p.at++
	}
	return 0
}

func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (word, bool) {
	c := p.space()
	if p.at == len(p.text) {
		return 0, p.fail(eofValue)
	}
	switch {
	case c == '"':
		p.at++
		return p.stringWord()
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	case c == '{' || c == '[':
		if depth++; depth == MaxDepth { // serde_json's limit counts the level beyond
			return 0, p.fail(tooDeep)
		}
		p.deepest = max(p.deepest, depth)
		p.at++
		if c == '[' {
			return p.array(depth)
		}
		return p.object(depth)
	case c == 'n':
		return wordNull, p.ident("null")
	case c == 't':
		return wordTrue, p.ident("true")
	case c == 'f':
		return wordFalse, p.ident("false")
	}
	return 0, p.fail("expected value")
}

func (p *parser) ident(word string) bool {
	p.at++
	for i := 1; i < len(word); i++ {
		if p.at == len(p.text) {
			return p.failed(eofValue)
		}
		p.at++
		if p.text[p.at-1] != word[i] {
			return p.failed("expected ident")
		}
	}
	return true
}

func (p *parser) array(depth int) (word, bool) {
	d := p.d
	from := len(d.stack)
	for first := true; ; first = false {
		c := p.space()
		switch {
		case p.at == len(p.text):
			return 0, p.fail(eofList)
		case c == ']':
			p.at++
			return d.closeArray(from)
		case first:
		case c != ',':
			return 0, p.fail("expected `,` or `]`")
		default:
			p.at++
			if c = p.space(); c == ']' {
				return 0, p.fail("trailing comma")
			}
		}
		w, ok := p.value(depth)
		if !ok {
			return 0, false
		}
		d.stack = append(d.stack, w)
	}
}

func (p *parser) object(depth int) (word, bool) {
	d := p.d
	from := len(d.stack)
	for first := true; ; first = false {
		c := p.space()
		switch {
		case p.at == len(p.text):
			return 0, p.fail(eofObject)
		case c == '}':
			p.at++
			return d.closeObject(from)
		case first && c != '"':
			return 0, p.fail("key must be a string")
		case first:
		case c != ',':
			return 0, p.fail("expected `,` or `}`")
		default:
			p.at++
			switch c = p.space(); {
			case c == '"':
			case c == '}':
				return 0, p.fail("trailing comma")
			case p.at == len(p.text):
				return 0, p.fail(eofValue)
			default:
				return 0, p.fail("key must be a string")
			}
		}
		p.at++
		key, ok := p.stringWord()
		if !ok {
			return 0, false
		}
		if c = p.space(); c != ':' {
			if p.at == len(p.text) {
				return 0, p.fail(eofObject)
			}
			return 0, p.fail("expected `:`")
		}
		p.at++
		w, ok := p.value(depth)
		if !ok {
			return 0, false
		}
		d.stack = append(d.stack, key, w)
	}
}

// closeArray makes a block of what is on the stack from a place on.
func (d *Doc) closeArray(from int) (word, bool) {
	n := len(d.stack) - from
	block := len(d.b)
	if block+arraySize(n) > MaxSize {
		return 0, false
	}
	d.b = grow(d.b, arraySize(n))
	putUint32(d.b, block, n)
	putUint32(d.b, block+4, n)
	for i, w := range d.stack[from:] {
		putWord(d.b, block+headLen+i*wordSize, w)
	}
	d.stack = d.stack[:from]
	return tagArray<<tagShift | word(block), true
}

// closeObject makes a block of the keys and values on the stack from a place on.
func (d *Doc) closeObject(from int) (word, bool) {
	room := (len(d.stack) - from) / 2
	block := len(d.b)
	if block+objectSize(room) > MaxSize {
		return 0, false
	}
	d.b = grow(d.b, objectSize(room))
	putUint32(d.b, block, 0)
	putUint32(d.b, block+4, room)
	clear(d.b[indexAt(block, room):])
	n := 0
	for i := from; i < len(d.stack); i += 2 {
		at := block + headLen + n*entrySize
		// In its place behind the others, where findKey does not look yet.
		putWord(d.b, at, d.stack[i])
		putWord(d.b, at+wordSize, d.stack[i+1])
		key := stringAt(d.b, at)
		if old := findKey(d.b, block, key); old >= 0 {
			value := block + headLen + old*entrySize + wordSize
			(&Value{b: d.b}).wasted(stringSize(len(key)) + sizeOf(Node{d.b, value}))
			putWord(d.b, value, d.stack[i+1])
			continue
		}
		if room > indexMin {
			indexKey(d.b, block, room, n)
		}
		n++
		putUint32(d.b, block, n)
	}
	d.stack = d.stack[:from]
	return tagObject<<tagShift | word(block), true
}

// grow makes a slice longer. What is new holds anything.
func grow(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	c := make([]byte, len(b)+n, max(64, len(b)+n+(len(b)+n)/4))
	copy(c, b)
	return c
}

// putString makes a word of a string.
func putString(b []byte, s []byte) ([]byte, word) {
	if w, ok := shortWord(s); ok {
		return b, w
	}
	w := tagString<<tagShift | word(len(b))
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...), w
}

// stringSize is what the block of a string takes.
func stringSize(n int) int {
	if n <= shortMax {
		return 0
	}
	size := n + 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// putInt makes a word of an integer.
func putInt(b []byte, n int64) ([]byte, word) {
	if w, ok := smallInt(n); ok {
		return b, w
	}
	w := tagInt64<<tagShift | word(len(b))
	return binary.LittleEndian.AppendUint64(b, uint64(n)), w
}

func putUint(b []byte, n uint64) ([]byte, word) {
	if n <= math.MaxInt64 {
		return putInt(b, int64(n))
	}
	w := tagUint64<<tagShift | word(len(b))
	return binary.LittleEndian.AppendUint64(b, n), w
}

// plain marks the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for c := ' '; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// stringWord reads a string after its first quote.
func (p *parser) stringWord() (word, bool) {
	from := p.at
	for p.at < len(p.text) && plain[p.text[p.at]] {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] == '"' {
		s := p.text[from:p.at]
		p.at++
		var w word
		p.d.b, w = putString(p.d.b, s)
		return w, true
	}
	p.scratch = append(p.scratch[:0], p.text[from:p.at]...)
	for {
		from := p.at
		for p.at < len(p.text) && plain[p.text[p.at]] {
			p.at++
		}
		p.scratch = append(p.scratch, p.text[from:p.at]...)
		if p.at == len(p.text) {
			return 0, p.failed(eofString)
		}
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			var w word
			p.d.b, w = putString(p.d.b, p.scratch)
			return w, true
		case c != '\\':
			return 0, p.failed(`control character (\u0000-\u001F) found while parsing a string`)
		}
		if !p.escape() {
			return 0, false
		}
	}
}

func (p *parser) escape() bool {
	if p.at == len(p.text) {
		return p.failed(eofString)
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return p.unicode()
	default:
		return p.failed("invalid escape")
	}
	p.scratch = append(p.scratch, c)
	return true
}

func (p *parser) unicode() bool {
	r, ok := p.hex()
	if !ok {
		return false
	}
	switch {
	case 0xdc00 <= r && r <= 0xdfff:
		return p.failed("lone leading surrogate in hex escape")
	case 0xd800 <= r && r <= 0xdbff:
		for _, c := range []byte(`\u`) {
			if p.at == len(p.text) {
				return p.failed(eofString)
			}
			if p.at++; p.text[p.at-1] != c {
				return p.failed("unexpected end of hex escape")
			}
		}
		low, ok := p.hex()
		if !ok {
			return false
		}
		if low < 0xdc00 || low > 0xdfff {
			return p.failed("lone leading surrogate in hex escape")
		}
		r = utf16.DecodeRune(r, low)
	}
	p.scratch = utf8.AppendRune(p.scratch, r)
	return true
}

func (p *parser) hex() (rune, bool) {
	if p.at+4 > len(p.text) {
		p.at = len(p.text)
		return 0, p.failed(eofString)
	}
	var r rune
	valid := true
	for _, c := range p.text[p.at : p.at+4] {
		r <<= 4
		switch {
		case '0' <= c && c <= '9':
			r |= rune(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r |= rune(c|0x20-'a') + 10
		default:
			valid = false
		}
	}
	p.at += 4
	if !valid {
		return 0, p.failed("invalid escape")
	}
	return r, true
}

func (p *parser) digits() {
	for '0' <= p.peek() && p.peek() <= '9' {
		p.at++
	}
}

// number reads a number. One without a point and an exponent is an integer if a
// uint64, or an int64, holds it; -0 is not one.
func (p *parser) number() (word, bool) {
	from := p.at
	negative := p.text[p.at] == '-'
	if negative {
		p.at++
	}
	if p.at == len(p.text) {
		return 0, p.failed(eofValue)
	}
	first := p.at
	c := p.text[p.at]
	p.at++
	switch {
	case c == '0':
		if '0' <= p.peek() && p.peek() <= '9' {
			return 0, p.fail("invalid number")
		}
	case '1' <= c && c <= '9':
		p.digits()
	default:
		return 0, p.failed("invalid number")
	}
	integer := true
	last := p.at
	if p.peek() == '.' {
		integer = false
		p.at++
		fraction := p.at
		if p.digits(); p.at == fraction {
			if p.at == len(p.text) {
				return 0, p.fail(eofValue)
			}
			return 0, p.fail("invalid number")
		}
	}
	if p.peek()|0x20 == 'e' {
		integer = false
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if p.at == len(p.text) {
			return 0, p.failed(eofValue)
		}
		p.at++
		if c := p.text[p.at-1]; c < '0' || c > '9' {
			return 0, p.failed("invalid number")
		}
		p.digits()
	}
	if integer {
		if w, ok := p.integer(p.text[first:last], negative); ok {
			return w, true
		}
	}
	text := p.text[from:p.at]
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	if err != nil && math.IsInf(f, 0) {
		return 0, p.failed("number out of range")
	}
	return floatWord(f), true
}

func (p *parser) integer(digits []byte, negative bool) (w word, ok bool) {
	if len(digits) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if n > (math.MaxUint64-uint64(c-'0'))/10 {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	switch {
	case !negative:
		p.d.b, w = putUint(p.d.b, n)
	case n == 0 || n > 1<<63:
		return 0, false
	default:
		p.d.b, w = putInt(p.d.b, -int64(n))
	}
	return w, true
}
