package args

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp"
)

func parser(line string) *Parser { return parserOf(strings.Split(line, " ")) }

func TestACommandIsReadFromLeftToRight(t *testing.T) {
	p := parser("SET k v Px 100 nx 1.5 18446744073709551615 a b")
	if n := p.Len(); n != 9 {
		t.Errorf("Len %d", n)
	}
	if s := p.String(); s != "k" {
		t.Errorf("String %q", s)
	}
	if b := p.Bytes(); string(b) != "v" {
		t.Errorf("Bytes %q", b)
	}
	if p.Accept("EX") || !p.Accept("PX") {
		t.Error("Accept")
	}
	if n := p.Int(); n != 100 {
		t.Errorf("Int %d", n)
	}
	if string(p.Peek()) != "nx" || !p.Accept("NX") {
		t.Error("Peek, then Accept")
	}
	if f := p.Float(); f != 1.5 {
		t.Errorf("Float %v", f)
	}
	if n := p.Uint(); n != math.MaxUint64 {
		t.Errorf("Uint %d", n)
	}
	if !p.More() {
		t.Error("More")
	}
	if r := p.Rest(); len(r) != 2 || string(r[1]) != "b" {
		t.Errorf("Rest %q", r)
	}
	p.Done()
	if p.More() || p.Len() != 0 || p.Peek() != nil || p.Accept("x") || p.Err() != nil {
		t.Errorf("at the end: %v", p.Err())
	}
}

func TestEachReadFailsWithItsError(t *testing.T) {
	f := func(line string, read func(p *Parser), want error) {
		t.Helper()
		p := parser(line)
		if read(p); p.Err() != want {
			t.Errorf("%q: %v, want %v", line, p.Err(), want)
		}
	}
	f("GET", func(p *Parser) { p.Bytes() }, resp.ErrSyntax)
	f("GET", func(p *Parser) { _ = p.String() }, resp.ErrSyntax)
	f("GET", func(p *Parser) { p.Int() }, resp.ErrSyntax)
	f("GET", func(p *Parser) { p.Uint() }, resp.ErrSyntax)
	f("GET", func(p *Parser) { p.Float() }, resp.ErrSyntax)
	f("GET x", func(p *Parser) { p.Int() }, resp.ErrNotInt)
	f("GET -1", func(p *Parser) { p.Uint() }, resp.ErrNotInt)
	f("GET nan", func(p *Parser) { p.Float() }, resp.ErrNotFloat)
	f("GET x", func(p *Parser) { p.Done() }, resp.ErrSyntax)
	f("GET", func(p *Parser) { p.Done() }, nil)
	f("GET", func(p *Parser) { p.Accept("x"); p.Peek(); p.Rest() }, nil)
	f("GET", func(p *Parser) { p.Fail(nil) }, nil)
}

func TestTheFirstErrorIsKeptAndEndsReading(t *testing.T) {
	first := errors.New("first")
	p := parser("SET k 5")
	p.Fail(first)
	p.Fail(errors.New("second"))
	if p.More() || p.Len() != 0 || p.Peek() != nil || p.Accept("k") || p.Bytes() != nil || p.String() != "" ||
		p.Int() != 0 || p.Uint() != 0 || p.Float() != 0 || p.Rest() != nil {
		t.Error("a read after the error gave something")
	}
	if p.Done(); p.Err() != first {
		t.Errorf("%v", p.Err())
	}
	p.Reset([][]byte{[]byte("GET"), []byte("k")})
	if p.Err() != nil || p.String() != "k" {
		t.Error("Reset did not start over")
	}
	p.Reset(nil)
	if p.More() || p.Len() != 0 {
		t.Error("nothing has something")
	}
}

// What Redis 8.10.2 takes as a score of ZADD.
func TestFloatsAreThoseOfRedis(t *testing.T) {
	f := func(in string, want float64) {
		t.Helper()
		if got, ok := ParseFloat([]byte(in)); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", in, got, ok, want)
		}
	}
	f("0", 0)
	f("-0", 0)
	f("1", 1)
	f("+1.5", 1.5)
	f("1.", 1)
	f(".5", 0.5)
	f("007", 7)
	f("1e3", 1000)
	f("1E-7", 1e-7)
	f("0e5", 0)
	f("0.000e400", 0)
	f("5e-324", 5e-324)
	f("0x10", 16)
	f("-0x.8", -0.5)
	f("0X1p4", 16)
	f("0x0", 0)
	f("inf", math.Inf(1))
	f("-Inf", math.Inf(-1))
	f("+infinity", math.Inf(1))
	bad := func(in string) {
		t.Helper()
		if got, ok := ParseFloat([]byte(in)); ok {
			t.Errorf("%q is %v", in, got)
		}
	}
	for _, in := range []string{
		"", " 1", "1 ", "1\x00", "nan", "-NaN", "nan(1)", ".", "-", "e5", "1e", "1_0", "0x_1p0", "0x", "0x.", "0xg",
		"--1", "1e400", "-1e400", "1e-400", "0.1e-999", "0x1p-2000", "0x1p2000", "infi", "1,5", "0b1", "0o7",
		"0x" + strings.Repeat("0", 100), strings.Repeat("9", 400),
	} {
		bad(in)
	}
}

func TestEqualFoldKnowsASCIIOnly(t *testing.T) {
	f := func(b, s string, want bool) {
		t.Helper()
		if got := EqualFold([]byte(b), s); got != want {
			t.Errorf("%q, %q: %v", b, s, got)
		}
	}
	f("", "", true)
	f("withScores", "WITHSCORES", true)
	f("az_09", "AZ_09", true)
	f("nx", "nxx", false)
	f("@", "`", false)
	f("[", "{", false)
	f("\xc3\xa4", "\xc3\x84", false)
	f("K", "\u212a", false)
}

func TestReadingAllocatesNothing(t *testing.T) {
	argv := [][]byte{[]byte("X"), []byte("key"), []byte("-123456"), []byte("1.25"), []byte("0x1F"), []byte("EX"), []byte("77")}
	var p Parser
	n := testing.AllocsPerRun(100, func() {
		p.Reset(argv)
		p.Bytes()
		p.Int()
		p.Float()
		p.Float()
		if p.Accept("PX") || !p.Accept("ex") {
			t.Error("Accept")
		}
		p.Uint()
		p.Done()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if p.Err() != nil {
		t.Error(p.Err())
	}
}

// FuzzArgs reads arguments by a program of random reads and holds the parser to
// its promises: no panic, no argument twice, the first error kept.
func FuzzArgs(f *testing.F) {
	f.Add([]byte("SET\x00k\x00v\x00PX\x00100"), []byte{1, 1, 5, 3, 9})
	f.Add([]byte("ZADD\x00z\x00 1\x00nan\x000x\x001e400"), []byte{2, 4, 4, 4, 4})
	f.Add([]byte("SCAN\x0018446744073709551616\x00COUNT\x00-1"), []byte{6, 0, 7, 8, 3, 9})
	f.Add([]byte("INCRBY\x00n\x00-9223372036854775808\x00+1\x0000"), []byte{1, 3, 3, 3})
	f.Add([]byte("EXPIRE\x00k\x0010.5\x00\x00"), []byte{0, 1, 3, 7, 7})
	f.Add([]byte(""), []byte{0, 9})
	f.Fuzz(func(t *testing.T, line, reads []byte) {
		argv := strings.Split(string(line), "\x00")
		p := parserOf(argv)
		left := len(argv) - 1
		for _, r := range reads {
			before := p.Err()
			if before == nil && p.Len() != left || p.More() != (before == nil && left > 0) {
				t.Fatalf("Len %d, More %v, want %d left, error %v", p.Len(), p.More(), left, before)
			}
			var want string
			if left > 0 {
				want = argv[len(argv)-left]
			}
			took := 1
			switch r % 10 {
			case 0:
				if b := p.Peek(); p.More() && string(b) != want {
					t.Fatalf("Peek %q, want %q", b, want)
				}
				took = 0
			case 1:
				if b := p.Bytes(); p.Err() == nil && string(b) != want {
					t.Fatalf("Bytes %q, want %q", b, want)
				}
			case 2:
				if s := p.String(); p.Err() == nil && s != want {
					t.Fatalf("String %q, want %q", s, want)
				}
			case 3:
				if n := p.Int(); p.Err() == nil && strconv.FormatInt(n, 10) != want || p.Err() != nil && n != 0 {
					t.Fatalf("Int %d of %q", n, want)
				}
			case 4:
				x := p.Float()
				if math.IsNaN(x) || p.Err() != nil && x != 0 {
					t.Fatalf("Float %v of %q", x, want)
				}
				if p.Err() == nil && !strings.ContainsAny(want, "xX") {
					if y, err := strconv.ParseFloat(want, 64); err != nil || x != y {
						t.Fatalf("Float %v of %q", x, want)
					}
				}
			case 5:
				if !p.Accept(strings.ToLower(want)) {
					took = 0
				}
			case 6:
				if n := p.Uint(); p.Err() == nil && strconv.FormatUint(n, 10) != want || p.Err() != nil && n != 0 {
					t.Fatalf("Uint %d of %q", n, want)
				}
			case 7:
				if p.Accept(want + "x") {
					t.Fatalf("accepted %q for %q", want, want+"x")
				}
				took = 0
			case 8:
				if rest := p.Rest(); p.Err() == nil && len(rest) != left {
					t.Fatalf("Rest of %d, want %d", len(rest), left)
				}
				took = left
			case 9:
				if p.Done(); p.Err() == nil && left > 0 {
					t.Fatalf("done with %d left", left)
				}
				took = 0
			}
			if before != nil && p.Err() != before {
				t.Fatalf("the error %v became %v", before, p.Err())
			}
			if p.Err() == nil {
				left -= took
			}
		}
	})
}

func parserOf(words []string) *Parser {
	p := new(Parser)
	argv := make([][]byte, len(words))
	for i, w := range words {
		argv[i] = []byte(w)
	}
	p.Reset(argv)
	return p
}

func BenchmarkParser(b *testing.B) {
	argv := [][]byte{[]byte("SET"), []byte("key:000000000001"), []byte("value"), []byte("EX"), []byte("3600"), []byte("NX")}
	var p Parser
	b.ReportAllocs()
	for b.Loop() {
		p.Reset(argv)
		if err := parseSet(&p); err != nil {
			b.Fatal(err)
		}
	}
}

func parseSet(p *Parser) error {
	p.Bytes()
	p.Bytes()
	for p.More() {
		switch {
		case p.Accept("NX"), p.Accept("XX"), p.Accept("KEEPTTL"):
		case p.Accept("PX"), p.Accept("EX"):
			p.Int()
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	p.Done()
	return p.Err()
}
