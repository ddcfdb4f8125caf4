package resptest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says what a [Value] is. Most kinds are the RESP type byte itself.
type Kind byte

// The kinds of a reply.
const (
	Status    Kind = '+'
	Error     Kind = '-'
	Int       Kind = ':'
	Bulk      Kind = '$'
	Array     Kind = '*'
	Null      Kind = '_' // also RESP2's $-1
	Double    Kind = ','
	Bool      Kind = '#'
	BigNumber Kind = '('
	BlobError Kind = '!'
	Verbatim  Kind = '='
	Map       Kind = '%'
	Set       Kind = '~'
	Push      Kind = '>'
	Attr      Kind = '|'

	NullArray Kind = 'n' // RESP2's *-1
	NullBulk  Kind = 'b' // $-1 where RESP3 wants _
	Closed    Kind = 'c' // the server closed the connection
	TimedOut  Kind = 't' // no reply within [Timeout]
	Any       Kind = 'a' // in transcripts: matches every value
	Missing   Kind = 'm' // in transcripts: not filled in yet, matches none
)

var names = map[Kind]string{
	Error: "error", Int: "int", Array: "array", Null: "null", Double: "double",
	Bool: "bool", BigNumber: "big", BlobError: "bloberror", Map: "map", Set: "set",
	Push: "push", Attr: "attr", NullArray: "null array", NullBulk: "null bulk",
	Closed: "closed", TimedOut: "timeout", Any: "any", Missing: "missing", Verbatim: "verbatim", Status: "status",
}

// Value is one reply, or the pattern of one as it stands in a transcript.
// A Map holds its keys and values alternately in Elems; an Attr holds its pairs
// and, last, the value that they are about.
type Value struct {
	Kind  Kind
	Text  string // of a Verbatim: "txt:" and the text
	Elems []Value

	pattern  *regexp.Regexp // matches Text when set
	wildcard bool           // matches every value of the Kind
	low      int64          // matches an Int from low to high when high is set
	high     int64
}

var errProtocol = errors.New("not a RESP reply")

// maxNesting is deeper than any reply of a server goes.
const maxNesting = 32

// ReadValue reads one reply. The protocol version decides only what $-1 is:
// Null in RESP2, NullBulk (a mistake of the server) in RESP3.
func ReadValue(r *bufio.Reader, proto int) (Value, error) {
	return readValue(r, proto, 0)
}

func readValue(r *bufio.Reader, proto, depth int) (Value, error) {
	if depth > maxNesting {
		return Value{}, fmt.Errorf("%w: nested too deep", errProtocol)
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return Value{}, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return Value{}, fmt.Errorf("%w: line %q", errProtocol, line)
	}
	kind, line := Kind(line[0]), line[1:len(line)-2]
	switch kind {
	case Status, Error:
		return Value{Kind: kind, Text: line}, nil
	case Double:
		if _, err := strconv.ParseFloat(line, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return Value{}, fmt.Errorf("%w: double %q", errProtocol, line)
		}
		return Value{Kind: kind, Text: line}, nil
	case BigNumber:
		if digits := strings.TrimPrefix(line, "-"); digits == "" || strings.Trim(digits, "0123456789") != "" {
			return Value{}, fmt.Errorf("%w: big number %q", errProtocol, line)
		}
		return Value{Kind: kind, Text: line}, nil
	case Int:
		if _, err := strconv.ParseInt(line, 10, 64); err != nil {
			return Value{}, fmt.Errorf("%w: integer %q", errProtocol, line)
		}
		return Value{Kind: Int, Text: line}, nil
	case Null:
		if line != "" {
			return Value{}, fmt.Errorf("%w: null %q", errProtocol, line)
		}
		return Value{Kind: Null}, nil
	case Bool:
		if line != "t" && line != "f" {
			return Value{}, fmt.Errorf("%w: bool %q", errProtocol, line)
		}
		return Value{Kind: Bool, Text: line}, nil
	}
	n, err := strconv.Atoi(line)
	if err != nil || n < -1 || n > 512<<20 {
		return Value{}, fmt.Errorf("%w: length %q of %q", errProtocol, line, kind)
	}
	switch kind {
	case Bulk, BlobError, Verbatim:
		if n == -1 && kind == Bulk {
			if proto == 3 {
				return Value{Kind: NullBulk}, nil
			}
			return Value{Kind: Null}, nil
		}
		if n < 0 {
			return Value{}, fmt.Errorf("%w: length %d", errProtocol, n)
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return Value{}, err
		}
		if b[n] != '\r' || b[n+1] != '\n' {
			return Value{}, fmt.Errorf("%w: bulk of %d bytes does not end in CR LF", errProtocol, n)
		}
		if kind == Verbatim && (n < 4 || b[3] != ':') {
			return Value{}, fmt.Errorf("%w: verbatim %q", errProtocol, b)
		}
		return Value{Kind: kind, Text: string(b[:n])}, nil
	case Array, Set, Push, Map, Attr:
		if n == -1 && kind == Array {
			return Value{Kind: NullArray}, nil
		}
		if n < 0 {
			return Value{}, fmt.Errorf("%w: length %d", errProtocol, n)
		}
		if kind == Map || kind == Attr {
			n *= 2
		}
		if kind == Attr {
			n++
		}
		v := Value{Kind: kind}
		for range n {
			e, err := readValue(r, proto, depth+1)
			if err != nil {
				return Value{}, err
			}
			v.Elems = append(v.Elems, e)
		}
		return v, nil
	}
	return Value{}, fmt.Errorf("%w: type %q", errProtocol, kind)
}

// IsError says whether v is an error reply.
func (v Value) IsError() bool { return v.Kind == Error || v.Kind == BlobError }

// Lower returns what a RESP3 reply is in RESP2: a map becomes a flat array, a
// double a bulk string, and so on.
func (v Value) Lower() Value {
	switch v.Kind {
	case Map, Set, Push, Array:
		w := Value{Kind: Array}
		for _, e := range v.Elems {
			w.Elems = append(w.Elems, e.Lower())
		}
		return w
	case Attr:
		return v.Elems[len(v.Elems)-1].Lower()
	case Double, BigNumber:
		v.Kind = Bulk
	case Verbatim:
		v.Kind = Bulk
		if len(v.Text) >= 4 {
			v.Text = v.Text[4:]
		}
	case Bool:
		v.Kind = Int
		if v.Text == "t" {
			v.Text = "1"
		} else {
			v.Text = "0"
		}
	case BlobError:
		v.Kind = Error
	}
	return v
}

// Match says whether got is what the pattern v asks for.
func (v Value) Match(got Value) bool {
	switch {
	case v.Kind == Any:
		return true
	case v.Kind != got.Kind:
		return false
	case v.wildcard:
		return true
	case v.high != 0:
		n, err := strconv.ParseInt(got.Text, 10, 64)
		return err == nil && v.low <= n && n <= v.high
	case v.pattern != nil:
		text := got.Text
		if v.Kind == Verbatim {
			if text[:4] != v.Text[:4] {
				return false
			}
			text = text[4:]
		}
		return v.pattern.MatchString(text)
	case v.Text != got.Text || len(v.Elems) != len(got.Elems):
		return false
	}
	for i := range v.Elems {
		if !v.Elems[i].Match(got.Elems[i]) {
			return false
		}
	}
	return true
}

// Sorted returns v with every set, map and array of scalars in order, so that
// replies whose order is not promised can be compared. With pairs, arrays are
// taken as alternating fields and values.
func (v Value) Sorted(pairs bool) Value {
	by := func(a, b Value) int { return strings.Compare(a.String(), b.String()) }
	switch v.Kind {
	case Map:
		v.Elems = sortedPairs(v.Elems)
	case Set:
		v.Elems = slices.SortedStableFunc(slices.Values(v.Elems), by)
	case Array, Push:
		elems := slices.Clone(v.Elems)
		flat := !slices.ContainsFunc(elems, func(e Value) bool { return len(e.Elems) > 0 })
		couples := pairs && len(elems) > 0 &&
			!slices.ContainsFunc(elems, func(e Value) bool { return len(e.Elems) != 2 })
		switch {
		case couples, flat && !pairs:
			slices.SortStableFunc(elems, by)
		case flat && len(elems)%2 == 0:
			elems = sortedPairs(elems)
		default:
			for i := range elems {
				elems[i] = elems[i].Sorted(pairs)
			}
		}
		v.Elems = elems
	}
	return v
}

func sortedPairs(flat []Value) []Value {
	var out []Value
	pairs := slices.Collect(slices.Chunk(slices.Clone(flat), 2))
	slices.SortStableFunc(pairs, func(a, b []Value) int {
		return strings.Compare(a[0].String(), b[0].String())
	})
	for _, p := range pairs {
		out = append(out, p...)
	}
	return out
}

// lineWidth is how long an aggregate on one line may be.
const lineWidth = 110

// String writes v as transcripts hold it.
func (v Value) String() string { return v.format("", true) }

func (v Value) format(indent string, top bool) string {
	switch v.Kind {
	case Null, NullArray, NullBulk, Closed, TimedOut, Any, Missing:
		return "(" + names[v.Kind] + ")"
	case Bulk:
		return v.quoted()
	case Status:
		if v.pattern == nil && isWord(v.Text) {
			return v.Text
		}
		return "(status) " + v.quoted()
	case Error:
		if v.pattern == nil && top && isLine(v.Text) {
			return "(error) " + v.Text
		}
		return "(error) " + v.quoted()
	case Int, Double, BigNumber:
		text := v.Text
		switch {
		case v.wildcard:
			text = "~"
		case v.high != 0:
			text = fmt.Sprintf("%d..%d", v.low, v.high)
		}
		return "(" + names[v.Kind] + ") " + text
	case Bool:
		return "(bool) " + map[string]string{"t": "true", "f": "false"}[v.Text]
	case BlobError:
		return "(bloberror) " + v.quoted()
	case Verbatim:
		format, w := v.Text, v
		if len(format) >= 4 {
			format, w.Text = v.Text[:3], v.Text[4:]
		}
		return "(verbatim " + format + ") " + w.quoted()
	}

	open, end := "[", "]"
	if v.Kind == Map || v.Kind == Attr {
		open, end = "{", "}"
	}
	name := "(" + names[v.Kind] + ") "
	if line := name + open + v.joined("", ", ", "") + end; len(indent)+len(line) <= lineWidth {
		return line
	}
	inner := indent + "  "
	return name + open + "\n" + inner + v.joined(inner, ",\n"+inner, inner) + "\n" + indent + end
}

func (v Value) joined(indent, separator, _ string) string {
	var parts []string
	paired := v.Kind == Map || v.Kind == Attr
	for i := 0; i < len(v.Elems); i++ {
		text := v.Elems[i].format(indent, false)
		if paired && i+1 < len(v.Elems) {
			text += ": " + v.Elems[i+1].format(indent, false)
			i++
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, separator)
}

func (v Value) quoted() string {
	switch {
	case v.pattern != nil:
		return "~`" + v.Text + "`"
	case v.wildcard:
		return "~"
	}
	return quote(v.Text)
}

// quote writes s as a Go-like string in which bytes that are no printable text
// stand as \xNN, and a long repetition of one byte as rep(x,n).
func quote(s string) string {
	if len(s) >= 48 && isWord(s[:1]) && strings.Count(s, s[:1]) == len(s) {
		return fmt.Sprintf("rep(%s,%d)", s[:1], len(s))
	}
	var b strings.Builder
	b.WriteByte('"')
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError && n == 1, !unicode.IsPrint(r):
			for i := range n {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		default:
			b.WriteRune(r)
		}
		s = s[n:]
	}
	b.WriteByte('"')
	return b.String()
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r > 127 || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}

// isLine says whether s can stand unquoted to the end of its line.
func isLine(s string) bool {
	return s != "" && s == strings.TrimSpace(s) && s[0] != '"' && s[0] != '~' &&
		utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
