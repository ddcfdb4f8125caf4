package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// pieces reads at most size bytes at a time.
type pieces struct {
	b    []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.b)
	p.b = p.b[n:]
	return n, nil
}

// command encodes a command as clients do.
func command(args ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// readAll returns the commands in in, and the error that ended them; nil when
// all bytes were read.
func readAll(in []byte, size int, l Limits) (cmds [][]string, err error) {
	return readAllBy(NewReader(&pieces{b: in, size: size}, l), nil)
}

// readAllBy is readAll for a reader that is lent memory for each read.
func readAllBy(r *Reader, lent []byte) (cmds [][]string, err error) {
	for {
		args, err := r.Next()
		if err != nil {
			return cmds, err
		}
		if args == nil {
			if lent != nil {
				r.Return()
				clear(lent) // others use it
				r.Lend(lent)
			}
			if err := r.Fill(); err != nil {
				if err == io.EOF {
					err = nil
				}
				return cmds, err
			}
			continue
		}
		c := make([]string, len(args))
		for i, a := range args {
			c[i] = string(a)
		}
		cmds = append(cmds, c)
	}
}

func equalCommands(a, b [][]string) bool { return slices.EqualFunc(a, b, slices.Equal) }

func TestReaderReadsAPipelineInAnyPieces(t *testing.T) {
	const in = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\n*0\r\n*-1\r\nset 'a b' \"\\x41\\n\"\r\n*1\r\n$0\r\n\r\n*2\r\n$1\r\n\r\r\n$2\r\n\r\n\r\nPING\n"
	want := [][]string{{"GET", "k"}, {"set", "a b", "A\n"}, {""}, {"\r", "\r\n"}, {"PING"}}
	for size := 1; size <= len(in); size++ {
		got, err := readAll([]byte(in), size, Limits{})
		if err != nil || !equalCommands(got, want) {
			t.Fatalf("pieces of %d: %q, %v, want %q", size, got, err, want)
		}
	}
}

// Commands of all sizes in reads of all sizes, so that the buffer moves, grows
// and shrinks at every point of a command.
func TestALongPipelineSurvivesEveryMove(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var in []byte
	var want [][]string
	for range 3000 {
		words := make([]string, 1+r.IntN(4)*r.IntN(4))
		for i := range words {
			n := r.IntN(20)
			switch r.IntN(200) {
			case 0:
				n = r.IntN(300_000)
			case 1, 2, 3, 4, 5:
				n = r.IntN(5000)
			}
			words[i] = strings.Repeat(string(rune('a'+r.IntN(26))), n)
		}
		want = append(want, words)
		in = append(in, command(words...)...)
	}
	for _, size := range []int{100, 1000, 5000, 70_000, 3_000_000} {
		left := in
		reader := NewReader(readerFunc(func(b []byte) (int, error) {
			p := pieces{b: left, size: 1 + r.IntN(size)}
			n, err := p.Read(b)
			left = p.b
			return n, err
		}), Limits{})
		for i, w := range want {
			got := next(t, reader)
			if !slices.EqualFunc(got, w, func(a []byte, b string) bool { return string(a) == b }) {
				t.Fatalf("reads up to %d: command %d differs", size, i)
			}
		}
		if n := reader.Buffered(); n != 0 || len(left) != 0 {
			t.Errorf("reads up to %d: %d and %d bytes left", size, n, len(left))
		}
	}
}

// badInput holds what breaks parsers, and how it ends: the commands before the
// error, and the error. No error means that more is awaited.
var badInput = []struct {
	name, in string
	limits   Limits
	cmds     [][]string
	err      string
}{
	{"bulk length MaxInt64", "*1\r\n$9223372036854775807\r\na\r\n", Limits{}, nil, "invalid bulk length"},
	{"bulk length wraps to 1", "*1\r\n$18446744073709551617\r\na\r\n", Limits{}, nil, "invalid bulk length"},
	{"bulk length MaxInt64 where all is allowed", "*1\r\n$9223372036854775807\r\na\r\n", Limits{MaxBulk: math.MaxInt64, MaxQuery: math.MaxInt64}, nil, "invalid bulk length"},
	{"bulk length of half the address space", "*1\r\n$2305843009213693951\r\na\r\n", Limits{MaxBulk: math.MaxInt64, MaxQuery: math.MaxInt64}, nil, ""},
	{"negative bulk length", "*1\r\n$-10\r\n", Limits{}, nil, "invalid bulk length"},
	{"null bulk", "*1\r\n$-1\r\n", Limits{}, nil, "invalid bulk length"},
	{"bulk over the limit, before any data", "*1\r\n$2000000000\r\n", Limits{}, nil, "invalid bulk length"},
	{"a little over the limit", "*1\r\n$101\r\n", Limits{MaxBulk: 100}, nil, "invalid bulk length"},
	{"count over a million", "*2147483647\r\n", Limits{}, nil, "invalid multibulk length"},
	{"count over the limit", "*3\r\n", Limits{MaxArgs: 2}, nil, "invalid multibulk length"},
	{"count above int64", "*99999999999999999999\r\n", Limits{}, nil, "invalid multibulk length"},
	{"negative count, then a command", "*-10\r\nPING\r\n", Limits{}, [][]string{{"PING"}}, ""},
	{"empty request, then a command", "*0\r\n*1\r\n$4\r\nPING\r\n", Limits{}, [][]string{{"PING"}}, ""},
	{"empty requests of both kinds", "\r\n\r\n\r\n*0\r\n\r\n*1\r\n$4\r\nPING\r\n", Limits{}, [][]string{{"PING"}}, ""},
	{"null array, then a stray bulk", "*-1\r\n$4\r\nPING\r\n", Limits{}, [][]string{{"$4"}, {"PING"}}, ""},
	{"no dollar", "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", Limits{}, nil, "expected '$', got 'f'"},
	{"no dollar but a byte that is no text", "*1\r\n\xff", Limits{}, nil, "expected '$', got '\xff'"},
	{"bulk length not a number", "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$blabla\r\n", Limits{}, nil, "invalid bulk length"},
	{"count not a number", "*x\r\n", Limits{}, nil, "invalid multibulk length"},
	{"count missing", "*\r\n", Limits{}, nil, "invalid multibulk length"},
	{"bulk not ended by CRLF", "*1\r\n$4\r\nPINGxx", Limits{}, nil, "expected CRLF after a bulk"},
	{"length not ended by CRLF", "*1\rx$4\r\nPING\r\n", Limits{}, nil, "invalid multibulk length"},
	{"LF only", "*1\n$4\nPING\n", Limits{}, nil, ""},
	{"plus sign", "*+1\r\n$4\r\nPING\r\n", Limits{}, nil, "invalid multibulk length"},
	{"minus zero", "*-0\r\n", Limits{}, nil, "invalid multibulk length"},
	{"leading zeros", "*01\r\n$04\r\nPING\r\n", Limits{}, nil, "invalid multibulk length"},
	{"inline without end", strings.Repeat("A", 70000), Limits{}, nil, "too big inline request"},
	{"inline with a late end", strings.Repeat("A", 70000) + "\r\n", Limits{}, nil, "too big inline request"},
	{"count line without end", "*" + strings.Repeat("1", 70000), Limits{}, nil, "too big mbulk count string"},
	{"length line without end", "*1\r\n$" + strings.Repeat("1", 70000), Limits{}, nil, "too big bulk count string"},
	{"count line with a late end", "*" + strings.Repeat("1", 70000) + "\r\n", Limits{}, nil, "too big mbulk count string"},
	{"open quote", "SET x \"abc\r\n", Limits{}, nil, "unbalanced quotes in request"},
	{"text behind a quote", "SET x 'abc'd\r\n", Limits{}, nil, "unbalanced quotes in request"},
	{"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Limits{}, nil, ""},
	{"NULs inline", "\x00\x00\x00\r\nPING\r\n", Limits{}, [][]string{{"PING"}}, ""},
	{"a map as a command", "%1\r\n+a\r\n+b\r\n", Limits{}, [][]string{{"%1"}, {"+a"}, {"+b"}}, ""},
	{"half a command", "*1\r\n$4\r\nPI", Limits{}, nil, ""},
	{"commands behind an error are not run", "PING\r\n*x\r\nPING\r\n", Limits{}, [][]string{{"PING"}}, "invalid multibulk length"},
	{"unauthenticated count", "*11\r\n", Limits{Unauthenticated: true}, nil, "unauthenticated multibulk length"},
	{"unauthenticated bulk", "*2\r\n$16385\r\n", Limits{Unauthenticated: true}, nil, "unauthenticated bulk length"},
	{"far too large is that first", "*2\r\n$1000000000\r\n", Limits{Unauthenticated: true}, nil, "invalid bulk length"},
}

func TestReaderEndsBadInputAsRedisDoes(t *testing.T) {
	for _, c := range badInput {
		for _, size := range []int{1, 7, 1 << 20} {
			cmds, err := readAll([]byte(c.in), size, c.limits)
			if !equalCommands(cmds, c.cmds) {
				t.Errorf("%s, pieces of %d: read %q, want %q", c.name, size, cmds, c.cmds)
			}
			switch {
			case c.err == "" && err != nil:
				t.Errorf("%s, pieces of %d: %v", c.name, size, err)
			case c.err != "" && (err == nil || ErrorText(err) != "ERR Protocol error: "+c.err):
				t.Errorf("%s, pieces of %d: error %v, want %s", c.name, size, err, c.err)
			}
		}
	}
}

func TestAProtocolErrorIsFinal(t *testing.T) {
	r := NewReader(strings.NewReader("*x\r\nPING\r\n"), Limits{})
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Next()
	var p ProtocolError
	if !errors.As(err, &p) {
		t.Fatalf("error %v", err)
	}
	if n := r.Buffered(); n != 0 {
		t.Errorf("%d bytes still buffered", n)
	}
	if args, err2 := r.Next(); args != nil || err2 != err {
		t.Errorf("then %q, %v", args, err2)
	}
	if err2 := r.Fill(); err2 != err {
		t.Errorf("Fill: %v", err2)
	}
}

func TestLimitsMayChangeBetweenCommands(t *testing.T) {
	in := append(command("AUTH", "x"), command("MGET", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")...)
	r := NewReader(bytes.NewReader(in), Limits{Unauthenticated: true})
	if args := next(t, r); string(args[0]) != "AUTH" {
		t.Fatalf("read %q", args)
	}
	r.SetLimits(Limits{})
	if args := next(t, r); len(args) != 11 {
		t.Fatalf("read %q", args)
	}
}

func next(t testing.TB, r *Reader) [][]byte {
	t.Helper()
	for {
		args, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if args != nil {
			return args
		}
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
	}
}

// readOne is next without Helper, which would be most of the time measured.
func readOne(b *testing.B, r *Reader) {
	for {
		args, err := r.Next()
		if err != nil {
			b.Fatal(err)
		}
		if args != nil {
			return
		}
		if err := r.Fill(); err != nil {
			b.Fatal(err)
		}
	}
}

// A client that announces much and sends little must cost little.
func TestAnnouncedLengthsReserveNothing(t *testing.T) {
	for _, in := range []string{
		"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n" + strings.Repeat("x", 100),
		"*1000000\r\n" + strings.Repeat("$1\r\na\r\n", 20),
		"*1\r\n$536870912\r\n",
	} {
		r := NewReader(&pieces{b: []byte(in), size: 1}, Limits{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for {
			if args, err := r.Next(); args != nil || err != nil {
				t.Fatal(args, err)
			}
			if err := r.Fill(); err != nil {
				break
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<10 {
			t.Errorf("%.30q reserved %d bytes for %d", in, n, len(in))
		}
	}
}

// A long argument is read into memory of its own, which may be kept, with little
// beside it.
func TestLongArgumentsAreNotCopied(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 4<<20)
	in := append(command("SET", "key", long, "EX", "5"), command("PING")...)
	r := NewReader(&pieces{b: in, size: 60_000}, Limits{})
	lent := make([]byte, 64<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var kept []byte
	for kept == nil {
		r.Lend(lent)
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
		if args := next(t, r); args != nil {
			if len(args) != 5 || string(args[1]) != "key" || string(args[4]) != "5" {
				t.Fatalf("%d arguments, %.20q", len(args), args[1])
			}
			if kept = r.Keep(args[2]); &kept[0] != &args[2][0] {
				t.Error("a long argument was copied")
			}
			if short := r.Keep(args[1]); &short[0] == &args[1][0] {
				t.Error("a short argument was not copied")
			}
			if args := next(t, r); len(args) != 1 || string(args[0]) != "PING" {
				t.Errorf("the next command is %q", args)
			}
		}
		r.Return()
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(long)/6*7+200_000) {
		t.Errorf("%d bytes were reserved for %d", n, len(long))
	}
	if string(kept) != long {
		t.Error("what was kept has changed")
	}
	if cap(r.buf) > minBuffer {
		t.Errorf("the reader keeps %d bytes", cap(r.buf))
	}
}

// Bytes one by one, as a slow or hostile client sends them. A parser that starts
// over at every packet would be busy for hours: no end of the test is one too.
func TestADripIsLinear(t *testing.T) {
	var many []byte
	for range 100_000 {
		many = append(many, "$1\r\na\r\n"...)
	}
	for name, in := range map[string][]byte{
		"arguments": append([]byte("*100001\r\n"), many...),
		"bulk":      append([]byte("*1\r\n$100000000\r\n"), make([]byte, 1<<20)...),
		"inline":    bytes.Repeat([]byte("x "), DefaultMaxInline/2),
		"commands":  bytes.Repeat([]byte("*1\r\n$4\r\nPING\r\n\r\n"), 30_000),
	} {
		if n := moved(t, in, 1); n > 10*len(in) {
			t.Errorf("%s: %d bytes were moved to take %d", name, n, len(in))
		}
	}
}

// A command of very many small arguments must not move the buffer, and every
// argument's place in it, each time a few hundred bytes come in.
func TestManySmallArgumentsAreLinear(t *testing.T) {
	in := append([]byte("*1000000\r\n"), bytes.Repeat([]byte("$1\r\na\r\n"), 1_000_000)...)
	if n := moved(t, in, 4096); n > 10*len(in) {
		t.Errorf("%d bytes were moved to take %d", n, len(in))
	}
}

// moved is how many bytes of its buffers a reader moves to take in, the places
// of arguments included.
func moved(t *testing.T, in []byte, size int) (n int) {
	t.Helper()
	r := NewReader(&pieces{b: in, size: size}, Limits{})
	for {
		args, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if args != nil {
			continue
		}
		start, used, room, own, ownRoom := r.start, r.Buffered(), cap(r.buf), len(r.own), cap(r.own)
		if err := r.Fill(); err == io.EOF {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
		if r.start < start || cap(r.buf) != room {
			n += used + len(r.argv)*int(unsafe.Sizeof(span{}))
		}
		if ownRoom > 0 && cap(r.own) != ownRoom {
			n += own
		}
	}
}

func TestBufferFollowsTheCommands(t *testing.T) {
	// A large command gets what it needs, and gives it back.
	big := command("SET", "k", strings.Repeat("x", 8<<20))
	for name, rest := range map[string]string{
		"a pause":             "",
		"half a command":      "PI",
		"half a bulk":         "*1\r\n$100\r\nxxx",
		"many small commands": strings.Repeat("PING\r\n", 100),
	} {
		r := NewReader(&pieces{b: append(slices.Clone(big), rest...), size: len(big)}, Limits{})
		if args := next(t, r); len(args) != 3 || len(args[2]) != 8<<20 {
			t.Fatal("the command did not arrive")
		}
		if c := cap(r.buf); c > len(big)+(64<<10) {
			t.Errorf("buffer of %d for a command of %d", c, len(big))
		}
		for err := error(nil); err == nil; err = r.Fill() {
			for args, _ := r.Next(); args != nil; args, _ = r.Next() {
			}
		}
		if c := cap(r.buf); c > pipeBuffer {
			t.Errorf("%s: buffer of %d stays after a large command", name, c)
		}
	}

	// A deep pipeline earns a large buffer; a quiet time takes it back.
	in := bytes.Repeat([]byte("PING\r\n"), 100_000)
	r := NewReader(&pieces{b: in, size: 1 << 20}, Limits{})
	for range 100_000 {
		next(t, r)
	}
	if c := cap(r.buf); c != pipeBuffer {
		t.Errorf("buffer of %d in a deep pipeline, want %d", c, pipeBuffer)
	}
	r.rd = &pieces{b: in, size: 6}
	for range 1000 {
		next(t, r)
	}
	if c := cap(r.buf); c != minBuffer {
		t.Errorf("buffer of %d after it, want %d", c, minBuffer)
	}
}

func TestManyArgumentsAreNotKept(t *testing.T) {
	words := make([]string, 300_000)
	for i := range words {
		words[i] = "a"
	}
	r := NewReader(bytes.NewReader(append(command(words...), "PING\r\n"...)), Limits{})
	if n := len(next(t, r)); n != len(words) {
		t.Fatalf("%d arguments", n)
	}
	next(t, r)
	_ = r.Fill()
	if cap(r.argv) > keepArgs || cap(r.args) > keepArgs {
		t.Errorf("keeps room for %d and %d arguments", cap(r.argv), cap(r.args))
	}
}

func TestQueryLimitEndsAnIncompleteCommand(t *testing.T) {
	l := Limits{MaxQuery: 10_000}
	in := command("SET", "k", strings.Repeat("x", 20_000))
	if _, err := readAll(in, 1000, l); err != ErrQueryLimit {
		t.Errorf("a long command: %v", err)
	}
	var many []byte
	for range 1000 {
		many = append(many, "$0\r\n\r\n"...)
	}
	if _, err := readAll(append([]byte("*1001\r\n"), many...), 1000, l); err != ErrQueryLimit {
		t.Errorf("many arguments: %v", err)
	}
	if cmds, err := readAll(bytes.Repeat([]byte("PING\r\n"), 10_000), 1000, l); err != nil || len(cmds) != 10_000 {
		t.Errorf("a pipeline: %d commands, %v", len(cmds), err)
	}
}

func TestArgumentsDoNotRunIntoEachOther(t *testing.T) {
	for _, in := range []string{string(command("SET", "a", "b")), "SET a b\r\n", "SET 'a' \"b\"\r\n"} {
		args := next(t, NewReader(strings.NewReader(in), Limits{}))
		_ = append(args[1], "xxxxxxxx"...)
		if string(args[2]) != "b" {
			t.Errorf("%q: appending to one argument changed the next to %q", in, args[2])
		}
	}
}

// faulty fails now and then, as a connection with a read deadline does.
type faulty struct {
	pieces
	n   int
	err error
}

func (f *faulty) Read(b []byte) (int, error) {
	if f.n++; f.n%3 == 0 {
		return 0, f.err
	}
	n, err := f.pieces.Read(b)
	if f.n%5 == 0 && err == nil {
		return n, f.err
	}
	return n, err
}

func TestReadingGoesOnAfterATemporaryError(t *testing.T) {
	temporary := errors.New("temporary")
	in := bytes.Repeat(command("GET", "key"), 100)
	r := NewReader(&faulty{pieces{in, 5}, 0, temporary}, Limits{})
	read, failed := 0, 0
	for {
		args, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if args != nil {
			if len(args) != 2 || string(args[1]) != "key" {
				t.Fatalf("read %q", args)
			}
			read++
			continue
		}
		if err := r.Fill(); err == io.EOF {
			break
		} else if err != nil && err != temporary {
			t.Fatal(err)
		} else if err != nil {
			failed++
		}
	}
	if read != 100 || failed < 100 {
		t.Errorf("%d commands, %d errors", read, failed)
	}
}

func TestAReaderThatGivesNothingIsNotAskedForever(t *testing.T) {
	r := NewReader(readerFunc(func([]byte) (int, error) { return 0, nil }), Limits{})
	if err := r.Fill(); err != io.ErrNoProgress {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// endless repeats its bytes, in reads of at most size.
type endless struct {
	b         []byte
	pos, size int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), e.size)], e.b[e.pos:])
	e.pos = (e.pos + n) % len(e.b)
	return n, nil
}

func TestReadingCommandsAllocatesNothing(t *testing.T) {
	for name, in := range map[string][]byte{
		"SET":    command("SET", "key:000000001", strings.Repeat("v", 100)),
		"large":  command("SET", "key:000000001", strings.Repeat("v", 200_000)),
		"MGET":   command(slices.Repeat([]string{"key:000000001"}, 2000)...),
		"inline": []byte("SET 'key' \"va\\x6cue\"\r\n"),
	} {
		r := NewReader(&endless{b: in, size: 1 << 20}, Limits{})
		for range 100 {
			next(t, r)
		}
		if n := testing.AllocsPerRun(1000, func() { next(t, r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"GET", command("GET", "key:000000000001")},
		{"SET", command("SET", "key:000000000001", strings.Repeat("v", 64))},
	} {
		for _, pipeline := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/pipeline=%d", c.name, pipeline), func(b *testing.B) {
				batch := bytes.Repeat(c.in, pipeline)
				r := NewReader(&endless{b: batch, size: len(batch)}, Limits{})
				b.SetBytes(int64(len(c.in)))
				b.ReportAllocs()
				for b.Loop() {
					readOne(b, r)
				}
			})
		}
	}
	b.Run("SET/value=4MB", func(b *testing.B) {
		in := command("SET", "k", strings.Repeat("v", 4<<20))
		r := NewReader(&endless{b: in, size: 256 << 10}, Limits{})
		b.SetBytes(int64(len(in)))
		b.ReportAllocs()
		for b.Loop() {
			readOne(b, r)
		}
	})
}
