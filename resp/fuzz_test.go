package resp

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/tidwall/redcon"
)

// However the bytes are cut, the commands and the error are the same.
func FuzzReader(f *testing.F) {
	for _, c := range badInput {
		f.Add([]byte(c.in[:min(len(c.in), 200)]), uint64(len(c.in)), c.limits.Unauthenticated)
	}
	f.Add(append(command("SET", "key", "value"), command("GET", "key")...), uint64(3), false)
	f.Add([]byte("set 'a b' \"\\x41\\n\"\r\n*1\r\n$0\r\n\r\n"), uint64(0x0102030405060708), true)
	f.Fuzz(func(t *testing.T, in []byte, cuts uint64, unauthenticated bool) {
		l := Limits{MaxBulk: 1000, MaxArgs: 100, MaxInline: 200, Unauthenticated: unauthenticated}
		whole, wantErr := readAll(in, len(in)+1, l)
		for _, c := range whole {
			if len(c) == 0 || len(c) > 100 {
				t.Fatalf("a command of %d arguments", len(c))
			}
			for _, a := range c {
				if len(a) > 1000 {
					t.Fatalf("an argument of %d bytes", len(a))
				}
			}
		}
		for _, size := range []int{1, int(cuts%7) + 1, int(cuts%97) + 1} {
			got, err := readAll(in, size, l)
			if !equalCommands(got, whole) {
				t.Fatalf("pieces of %d: %q, whole: %q", size, got, whole)
			}
			if err != wantErr {
				t.Fatalf("pieces of %d: %v, whole: %v", size, err, wantErr)
			}
			// The same with memory that is lent, and long arguments in their own.
			r := NewReader(&pieces{b: in, size: size}, l)
			r.ownFrom = int(cuts%61) + 1
			got, err = readAllBy(r, make([]byte, int(cuts%401)+1))
			if !equalCommands(got, whole) || err != wantErr {
				t.Fatalf("lent memory, pieces of %d: %q, %v, whole: %q, %v", size, got, err, whole, wantErr)
			}
			// And with a look ahead, which is as Next sees it then.
			r = NewReader(&pieces{b: in, size: size}, l)
			r.ownFrom = int(cuts%61) + 1
			got, err = readAhead(t, r, make([]byte, int(cuts%401)+1), int(cuts%5))
			if !equalCommands(got, whole) || err != wantErr {
				t.Fatalf("ahead, pieces of %d: %q, %v, whole: %q, %v", size, got, err, whole, wantErr)
			}
		}
	})
}

// readAhead is readAllBy with a look at the next n commands before each. Now
// and then it gives the memory back before it has taken them.
func readAhead(t *testing.T, r *Reader, lent []byte, n int) (cmds [][]string, err error) {
	for turn := 0; ; turn++ {
		var want [][]string
		for i := range r.Ahead(n) {
			var c []string
			for k := range r.Args(i) {
				c = append(c, string(r.Arg(i, k)))
			}
			want = append(want, c)
		}
		if turn%3 == 0 {
			r.Return()
			clear(lent)
			r.Lend(lent)
		}
		for taken := 0; ; taken++ {
			args, err := r.Next()
			if err != nil {
				return cmds, err
			}
			if args == nil {
				if taken < len(want) {
					t.Fatalf("%q were ahead, and %d came", want, taken)
				}
				break
			}
			c := make([]string, len(args))
			for i, a := range args {
				c[i] = string(a)
			}
			if taken < len(want) && !slices.Equal(c, want[taken]) {
				t.Fatalf("%q was ahead, and %q came", want[taken], c)
			}
			cmds = append(cmds, c)
			if turn%2 == 0 && taken+1 == len(want) {
				break
			}
		}
		if r.Ahead(1) > 0 {
			continue
		}
		if args, err := r.Next(); err != nil {
			return cmds, err
		} else if args != nil {
			c := make([]string, len(args))
			for i, a := range args {
				c[i] = string(a)
			}
			cmds = append(cmds, c)
			continue
		}
		if err := r.Fill(); err == io.EOF {
			return cmds, nil
		} else if err != nil {
			return cmds, err
		}
	}
}

// redcon is a second opinion on what is well formed.
func FuzzReaderAgainstRedcon(f *testing.F) {
	f.Add([]byte("SET\x00key\x00value\x01GET\x00key"), uint8(1))
	f.Add([]byte("\x00\x00\x01\r\n\x00$1\r\n"), uint8(5))
	f.Add([]byte(strings.Repeat("a", 300)+"\x01"+strings.Repeat("b\x00", 30)), uint8(64))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		var in []byte
		for c := range bytes.SplitSeq(data, []byte{1}) {
			var words []string
			for w := range bytes.SplitSeq(c, []byte{0}) {
				words = append(words, string(w))
			}
			in = append(in, command(words...)...)
		}
		var want [][]string
		for rest := slices.Clone(in); len(rest) > 0; {
			complete, args, _, left, err := redcon.ReadNextCommand(rest, nil)
			if err != nil || !complete {
				t.Fatalf("redcon: complete %v, %v", complete, err)
			}
			c := make([]string, len(args))
			for i, a := range args {
				c[i] = string(a)
			}
			want = append(want, c)
			rest = left
		}
		got, err := readAll(in, int(size)+1, Limits{})
		if err != nil || !equalCommands(got, want) {
			t.Fatalf("%q: %q, %v, redcon: %q", in, got, err, want)
		}
	})
}

// quote writes a word so that SplitArgs reads it back, in one of three ways.
func quote(b []byte, word string, how int) []byte {
	plain := word != "" && !strings.ContainsAny(word, "\x00\"' \t\n\r\v\f\\")
	single := !strings.ContainsAny(word, "\x00\\'")
	switch {
	case how == 0 && plain:
		return append(b, word...)
	case how <= 1 && single:
		return append(append(append(b, '\''), word...), '\'')
	}
	b = append(b, '"')
	for i, c := range []byte(word) {
		switch {
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\a':
			b = append(b, `\a`...)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || i%5 == 4:
			b = append(b, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789ABCDEF"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func FuzzInline(f *testing.F) {
	for _, c := range badInput {
		if len(c.in) < 200 {
			f.Add([]byte(c.in), uint8(0))
		}
	}
	f.Add([]byte(`set "a\x41\n" 'it''s' a"b c" ""`), uint8(1))
	f.Add([]byte("\"\\\"\\x4\\xZZ\" '\\'' \\ \v\f\x00 x"), uint8(2))
	f.Fuzz(func(t *testing.T, line []byte, how uint8) {
		kept := slices.Clone(line)
		words, ok := SplitArgs(nil, slices.Clone(line))
		total := 0
		for _, w := range words {
			total += len(w)
		}
		if total > len(line) {
			t.Fatalf("%q became the longer %q", line, words)
		}
		if !ok {
			if !bytes.ContainsAny(line, `"'`) {
				t.Fatalf("%q: unbalanced without a quote", line)
			}
			return
		}
		// What was read, written again, reads the same; and so does any input
		// taken for a word.
		var again []byte
		for _, w := range append(words, kept) {
			again = append(quote(again, string(w), int(how%3)), ' ')
		}
		words2, ok := SplitArgs(nil, slices.Clone(again))
		if !ok || !slices.EqualFunc(append(words, kept), words2, bytes.Equal) {
			t.Fatalf("%q reads %q, wrote %q, reads %q, %v", kept, words, again, words2, ok)
		}
		// Without quotes it is what strings.Fields does with ASCII, but for two
		// kinds of space that Redis skips only in front of a word.
		if !bytes.ContainsAny(kept, "\"'\v\f\x00") {
			want := bytes.FieldsFunc(kept, func(r rune) bool { return r < 0x80 && unicode.IsSpace(r) })
			if !slices.EqualFunc(words, want, bytes.Equal) {
				t.Fatalf("%q reads %q, want %q", kept, words, want)
			}
		}
	})
}

func FuzzParseInt(f *testing.F) {
	for _, s := range []string{"0", "-0", "00", "+1", " 1", "1 ", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "99999999999999999999", "", "-", "1e3", "0x10", "1_0", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(checkNumber)
}
