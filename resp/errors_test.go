package resp

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store"
)

func argv(words ...string) [][]byte {
	b := make([][]byte, len(words))
	for i, w := range words {
		b[i] = []byte(w)
	}
	return b
}

// The right column was read off Redis 8.10.2.
func TestUnknownCommandsRepeatTheirBeginning(t *testing.T) {
	f := func(got Error, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("%q\nwant %q", got, want)
		}
	}
	r := strings.Repeat
	f(UnknownCommand(argv("nope")), "ERR unknown command 'nope'")
	f(UnknownCommand(argv("nope", "a", r("b", 200), "c")), "ERR unknown command 'nope', with args beginning with: 'a' '"+r("b", 124)+"' ")
	f(UnknownCommand(argv(r("A", 200), r("x", 120), "yyyy", "z")), "ERR unknown command '"+r("A", 128)+"', with args beginning with: '"+r("x", 120)+"' 'yyyy' ")
	f(UnknownCommand(argv("a\x00b", "c\x00d")), "ERR unknown command 'a', with args beginning with: 'c' ")
	f(UnknownSubcommand(argv("client", "NOPE")), "ERR unknown subcommand 'NOPE'. Try CLIENT HELP.")
	f(UnknownSubcommand(argv("CLIENT", r("N", 200))), "ERR unknown subcommand '"+r("N", 128)+"'. Try CLIENT HELP.")
	f(UnknownSubcommand(argv("client")), "ERR missing subcommand. Try CLIENT HELP.")
	f(UnknownOption("Syntax error in HELLO option", []byte("foo")), "ERR Syntax error in HELLO option 'foo'")
	f(WrongArgs("client|kill"), "ERR wrong number of arguments for 'client|kill' command")
	f(ExpireTime("set"), "ERR invalid expire time in 'set' command")
	f(OutOfRange(1, 10), "ERR value is out of range, value must between 1 and 10")
	f(InSubscribeMode("get"), "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
}

func TestErrorTextKnowsEverySentinel(t *testing.T) {
	for _, s := range sentinels {
		if got := ErrorText(fmt.Errorf("key %q: %w", "k", s.Err)); got != string(s.Text) {
			t.Errorf("%v becomes %q, want %q", s.Err, got, s.Text)
		}
		code, _, _ := strings.Cut(string(s.Text), " ")
		if code == "" || code != strings.ToUpper(code) {
			t.Errorf("%q begins with no error code", s.Text)
		}
	}
	f := func(err error, want string) {
		t.Helper()
		if got := ErrorText(err); got != want {
			t.Errorf("%v becomes %q, want %q", err, got, want)
		}
	}
	f(store.ErrWrongType, "WRONGTYPE Operation against a key holding the wrong kind of value")
	f(ErrSyntax, "ERR syntax error")
	f(fmt.Errorf("option: %w", ErrNotInt), "ERR value is not an integer or out of range")
	f(ProtocolError("invalid bulk length"), "ERR Protocol error: invalid bulk length")
	f(errors.New("disk is full"), "ERR disk is full")
}
