package resp

import "testing"

func TestAppendQuoted(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := string(AppendQuoted([]byte(">"), s)); got != ">"+want {
			t.Errorf("%q is %s, want %s", s, got[1:], want)
		}
	}
	f("", `""`)
	f("plain 'words'", `"plain 'words'"`)
	f("a\"b\\c\n\r\t\a\b\x00\x7f\xff", `"a\"b\\c\n\r\t\a\b\x00\x7f\xff"`)
}
