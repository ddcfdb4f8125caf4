package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/redcon"
)

func str(k Kind, s string) Value { return Value{Kind: k, Str: s} }
func num(n int64) Value          { return Value{Kind: Int, Int: n} }

func TestParseEveryType(t *testing.T) {
	f := func(wire string, want Value) {
		t.Helper()
		v, n, err := Parse([]byte(wire + "+next\r\n"))
		if err != nil || n != len(wire) || !reflect.DeepEqual(v, want) {
			t.Fatalf("%q: got %#v, %d, %v, want %#v", wire, v, n, err, want)
		}
		// However it is cut, the end is found, and only at the end.
		var s Scanner
		for i := range wire {
			if n, err := s.Next([]byte(wire[:i])); n != 0 || err != nil {
				t.Fatalf("%q cut at %d: %d, %v", wire, i, n, err)
			}
		}
		if n, err := s.Next([]byte(wire + "+next\r\n")); n != len(wire) || err != nil {
			t.Fatalf("%q: the scanner found %d, %v", wire, n, err)
		}
		if n, err := s.Next([]byte("+OK\r\n")); n != 5 || err != nil {
			t.Fatalf("after %q: the scanner found %d, %v", wire, n, err)
		}
	}
	f("+OK\r\n", str(Status, "OK"))
	f("-ERR no\r\n", str(ErrorKind, "ERR no"))
	f("!6\r\nERR no\r\n", str(ErrorKind, "ERR no"))
	f(":-42\r\n", num(-42))
	f("$3\r\na\r\n\r\n", str(Bulk, "a\r\n"))
	f("$0\r\n\r\n", str(Bulk, ""))
	f("$-1\r\n", Value{Kind: Null})
	f("*-1\r\n", Value{Kind: Null})
	f("_\r\n", Value{Kind: Null})
	f(",1.5\r\n", str(Double, "1.5"))
	f("#t\r\n", Value{Kind: Bool, Int: 1})
	f("#f\r\n", Value{Kind: Bool})
	f("(12345678901234567890\r\n", str(BigNumber, "12345678901234567890"))
	f("=8\r\ntxt:some\r\n", str(Verbatim, "some"))
	f("*0\r\n", Value{Kind: Array, Elems: []Value{}})
	f("*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", Value{Kind: Array, Elems: []Value{{Kind: Array, Elems: []Value{num(1)}}, str(Bulk, "x")}})
	f("%1\r\n+a\r\n~1\r\n:1\r\n", Value{Kind: Map, Elems: []Value{str(Status, "a"), {Kind: Set, Elems: []Value{num(1)}}}})
	f(">2\r\n$1\r\ni\r\n_\r\n", Value{Kind: Push, Elems: []Value{str(Bulk, "i"), {Kind: Null}}})
	f("|1\r\n+ttl\r\n:3\r\n:7\r\n", num(7))
}

func TestBrokenRepliesAreErrors(t *testing.T) {
	f := func(wire string) {
		t.Helper()
		var s Scanner
		if n, err := s.Next([]byte(wire)); !errors.Is(err, ErrProtocol) {
			t.Fatalf("scan %q: %d, %v", wire, n, err)
		}
		if v, _, err := Parse([]byte(wire)); !errors.Is(err, ErrProtocol) {
			t.Fatalf("parse %q: %v, %v", wire, v, err)
		}
	}
	f("?\r\n")
	f("+a\n")
	f("\n")
	f("$\r\n")
	f("$x\r\n")
	f("$-2\r\n")
	f("$9223372036854775807\r\n")
	f("*99999999999\r\n")
	f("%-1\r\n")
	f("+" + strings.Repeat("a", maxLine+2))
	var s Scanner
	if _, err := s.Next([]byte("$1\r\nabc")); !errors.Is(err, ErrProtocol) {
		t.Fatalf("bulk with a wrong end: %v", err)
	}
	for _, wire := range []string{"*16000000\r\n:1\r\n", strings.Repeat("*1\r\n", 100) + ":1\r\n", ":x\r\n", "#x\r\n", "$3\r\nab", "*2\r\n:1\r\n", ""} {
		if v, _, err := Parse([]byte(wire)); !errors.Is(err, ErrProtocol) {
			t.Fatalf("parse %q: %v, %v", wire, v, err)
		}
	}
}

func TestValueViews(t *testing.T) {
	m := Value{Kind: Array, Elems: []Value{str(Bulk, "a"), num(1), str(Bulk, "b"), str(Double, "0.5")}}
	if v, ok := m.Get("b"); !ok || v.Str != "0.5" {
		t.Fatal(v, ok)
	}
	if _, ok := m.Get("c"); ok {
		t.Fatal("c was found")
	}
	if f, err := m.Elems[3].Float(); f != 0.5 || err != nil {
		t.Fatal(f, err)
	}
	if f, err := num(3).Float(); f != 3 || err != nil {
		t.Fatal(f, err)
	}
	if got := m.String(); got != `*["a" 1 "b" 0.5]` {
		t.Fatal(got)
	}
}

func TestAppendCommand(t *testing.T) {
	got, err := AppendCommand(nil, "SET", []byte("k"), 1, int64(-2), uint64(3), 0.5, []float32{1, -2})
	want := "*7\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n$2\r\n-2\r\n$1\r\n3\r\n$3\r\n0.5\r\n$8\r\n\x00\x00\x80?\x00\x00\x00\xc0\r\n"
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := AppendCommand(nil); err == nil {
		t.Fatal("an empty command was taken")
	}
	if _, err := AppendCommand(nil, "SET", struct{}{}); err == nil {
		t.Fatal("a struct was taken")
	}
}

// serve answers each command on one connection with answer's bytes.
func serve(t *testing.T, answer func(args []string) string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		r := bufio.NewReader(nc)
		for {
			args, err := readCommand(r)
			if err != nil {
				return
			}
			if _, err := io.WriteString(nc, answer(args)); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func readCommand(r *bufio.Reader) ([]string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		if line, err = r.ReadString('\n'); err != nil {
			return nil, err
		}
		size, err := strconv.Atoi(strings.TrimSpace(line[1:]))
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func dial(t *testing.T, addr string, o Options) *Conn {
	t.Helper()
	c, err := Dial(context.Background(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDialShakesHands(t *testing.T) {
	f := func(o Options, want ...string) {
		t.Helper()
		var got []string
		addr := serve(t, func(args []string) string {
			got = append(got, strings.Join(args, " "))
			return "+OK\r\n"
		})
		c := dial(t, addr, o)
		if _, err := c.Do("PING"); err != nil {
			t.Fatal(err)
		}
		if want = append(want, "PING"); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	f(Options{}, "HELLO 3")
	f(Options{Password: "pw", Name: "n"}, "HELLO 3 AUTH default pw", "CLIENT SETNAME n")
	f(Options{Proto: 2})
	f(Options{Proto: 2, Password: "pw"}, "AUTH pw")
	f(Options{Proto: 2, Username: "u", Password: "pw"}, "AUTH u pw")
	addr := serve(t, func([]string) string { return "-WRONGPASS no\r\n" })
	if _, err := Dial(context.Background(), addr, Options{}); !errors.As(err, new(Error)) {
		t.Fatalf("refused: %v", err)
	}
}

func TestPushesAreHandedOverBeforeTheReplyThatFollowsThem(t *testing.T) {
	addr := serve(t, func(args []string) string {
		if args[0] == "HELLO" {
			return "%1\r\n+proto\r\n:3\r\n"
		}
		return ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n" + ">2\r\n$10\r\ninvalidate\r\n_\r\n" + "+PONG\r\n"
	})
	var got []string
	c := dial(t, addr, Options{OnPush: func(v Value) { got = append(got, v.String()) }})
	v, err := c.Do("PING")
	if err != nil || v.Str != "PONG" {
		t.Fatal(v, err)
	}
	if want := []string{`>["invalidate" *["k"]]`, `>["invalidate" (nil)]`}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %q", got)
	}
}

func TestAPipelineLongerThanTheSocketBuffers(t *testing.T) {
	addr := serve(t, func(args []string) string { return string(redcon.AppendBulkString(nil, args[1])) })
	c := dial(t, addr, Options{Proto: 2})
	big := strings.Repeat("x", 100_000)
	p := c.Pipeline()
	const n = 200
	for i := range n {
		p.Add("ECHO", big+strconv.Itoa(i))
	}
	got, err := p.Run()
	if err != nil || len(got) != n || p.Len() != 0 {
		t.Fatal(len(got), err)
	}
	for i, v := range got {
		if v.Str != big+strconv.Itoa(i) {
			t.Fatalf("reply %d is another's", i)
		}
	}
}

func TestErrorsOfTheServerKeepTheConnectionOthersBreakIt(t *testing.T) {
	addr := serve(t, func(args []string) string {
		switch args[0] {
		case "BAD":
			return "-ERR bad\r\n"
		case "BROKEN":
			return "?\r\n"
		}
		return ":1\r\n"
	})
	c := dial(t, addr, Options{Proto: 2})
	if _, err := c.Do("BAD"); !errors.Is(err, Error("ERR bad")) {
		t.Fatal(err)
	}
	p := c.Pipeline()
	p.Add("BAD")
	p.Add("GOOD")
	if got, err := p.Run(); err != nil || got[0].Err() == nil || got[1].Int != 1 {
		t.Fatal(got, err)
	}
	p.Add("GOOD", struct{}{})
	if _, err := p.Run(); err == nil {
		t.Fatal("an argument of a wrong type was sent")
	}
	if _, err := c.Do("GOOD"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do("BROKEN"); !errors.Is(err, ErrProtocol) {
		t.Fatal(err)
	}
	if _, err := c.Do("GOOD"); !errors.Is(err, ErrProtocol) {
		t.Fatalf("after a broken reply: %v", err)
	}
}

func TestASilentServerTimesOut(t *testing.T) {
	addr := serve(t, func([]string) string { return "" })
	c := dial(t, addr, Options{Proto: 2, Timeout: 50 * time.Millisecond})
	var ne net.Error
	if _, err := c.Do("PING"); !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n%1\r\n+k\r\n:1\r\n"))
	f.Add([]byte("|1\r\n+a\r\n_\r\n>2\r\n$1\r\ni\r\n*-1\r\n"))
	f.Add([]byte("=7\r\ntxt:abc\r\n"))
	f.Add([]byte("$9223372036854775807\r\n"))
	f.Add([]byte("*16777216\r\n*16777216\r\n"))
	f.Add(bytes.Repeat([]byte("*1\r\n"), 50))
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, cut Scanner
		n, err := whole.Next(b)
		var m int
		var cutErr error
		for i := 0; i <= len(b) && m == 0 && cutErr == nil; i++ {
			m, cutErr = cut.Next(b[:i])
		}
		if n != m || (err == nil) != (cutErr == nil) {
			t.Fatalf("whole: %d, %v; cut: %d, %v", n, err, m, cutErr)
		}
		v, k, err := Parse(b)
		if err == nil && k != n {
			t.Fatalf("scanned %d, parsed %d: %v", n, k, v)
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	buf := []byte(strings.Repeat("$64\r\n"+strings.Repeat("x", 64)+"\r\n", 64))
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		var s Scanner
		for rest := buf; len(rest) > 0; {
			n, err := s.Next(rest)
			if n == 0 || err != nil {
				b.Fatal(n, err)
			}
			rest = rest[n:]
		}
	}
}
