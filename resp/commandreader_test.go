package resp_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nearcache/nearcache/resp"
)

func TestCommandReader(t *testing.T) {
	const text = "*2\r\n$3\r\nGET\r\n$0\r\n\r\n#a note\r\n\n*1\r\n$4\r\nPING\r\n"
	for _, src := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		r := resp.NewCommandReader(bufio.NewReader(src))
		for _, want := range []string{"GET,", "PING"} {
			args, err := r.Next()
			if got := string(bytes.Join(args, []byte(","))); err != nil || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
		if _, err := r.Next(); err != io.EOF || r.Offset() != int64(len(text)) {
			t.Errorf("%v at %d of %d", err, r.Offset(), len(text))
		}
	}
	f := func(text string, want error) {
		t.Helper()
		if _, err := resp.NewCommandReader(bufio.NewReader(strings.NewReader(text))).Next(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	f("", io.EOF)
	f("*2\r\n$3\r\nGET\r\n$5\r\nab", io.ErrUnexpectedEOF)
	f("*2\r\n", io.ErrUnexpectedEOF)
	f("#half a note", io.ErrUnexpectedEOF)
	f("*0\r\n", resp.ErrNoCommand)
	f("*-1\r\n", resp.ErrNoCommand)
	f("*99999999999\r\n", resp.ErrNoCommand)
	f("*1\r\n:3\r\n", resp.ErrNoCommand)
	f("*1\r\n$1\r\nabc\r\n", resp.ErrNoCommand)
	f("*1\r\n$536870913\r\n", resp.ErrNoCommand)
	f("GET k\r\n", resp.ErrNoCommand)
}

func TestCommandReaderAllocatesNothing(t *testing.T) {
	text := strings.Repeat("*3\r\n$3\r\nSET\r\n$6\r\nkey:00\r\n$64\r\n"+strings.Repeat("v", 64)+"\r\n", 200)
	src := strings.NewReader(text)
	buf := bufio.NewReaderSize(src, 64<<10)
	r := resp.NewCommandReader(buf)
	r.Keep()
	all := func() {
		src.Reset(text)
		for range 200 {
			args, err := r.Next()
			if err != nil || len(args) != 3 || len(args[2]) != 64 || len(r.Raw()) != len(text)/200 {
				t.Fatal(args, err)
			}
			r.Forget()
		}
	}
	all()
	if n := testing.AllocsPerRun(10, all); n > 0 {
		t.Errorf("%v allocations for 200 commands", n)
	}
}

func FuzzCommandReader(f *testing.F) {
	f.Add([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n" + "#TS:1\r\n" + "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"))
	f.Add([]byte("*1\r\n$536870912\r\nx"))
	f.Add([]byte("*1048576\r\n$1\r\nx\r\n"))
	f.Add([]byte("*1\n$1\nx\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := resp.NewCommandReader(bufio.NewReader(bytes.NewReader(b)))
		for {
			args, err := l.Next()
			if l.Offset() > int64(len(b)) {
				t.Fatalf("byte %d of %d", l.Offset(), len(b))
			}
			if err != nil {
				return
			}
			if len(args) == 0 {
				t.Fatal("a command without a name")
			}
		}
	})
}
