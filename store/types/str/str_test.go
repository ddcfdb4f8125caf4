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
}

func TestStandKeepsTheForm(t *testing.T) {
	v := New([]byte("1"))
	for _, mark := range []func(){func() {}, v.MarkPrinted, v.MarkRaw} {
		mark()
		var w Value
		if w.Stand(v.B, v.Form()); w.Encoding() != v.Encoding() {
			t.Fatalf("%s of a string that was %s", w.Encoding(), v.Encoding())
		}
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
