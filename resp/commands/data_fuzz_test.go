package commands

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

// rows lists all rows and their subcommands.
func rows() []*command.Spec {
	var l []*command.Spec
	for _, s := range command.NewTable(All()...).All() {
		if s.Bind.Parse != nil {
			l = append(l, s)
		}
		l = append(l, s.Sub...)
	}
	return l
}

// FuzzParse gives the parse of a row, any row, arguments that have passed its
// arity: it must not panic, must leave nothing unread without an error, and must
// say the same twice.
func FuzzParse(f *testing.F) {
	all := rows()
	add := func(line string) {
		words := strings.Fields(line)
		name := strings.ToLower(words[0])
		for i, s := range all {
			if s.FullName() == name {
				f.Add(uint16(i), strings.Join(words[1:], "\n"))
				return
			}
		}
		f.Fatalf("no row for %s", line)
	}
	add("SET k v EX 10 KEEPTTL NX GET")
	add("SET k v IFEQ a PXAT 99999999999999")
	add("GETEX k PERSIST")
	add("EXPIRE k -9223372036854775808 GT LT")
	add("SCAN 18446744073709551615 MATCH [a- COUNT 1 TYPE x NOVALUES")
	add("HSCAN h +1 MATCH * COUNT 0")
	add("HRANDFIELD h -9223372036854775808 WITHVALUES")
	add("HGETDEL h FIELDS 2 a b")
	add("HSET h f")
	add("MSET a 1 b")
	add("COPY a b DB -1 REPLACE")
	add("object|encoding k")
	add("memory|usage k SAMPLES 5")
	add("client|tracking on REDIRECT 1 PREFIX a BCAST")
	add("client|kill ID 1 ADDR a SKIPME yes")
	add("config|set a b")
	add("JSON.SET k $ [1.5] NX FPHA FP16 FORMAT JSON")
	add("JSON.GET k INDENT x FORMAT EXPAND $.a[?(@.b>1)] .c")
	add("JSON.MSET k $ 1 l .a {}")
	add("JSON.ARRPOP k FORMAT EXPAND1 $ -1")
	f.Fuzz(func(t *testing.T, row uint16, text string) {
		s := all[int(row)%len(all)]
		argv := bytes.Split([]byte(text), []byte("\n"))
		name := bytes.Split([]byte(s.FullName()), []byte("|"))
		full := append(append([][]byte{}, name...), argv...)
		if !s.ArityOK(len(full)) {
			return
		}
		parse := func() error {
			own := make([][]byte, len(argv)+1)
			for i, a := range argv {
				own[i+1] = bytes.Clone(a)
			}
			own[0] = name[len(name)-1]
			var p args.Parser
			p.Reset(own)
			return s.Bind.Parse(&p)
		}
		one, two := parse(), parse()
		if (one == nil) != (two == nil) || one != nil && one.Error() != two.Error() {
			t.Fatalf("%s %q: %v, then %v", s.FullName(), argv, one, two)
		}
		if one != nil && one.Error() == "" {
			t.Fatalf("%s %q: an error without a text", s.FullName(), argv)
		}
		n := 0
		s.Keys.Each(full, func([]byte) { n++ })
		if one == nil && n == 0 && s.Keys.First != 0 {
			t.Fatalf("%s %q: accepted without a key", s.FullName(), argv)
		}
	})
}

// TestRowsAreComplete holds what every row owes to COMMAND and COMMAND DOCS.
func TestRowsAreComplete(t *testing.T) {
	for _, s := range rows() {
		if s.Summary == "" || s.Since == "" || s.Group == "" || s.Arity == 0 {
			t.Errorf("%s: summary %q, since %q, group %q, arity %d", s.FullName(), s.Summary, s.Since, s.Group, s.Arity)
		}
		write, read := s.Flags&command.Write != 0, s.Flags&command.ReadOnly != 0
		if write && read {
			t.Errorf("%s writes and reads only", s.FullName())
		}
		if !s.Keys.None() && s.Flags&command.Keyless != 0 {
			t.Errorf("%s has keys and is keyless", s.FullName())
		}
		if s.FullName() != strings.ToLower(s.FullName()) {
			t.Errorf("%s is not lower case", s.FullName())
		}
	}
}
