package resp

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// replies holds every type in both protocols.
var replies = []struct {
	name         string
	write        func(w *Writer)
	resp2, resp3 string
}{
	{"status", func(w *Writer) { w.Status("OK") }, "+OK\r\n", "+OK\r\n"},
	{"status of two lines", func(w *Writer) { w.Status("a\r\nb\n") }, "+a  b \r\n", "+a  b \r\n"},
	{"error", func(w *Writer) { w.Error("ERR syntax error") }, "-ERR syntax error\r\n", "-ERR syntax error\r\n"},
	{"error with a reply inside", func(w *Writer) { w.Error("ERR x\r\n+OK\r\n") }, "-ERR x  +OK  \r\n", "-ERR x  +OK  \r\n"},
	{"integer", func(w *Writer) { w.Int(7); w.Int(-1); w.Int(math.MinInt64) }, ":7\r\n:-1\r\n:-9223372036854775808\r\n", ":7\r\n:-1\r\n:-9223372036854775808\r\n"},
	{"bulk", func(w *Writer) { w.Bulk([]byte("a\r\nb")); w.Bulk(nil) }, "$4\r\na\r\nb\r\n$0\r\n\r\n", "$4\r\na\r\nb\r\n$0\r\n\r\n"},
	{"bulk string", func(w *Writer) { w.BulkString("twelve bytes"); w.BulkString("") }, "$12\r\ntwelve bytes\r\n$0\r\n\r\n", "$12\r\ntwelve bytes\r\n$0\r\n\r\n"},
	{"bulk integer", func(w *Writer) { w.BulkInt(-42) }, "$3\r\n-42\r\n", "$3\r\n-42\r\n"},
	{"null", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
	{"null array", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
	{"array", func(w *Writer) { w.Array(0); w.Array(12) }, "*0\r\n*12\r\n", "*0\r\n*12\r\n"},
	{"map", func(w *Writer) { w.Map(0); w.Map(7) }, "*0\r\n*14\r\n", "%0\r\n%7\r\n"},
	{"set", func(w *Writer) { w.Set(3) }, "*3\r\n", "~3\r\n"},
	{"push", func(w *Writer) { w.Push(2) }, "*2\r\n", ">2\r\n"},
	{"attribute", func(w *Writer) {
		if w.Attr(1) {
			w.BulkString("ttl")
			w.Int(5)
		}
		w.Int(1)
	}, ":1\r\n", "|1\r\n$3\r\nttl\r\n:5\r\n:1\r\n"},
	{"double", func(w *Writer) { w.Double(3.14); w.Double(10) }, "$4\r\n3.14\r\n$2\r\n10\r\n", ",3.14\r\n,10\r\n"},
	{"infinity", func(w *Writer) { w.Double(math.Inf(1)); w.Double(math.Inf(-1)) }, "$3\r\ninf\r\n$4\r\n-inf\r\n", ",inf\r\n,-inf\r\n"},
	{"not a number", func(w *Writer) { w.Double(math.NaN()) }, "$3\r\nnan\r\n", ",nan\r\n"},
	{"bool", func(w *Writer) { w.Bool(true); w.Bool(false) }, ":1\r\n:0\r\n", "#t\r\n#f\r\n"},
	{"big number", func(w *Writer) { w.BigNumber("-12345678901234567890") }, "$21\r\n-12345678901234567890\r\n", "(-12345678901234567890\r\n"},
	{"verbatim", func(w *Writer) { w.Verbatim("txt", "a\r\nb") }, "$4\r\na\r\nb\r\n", "=8\r\ntxt:a\r\nb\r\n"},
	{"verbatim of a short format", func(w *Writer) { w.Verbatim("md", "x") }, "$1\r\nx\r\n", "=5\r\nmd :x\r\n"},
	{"raw", func(w *Writer) { w.Raw([]byte("+PONG\r\n")) }, "+PONG\r\n", "+PONG\r\n"},
}

func TestEveryTypeInBothProtocols(t *testing.T) {
	for _, r := range replies {
		var w Writer
		if r.write(&w); string(w.Bytes()) != r.resp2 {
			t.Errorf("%s in RESP2: %q, want %q", r.name, w.Bytes(), r.resp2)
		}
		w.Reset()
		w.SetProto(3)
		if r.write(&w); string(w.Bytes()) != r.resp3 {
			t.Errorf("%s in RESP3: %q, want %q", r.name, w.Bytes(), r.resp3)
		}
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	for proto := 2; proto <= 3; proto++ {
		var w Writer
		w.SetProto(proto)
		if w.Proto() != proto {
			t.Errorf("Proto is %d, want %d", w.Proto(), proto)
		}
		w.Raw(make([]byte, 4096))
		for _, r := range replies {
			if strings.Contains(r.name, "two lines") || strings.Contains(r.name, "reply inside") || r.name == "raw" {
				continue // removing line ends allocates
			}
			if n := testing.AllocsPerRun(100, func() { w.Reset(); r.write(&w) }); n != 0 {
				t.Errorf("%s in RESP%d: %v allocations", r.name, proto, n)
			}
		}
	}
}

func TestTruncateTakesAReplyBack(t *testing.T) {
	var w Writer
	w.Status("OK")
	n := w.Len()
	w.Array(2)
	w.Int(1)
	w.Truncate(n)
	w.Error("ERR no")
	if string(w.Bytes()) != "+OK\r\n-ERR no\r\n" {
		t.Errorf("%q", w.Bytes())
	}
}

func TestResetGivesALargeBufferBack(t *testing.T) {
	var w Writer
	w.Bulk(make([]byte, 1<<20))
	if w.Reset(); w.Len() != 0 || cap(w.buf) != 0 {
		t.Errorf("%d bytes, room for %d", w.Len(), cap(w.buf))
	}
	w.Bulk(make([]byte, 1000))
	if w.Reset(); w.Len() != 0 || cap(w.buf) < 1000 {
		t.Errorf("%d bytes, room for %d", w.Len(), cap(w.buf))
	}
}

func TestSealedRepliesStayWhereTheyAre(t *testing.T) {
	lent := make([]byte, 0, 64)
	rest := lent
	var a, b, c Writer
	for i, w := range []*Writer{&a, &b, &c} {
		w.Lend(rest)
		for range i {
			w.Int(int64(i))
		}
		rest = w.Seal(rest)
	}
	if cap(rest) != cap(lent)-len(":1\r\n:2\r\n:2\r\n") {
		t.Errorf("room for %d is left", cap(rest))
	}
	a.Status("a push to one that had nothing to send")
	b.Status("a push that has come")
	f := func(w *Writer, want string) {
		t.Helper()
		if got := string(w.Bytes()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		w.Reset()
		if rest = w.Return(rest); w.Size() != 0 {
			t.Errorf("%d bytes are kept", w.Size())
		}
	}
	if got := string(a.Bytes()); got != "+a push to one that had nothing to send\r\n" {
		t.Errorf("%q", got)
	}
	a = Writer{}
	f(&b, ":1\r\n+a push that has come\r\n")
	f(&c, ":2\r\n:2\r\n")

	a.Lend(lent)
	a.Bulk(make([]byte, 1000)) // it grows
	if rest = a.Seal(lent); cap(rest) != cap(lent) {
		t.Errorf("room for %d is left", cap(rest))
	}
	a.Reset()
	if rest = a.Return(rest); cap(rest) < 1000 {
		t.Errorf("%d bytes come back", cap(rest))
	}
}

func TestAWriterWorksInLentMemory(t *testing.T) {
	var w Writer
	lent := make([]byte, 0, 64)
	w.Lend(lent)
	w.Status("OK")
	if b := w.Bytes(); &b[0] != &lent[:1][0] {
		t.Error("the memory lent is not used")
	}
	w.Reset()
	if got := w.Return(lent); &got[:1][0] != &lent[:1][0] || w.Bytes() != nil {
		t.Error("the memory does not come back")
	}
	w.Lend(lent)
	w.Bulk(make([]byte, 1000)) // it grows
	w.Reset()
	if lent = w.Return(lent); cap(lent) < 1000 || len(lent) != 0 {
		t.Errorf("%d bytes of %d come back", len(lent), cap(lent))
	}
	w.Lend(lent)
	w.Status("kept")
	if w.Detach(1) != nil {
		t.Error("memory that was lent is given up")
	}
	lent = w.Return(lent)
	copy(lent[:20], "somebody else's bytes")
	if got := string(w.Bytes()); got != "+kept\r\n" {
		t.Errorf("what was not sent is %q", got)
	}
	w.Lend(lent) // refused: there is something to send
	w.Int(1)
	if got := string(w.Bytes()); got != "+kept\r\n:1\r\n" {
		t.Errorf("%q", got)
	}
}

func TestAWriterGivesUpItsMemory(t *testing.T) {
	var w Writer
	w.Bulk(make([]byte, 1000))
	if w.Detach(2000) != nil || w.Len() < 1000 {
		t.Error("less than was asked for is given up")
	}
	b := w.Detach(1000)
	if w.Status("OK"); len(b) != 1009 || string(w.Bytes()) != "+OK\r\n" {
		t.Errorf("%d bytes are given up, %q is written then", len(b), w.Bytes())
	}
	w.Reset()
	lent := make([]byte, 0, 64)
	w.Lend(lent)
	w.Bulk(make([]byte, 1000)) // it grows
	b = w.Detach(1000)
	if back := w.Return(lent); len(b) != 1009 || w.Len() != 0 || cap(back) != 64 {
		t.Errorf("%d bytes are given up, %d stay, %d come back", len(b), w.Len(), cap(back))
	}
}

// The right column is what Redis 8.10.2 answers to ZADD and ZSCORE, and fpconv
// in it to the others.
func TestDoublesLookAsInRedis(t *testing.T) {
	f := func(in float64, want string) {
		t.Helper()
		if got := string(AppendDouble(nil, in)); got != want {
			t.Errorf("%v is %q, want %q", in, got, want)
		}
	}
	f(0, "0")
	f(math.Copysign(0, -1), "-0")
	f(1, "1")
	f(-17, "-17")
	f(1.5, "1.5")
	f(100.25, "100.25")
	f(0.1, "0.1")
	f(0.30000000000000004, "0.30000000000000004")
	f(-0.5, "-0.5")
	f(0.00001, "0.00001")
	f(1e-7, "1e-7")
	f(0.00001234, "1.234e-5")
	f(12345.678901234, "1.2345678901234e+4")
	f(-12345.678901234, "-1.2345678901234e+4")
	f(1<<53, "9007199254740992")
	f(1<<62, "4611686018427387904")
	f(-(1 << 62), "-4611686018427387904")
	f(123456789012345680000, "123456789012345680000")
	f(4.9e18, "4.9e+18")
	f(1e21, "1e+21")
	f(1e22, "1e+22")
	f(1.5e300, "1.5e+300")
	f(1e100, "1e+100")
	f(5e-324, "5e-324")
	f(math.MaxFloat64, "1.7976931348623157e+308")
}

func TestDoublesReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		f := math.Float64frombits(r.Uint64())
		if r.IntN(2) == 0 {
			f = r.NormFloat64() * math.Pow10(r.IntN(40)-20)
		}
		if math.IsNaN(f) {
			continue
		}
		text := string(AppendDouble(nil, f))
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != f {
			t.Fatalf("%v is printed %q, which reads %v, %v", f, text, back, err)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	value := make([]byte, 64)
	for _, c := range []struct {
		name  string
		write func(w *Writer)
	}{
		{"Status", func(w *Writer) { w.Status("OK") }},
		{"Bulk", func(w *Writer) { w.Bulk(value) }},
		{"Int", func(w *Writer) { w.Int(1234567) }},
		{"Null", func(w *Writer) { w.Null() }},
		{"Map", func(w *Writer) { w.Map(12) }},
		{"Double", func(w *Writer) { w.Double(0.123456789) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var w Writer
			w.SetProto(3)
			b.ReportAllocs()
			for b.Loop() {
				if w.Len() > 8<<10 {
					w.Reset()
				}
				c.write(&w)
			}
		})
	}
}
