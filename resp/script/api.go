package script

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/script/codec"
	"github.com/nearcache/nearcache/resp/script/lua"
)

// Version is what scripts learn of the server: the version of Redis whose
// commands they may expect.
var Version = "8.2.4"

func itoa(n int) string { return strconv.Itoa(n) }

// api makes a function of the table redis.
func api(f func(m *machine, l *lua.Thread)) *lua.Function {
	return lua.GoFunction(func(l *lua.Thread) { f(l.State().Host.(*machine), l) })
}

// What redis.set_repl takes. There is one log, and it holds what scripts change
// whatever they say; so these are checked and change nothing.
const (
	replNone    = 0
	replAOF     = 1
	replReplica = 2
	replAll     = replAOF | replReplica
)

// The levels of redis.log.
const (
	logDebug = iota
	logVerbose
	logNotice
	logWarning
)

func versionNumber() float64 {
	n := 0
	for part := range strings.SplitSeq(Version, ".") {
		k, _ := strconv.Atoi(part)
		n = n<<8 | k
	}
	return float64(n)
}

// logConstants and logFunctions are those that FUNCTION LOAD has, too.
func logConstants() map[string]lua.Value {
	return map[string]lua.Value{
		"LOG_DEBUG": lua.Number(logDebug), "LOG_VERBOSE": lua.Number(logVerbose),
		"LOG_NOTICE": lua.Number(logNotice), "LOG_WARNING": lua.Number(logWarning),
		"REDIS_VERSION": lua.Shared(Version), "REDIS_VERSION_NUM": lua.Number(versionNumber()),
	}
}

func redisConstants() map[string]lua.Value {
	c := logConstants()
	maps.Copy(c, map[string]lua.Value{
		"REPL_NONE": lua.Number(replNone), "REPL_AOF": lua.Number(replAOF), "REPL_SLAVE": lua.Number(replReplica),
		"REPL_REPLICA": lua.Number(replReplica), "REPL_ALL": lua.Number(replAll),
	})
	return c
}

func redisFunctions() map[string]*lua.Function {
	return map[string]*lua.Function{
		"call":          api(func(m *machine, l *lua.Thread) { m.do(l, true) }),
		"pcall":         api(func(m *machine, l *lua.Thread) { m.do(l, false) }),
		"log":           api(apiLog),
		"sha1hex":       api(apiSHA1),
		"error_reply":   api(apiErrorReply),
		"status_reply":  api(apiStatusReply),
		"setresp":       api(apiSetResp),
		"set_repl":      api(apiSetRepl),
		"acl_check_cmd": api(apiACLCheck),
	}
}

func codecs() map[string]*lua.Table {
	return map[string]*lua.Table{"cjson": codec.JSON, "cmsgpack": codec.MsgPack, "struct": codec.Struct}
}

// The tables redis of scripts, of functions, and of FUNCTION LOAD.
var (
	evalRedis = sync.OnceValue(func() *lua.Table {
		fns := redisFunctions()
		maps.Copy(fns, map[string]*lua.Function{
			"breakpoint":         lua.GoFunction(func(l *lua.Thread) { l.Push(lua.False) }),
			"debug":              lua.GoFunction(func(*lua.Thread) {}),
			"replicate_commands": lua.GoFunction(func(l *lua.Thread) { l.Push(lua.True) }),
		})
		return lua.Library(fns, redisConstants())
	})
	functionRedis = sync.OnceValue(func() *lua.Table { return lua.Library(redisFunctions(), redisConstants()) })
	loadRedis     = sync.OnceValue(func() *lua.Table {
		t := lua.Library(map[string]*lua.Function{
			"register_function": api(apiRegister), "log": api(apiLog),
		}, logConstants())
		t.SetMeta(lua.NoGlobal)
		return t
	})
)

func evalGlobals() *lua.Table {
	libs := codecs()
	libs["redis"] = evalRedis()
	return lua.NewGlobals(libs)
}

func functionGlobals() *lua.Table {
	libs := codecs()
	libs["redis"] = functionRedis()
	return lua.NewGlobals(libs)
}

// errorTable is a value as redis.pcall returns it for an error: of "-CODE text"
// the code is kept, anything else gets ERR.
func errorTable(l *lua.Thread, text string) *lua.Table {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		text = rest
		if !strings.Contains(text, " ") {
			text = "ERR " + text
		}
	} else {
		text = "ERR " + text
	}
	code, msg, _ := strings.Cut(text, " ")
	t := l.Table(0, 1)
	l.Set(t, nameErr, l.String(code+" "+strings.Trim(cString([]byte(msg)), "\r\n")))
	return t
}

var (
	nameErr    = lua.Shared("err")
	nameOK     = lua.Shared("ok")
	nameIgnore = lua.Shared("ignore_error_stats_update")
)

// fail raises an error as redis.call does.
func fail(l *lua.Thread, text string) { l.Raise(errorTable(l, text).Value()) }

// chunk is where the arguments of commands are: what they write to the log must
// stay until the end of the Tx, so a chunk is never used again, only used up.
type chunk struct {
	bytes []byte
	argv  [][]byte
}

// Sizes of the pieces that are taken at a time.
const (
	chunkBytes = 4 << 10
	chunkArgs  = 128
)

// argv converts the arguments of redis.call.
func (m *machine) arguments(l *lua.Thread) (argv [][]byte, wrong string) {
	n := l.NArg()
	if n == 0 {
		return nil, "Please specify at least one argument for this redis lib call"
	}
	c := &m.argv
	if cap(c.argv)-len(c.argv) < n {
		c.argv = make([][]byte, 0, max(n, chunkArgs))
	}
	first := len(c.argv)
	for i := 1; i <= n; i++ {
		b, ok := c.argument(l.Arg(i))
		if !ok {
			c.argv = c.argv[:first]
			return nil, "Lua redis lib command arguments must be strings or integers"
		}
		c.argv = append(c.argv, b)
	}
	return c.argv[first:len(c.argv):len(c.argv)], ""
}

func (c *chunk) argument(v lua.Value) ([]byte, bool) {
	size := 32 // of a number
	if s, ok := v.AsString(); ok {
		if size = len(s); size > chunkBytes/4 { // strings do not change: the command may have it
			return unsafe.Slice(unsafe.StringData(s), len(s)), true
		}
	}
	if cap(c.bytes)-len(c.bytes) < size {
		c.bytes = make([]byte, 0, chunkBytes)
	}
	from, b := len(c.bytes), c.bytes
	if s, ok := v.AsString(); ok {
		b = append(b, s...)
	} else if f, ok := v.AsNumber(); !ok {
		return nil, false
	} else if n := int64(f); float64(n) == f && -1<<62 <= n && n <= 1<<62 {
		b = strconv.AppendInt(b, n, 10)
	} else {
		b = resp.AppendDouble(b, f)
	}
	c.bytes = b
	return b[from:len(b):len(b)], true
}

// do is redis.call and redis.pcall.
func (m *machine) do(l *lua.Thread, raise bool) {
	bytes, args := len(m.argv.bytes), len(m.argv.argv)
	argv, wrong := m.arguments(l)
	if wrong != "" {
		m.refuse(l, wrong, raise, false)
		return
	}
	reply, refused := m.call.Host.Do(argv, m.proto)
	if refused != "" {
		m.refuse(l, refused, raise, true)
		return
	}
	if !m.run.wrote.Load() && len(m.argv.bytes) >= bytes && len(m.argv.argv) >= args {
		m.argv.bytes, m.argv.argv = m.argv.bytes[:bytes], m.argv.argv[:args] // no log has them
	}
	if reply[0] == '-' {
		text, _ := line(reply[1:])
		m.refuse(l, "-"+string(text), raise, true)
		return
	}
	r := reader{l: l, b: reply}
	r.value(l.Push)
}

func (m *machine) refuse(l *lua.Thread, text string, raise, counted bool) {
	t := errorTable(l, text)
	if counted {
		l.Set(t, nameIgnore, lua.True)
	}
	if raise {
		l.Raise(t.Value())
	} else {
		l.Push(t.Value())
	}
}

func apiSHA1(_ *machine, l *lua.Thread) {
	if l.NArg() != 1 {
		fail(l, "wrong number of arguments")
		return
	}
	s, _ := l.Arg(1).Text()
	sum := sha1.Sum([]byte(s))
	l.Push(l.String(hex.EncodeToString(sum[:])))
}

func apiErrorReply(_ *machine, l *lua.Thread) {
	s, ok := l.Arg(1).AsString()
	if l.NArg() != 1 || !ok {
		l.Push(errorTable(l, "wrong number or type of arguments").Value())
		return
	}
	s = cString([]byte(s))
	if !strings.HasPrefix(s, "-") {
		s = "-" + s
	}
	l.Push(errorTable(l, s).Value())
}

func apiStatusReply(_ *machine, l *lua.Thread) {
	v := l.Arg(1)
	if _, ok := v.AsString(); l.NArg() != 1 || !ok {
		l.Push(errorTable(l, "wrong number or type of arguments").Value())
		return
	}
	t := l.Table(0, 1)
	l.Set(t, nameOK, v)
	l.Push(t.Value())
}

// number is an argument as lua_tonumber has it: zero where it is none.
func number(l *lua.Thread, i int) int {
	f, _ := lua.ToNumber(l.Arg(i))
	return int(int32(lua.Integer(f)))
}

func apiSetRepl(_ *machine, l *lua.Thread) {
	switch {
	case l.NArg() != 1:
		fail(l, "redis.set_repl() requires one argument.")
	case number(l, 1)&^replAll != 0:
		fail(l, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
}

func apiSetResp(m *machine, l *lua.Thread) {
	if l.NArg() != 1 {
		fail(l, "redis.setresp() requires one argument.")
		return
	}
	n := number(l, 1)
	if n != 2 && n != 3 {
		fail(l, "RESP version must be 2 or 3.")
		return
	}
	m.proto = n
}

func apiACLCheck(m *machine, l *lua.Thread) {
	argv, wrong := m.arguments(l)
	if wrong == "" {
		var ok bool
		if ok, wrong = m.call.Host.Allowed(argv); wrong == "" {
			l.Push(lua.Bool(ok))
			return
		}
	}
	fail(l, wrong)
}

func apiLog(m *machine, l *lua.Thread) {
	if l.NArg() < 2 {
		fail(l, "redis.log() requires two arguments or more.")
		return
	}
	f, ok := lua.ToNumber(l.Arg(1))
	if !ok {
		fail(l, "First argument must be a number (log level).")
		return
	}
	level := int(int32(lua.Integer(f)))
	if level < logDebug || level > logWarning {
		fail(l, "Invalid log level.")
		return
	}
	levels := [...]slog.Level{slog.LevelDebug, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn}
	logger := m.e.o.Logger()
	if !logger.Enabled(context.Background(), levels[level]) {
		return
	}
	var b strings.Builder
	for i := 2; i <= l.NArg() && b.Len() < maxLogLine; i++ {
		if s, ok := l.Arg(i).Text(); ok {
			if i > 2 {
				b.WriteByte(' ')
			}
			b.WriteString(s[:min(len(s), maxLogLine-b.Len())])
		}
	}
	logger.Log(context.Background(), levels[level], "script", "says", b.String())
}

// maxLogLine is how much of a message is logged, as in Redis.
const maxLogLine = 1024
