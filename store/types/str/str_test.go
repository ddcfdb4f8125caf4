package str

import (
	"strings"
	"testing"
)

func TestEncoding(t *testing.T) {
	t.Parallel()
	f := func(s, want string) {
		t.Helper()
		if got := New([]byte(s)).Encoding(); got != want {
			t.Fatalf("%q: %s, want %s", s, got, want)
		}
	}
	f("", "embstr")
	f("0", "int")
	f("-1", "int")
	f("9223372036854775807", "int")
	f("-9223372036854775808", "int")
	f("9223372036854775808", "embstr")
	f("01", "embstr")
	f("+1", "embstr")
	f("-0", "embstr")
	f(" 1", "embstr")
	f("1.0", "embstr")
	f(strings.Repeat("x", 44), "embstr")
	f(strings.Repeat("x", 45), "raw")
	v := New([]byte("1"))
	v.MarkPrinted()
	if v.Encoding() != "embstr" {
		t.Fatal("a printed number is an integer")
	}
	v.MarkRaw()
	if v.Encoding() != "raw" || v.Clone().Encoding() != "raw" {
		t.Fatal("an edited string is not raw")
	}
	v.SetCopy([]byte("1"))
	if v.Encoding() != "int" {
		t.Fatal("a string set anew remembers its past")
	}
}

func TestSetCopyReusesMemoryButDoesNotHoardIt(t *testing.T) {
	v := Copy(make([]byte, 1000))
	src := []byte(strings.Repeat("x", 900))
	if n := testing.AllocsPerRun(10, func() { v.SetCopy(src) }); n != 0 {
		t.Fatalf("%v allocations for bytes that fit", n)
	}
	src[0] = 'y'
	if v.B[0] != 'x' {
		t.Fatal("shares the caller's bytes")
	}
	v.SetCopy([]byte("small"))
	if cap(v.B) > 100 {
		t.Fatalf("5 bytes hold %d", cap(v.B))
	}
}

func TestGrowFillsWithZeros(t *testing.T) {
	t.Parallel()
	v := New(append(make([]byte, 0, 100), "abc"...))
	copy(v.B[:10], "abcdefghij") // what lay in the room before
	if got := v.Grow(6); string(got) != "abc\x00\x00\x00" || string(v.B) != string(got) {
		t.Fatalf("%q", got)
	}
	if got := v.Grow(2); len(got) != 6 {
		t.Fatal("shrunk")
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	f := func(s, want string) { // as DIGEST of Redis 8.10.2 answers
		t.Helper()
		if got := New([]byte(s)).Digest(); string(got[:]) != want {
			t.Fatalf("%q: %s, want %s", s, got, want)
		}
	}
	f("", "2d06800538d394c2")
	f("hello", "9555e8555c62dcfd")
	f("12345", "f34099ede96b5581")
}
