package server

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// try is do for commands whose reply may be an error.
func try(t *testing.T, c *client.Conn, args ...any) client.Value {
	t.Helper()
	v, err := c.Do(args...)
	if e := client.Error(""); err != nil && !errors.As(err, &e) {
		t.Fatalf("%v: %v", args, err)
	}
	if err != nil {
		return client.Value{Kind: client.ErrorKind, Str: err.Error()}
	}
	return v
}

// untilReply asks until the answer is as wanted.
func untilReply(t *testing.T, c *client.Conn, want func(client.Value) bool, args ...any) client.Value {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		v := try(t, c, args...)
		if want(v) {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v: %v", args, v)
		}
	}
}

func isError(prefix string) func(client.Value) bool {
	return func(v client.Value) bool { return v.Err() != nil && strings.HasPrefix(v.Str, prefix) }
}

// inBackground runs a command in the background and returns where its reply comes.
func inBackground(t *testing.T, s *Server, args ...any) <-chan client.Value {
	t.Helper()
	c := dial(t, s, client.Options{Timeout: time.Minute})
	reply := make(chan client.Value, 1)
	go func() {
		v, err := c.Do(args...)
		if err != nil {
			v = client.Value{Str: err.Error()}
		}
		reply <- v
	}()
	return reply
}

// TestEndlessScript: while a script does not end, who wants its keys hears so,
// whether it asks before or after the threshold; SCRIPT KILL ends it.
func TestEndlessScript(t *testing.T) {
	s, _ := start(t, nil, "--busy-reply-threshold", "50", "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	try(t, c, "SET", "k", "v")
	reply := inBackground(t, s, "EVAL", "redis.call('get', KEYS[1]) while true do end", 1, "k")
	untilReply(t, c, isError("BUSY"), "GET", "k")
	for _, cmd := range [][]any{{"GET", "k"}, {"SET", "k", "w"}, {"MGET", "k", "l", "m"}, {"DBSIZE"}, {"FLUSHALL"}, {"KEYS", "*"}, {"EVAL", "return redis.call('get', KEYS[1])", 1, "k"}} {
		if v := try(t, c, cmd...); v.Str != "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE." {
			t.Errorf("%v: %v", cmd, v)
		}
	}
	try(t, c, "MULTI")
	try(t, c, "GET", "k")
	if v := try(t, c, "EXEC"); !strings.HasPrefix(v.Str, "EXECABORT Transaction discarded because of: BUSY") {
		t.Error(v)
	}
	if v := try(t, c, "PING"); v.Str != "PONG" {
		t.Error(v)
	}
	if v := try(t, c, "FUNCTION", "KILL"); !strings.HasPrefix(v.Str, "BUSY") {
		t.Error(v)
	}
	if v := try(t, c, "FUNCTION", "STATS"); !strings.HasPrefix(v.Str, "BUSY") {
		t.Error(v)
	}
	if v := try(t, c, "SCRIPT", "KILL"); v.Str != "OK" {
		t.Fatal(v)
	}
	if v := <-reply; !strings.HasPrefix(v.Str, "ERR Script killed by user with SCRIPT KILL... script: ") {
		t.Error(v)
	}
	if v := try(t, c, "GET", "k"); v.Str != "v" {
		t.Error(v)
	}
	if v := try(t, c, "SCRIPT", "KILL"); !isError("NOTBUSY")(v) {
		t.Error(v)
	}
}

// TestEndlessFunction is the same for a function, with which a library is busy too.
func TestEndlessFunction(t *testing.T) {
	s, _ := start(t, nil, "--busy-reply-threshold", "50", "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	try(t, c, "FUNCTION", "LOAD", "#!lua name=lib\nlocal n = 0 redis.register_function('loop', function() n = n + 1 while true do end end) redis.register_function('n', function() return n end)")
	reply := inBackground(t, s, "FCALL", "loop", 0)
	untilReply(t, c, isError("BUSY Redis is busy running a script. You can only call FUNCTION KILL"), "FCALL", "n", 0)
	if v := try(t, c, "SCRIPT", "KILL"); !strings.HasPrefix(v.Str, "BUSY") {
		t.Error(v)
	}
	if v := try(t, c, "FUNCTION", "STATS"); !strings.Contains(v.String(), "loop") {
		t.Error(v)
	}
	if v := try(t, c, "FUNCTION", "KILL"); v.Str != "OK" {
		t.Fatal(v)
	}
	<-reply
	if v := try(t, c, "FCALL", "n", 0); v.Int != 1 {
		t.Error(v)
	}
}

// TestScriptThatHasWritten cannot be killed, but ends with the server; what it
// has written by then is not in the log.
func TestScriptThatHasWritten(t *testing.T) {
	dir := t.TempDir()
	flags := []string{"--busy-reply-threshold", "50", "--dir", dir, "--appendonly", "yes", "--appendfsync", "always"}
	s, stop := start(t, nil, flags...)
	c := dial(t, s, client.Options{})
	try(t, c, "SET", "k", "before")
	reply := inBackground(t, s, "EVAL", "redis.call('set', KEYS[1], 'half') while true do end", 1, "k")
	untilReply(t, c, isError("BUSY"), "GET", "k")
	if v := try(t, c, "SCRIPT", "KILL"); !isError("UNKILLABLE")(v) {
		t.Error(v)
	}
	stop()
	<-reply
	s, _ = start(t, nil, flags...)
	c = dial(t, s, client.Options{})
	if v := try(t, c, "GET", "k"); v.Str != "before" {
		t.Errorf("after the restart k is %v", v)
	}
}

// TestScriptsSurviveARestart: what a script has written is there after a restart,
// with all its functions.
func TestScriptsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendonly", "yes", "--appendfsync", "always"}
	s, stop := start(t, nil, flags...)
	c := dial(t, s, client.Options{})
	lib := "#!lua name=lib\nredis.register_function('double', function(keys) return redis.call('incrby', keys[1], redis.call('get', keys[1])) end)"
	try(t, c, "FUNCTION", "LOAD", lib)
	try(t, c, "FUNCTION", "LOAD", strings.ReplaceAll(strings.ReplaceAll(lib, "lib", "gone"), "double", "lost"))
	try(t, c, "FUNCTION", "DELETE", "gone")
	try(t, c, "SET", "n", "21")
	try(t, c, "FCALL", "double", 1, "n")
	try(t, c, "EVAL", "redis.call('select', 2) for i = 1, 100 do redis.call('hset', KEYS[1], i, ARGV[1]) end redis.call('spop', 'none') redis.call('pexpire', KEYS[1], 1000000) return redis.call('incrbyfloat', KEYS[2], 0.1)", 2, "h", "f", "v")
	if v := try(t, c, "EVAL", "redis.call('set', KEYS[1], 'kept') error('later')", 1, "e"); v.Err() == nil {
		t.Error(v)
	}
	want := contents(t, s, 3)
	stop()
	s, _ = start(t, nil, flags...)
	c = dial(t, s, client.Options{})
	sameContents(t, contents(t, s, 3), want)
	if v := try(t, c, "FCALL", "double", 1, "n"); v.Int != 84 {
		t.Error(v)
	}
	if v := try(t, c, "FCALL", "lost", 1, "n"); v.Err() == nil {
		t.Error(v)
	}
	if v := try(t, c, "GET", "e"); v.Str != "kept" {
		t.Error(v)
	}
}

// TestScriptMemory: a script that wants more than there is ends, and the next
// one has it all again.
func TestScriptMemory(t *testing.T) {
	s, _ := start(t, nil, "--script-memory-limit", "4mb", "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	try(t, c, "SET", "big", strings.Repeat("x", 6<<20))
	for _, src := range []string{
		"local t = {} while true do t[#t + 1] = {} end",
		"return redis.call('get', 'big')",
		"return redis.call('mget', 'big', 'big')",
		"return ('x'):rep(6e6)",
		"local t = {} t[1] = t t[2] = t return t",
	} {
		if v := try(t, c, "EVAL", src, 0); !strings.Contains(v.Str, "not enough memory") {
			t.Errorf("%s: %.100v", src, v)
		}
	}
	if v := try(t, c, "EVAL", "return #('x'):rep(3e6)", 0); v.Int != 3e6 {
		t.Error(v)
	}
	if n := s.env.Scripts.Stats().RunBytes; n != 0 {
		t.Errorf("%d bytes were not given back", n)
	}
}

// TestScriptsAreOneMoment races scripts over the same keys, declared and not,
// beside transactions and single commands: a sum stays what it is.
func TestScriptsAreOneMoment(t *testing.T) {
	s, _ := start(t, nil, "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	const total, rounds = 1000, 150
	try(t, c, "MSET", "a", total, "b", 0, "c", 0)
	try(t, c, "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('move', function(keys, args) redis.call('decrby', keys[1], args[1]) redis.call('incrby', keys[2], args[1]) return 1 end)")
	movers := [][]any{
		{"EVAL", "redis.call('decrby', KEYS[1], ARGV[1]) redis.call('incrby', KEYS[2], ARGV[1])", 2, "a", "b", 3},
		{"EVAL", "redis.call('decrby', 'b', 2) redis.call('incrby', 'c', 2)", 0},
		{"EVAL", "local from, to = 'c', ('a') redis.call('decrby', from, 1) redis.call('incrby', to:lower(), 1)", 0},
		{"FCALL", "move", 2, "b", "a", 1},
	}
	var wg sync.WaitGroup
	for _, m := range movers {
		conn := dial(t, s, client.Options{})
		wg.Go(func() {
			for range rounds {
				if v := try(t, conn, m...); v.Err() != nil {
					t.Error(v)
					return
				}
			}
		})
	}
	for _, q := range [][]any{
		{"EVAL", "return redis.call('get', 'a') + redis.call('get', 'b') + redis.call('get', 'c')", 0},
		{"EVAL", "local s = 0 for _, k in ipairs(KEYS) do s = s + redis.call('get', k) end return s", 3, "a", "b", "c"},
	} {
		conn := dial(t, s, client.Options{})
		wg.Go(func() {
			for range rounds {
				if v := try(t, conn, q...); v.Int != total {
					t.Errorf("%v: %v", q, v)
					return
				}
			}
		})
	}
	wg.Wait()
}
