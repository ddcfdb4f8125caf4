package script_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/commands"
	"github.com/nearcache/nearcache/resp/script"
)

func engine() *script.Engine {
	return script.New(script.Options{
		Logger: func() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) },
		Keys:   command.NewTable(commands.All()...).KeysOf,
	})
}

func plan(t *testing.T, src string) string {
	t.Helper()
	s, err := engine().Eval([]byte(src))
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	p := s.Plan()
	if p.Wide {
		return "all"
	}
	var keys []string
	for _, k := range p.Keys {
		keys = append(keys, string(k))
	}
	return strings.Join(keys, " ")
}

// planned are scripts with the keys that they may touch beside those they
// declare. "all" is always right; a list must hold whatever any run could use.
var planned = []struct{ want, src string }{
	// No keys at all.
	{"", `return 1`},
	{"", `while true do end`},
	{"", `return redis.call('ping')`},
	{"", `return redis.call('publish', ARGV[1], 'x')`},
	{"", `return redis.sha1hex(ARGV[1]) .. cjson.encode({1})`},
	{"", `redis.log(redis.LOG_NOTICE, 'x') redis.setresp(3) return redis.status_reply('OK')`},
	{"", `return KEYS`},
	{"", `return {#KEYS, ARGV[1]}`},
	// Keys that are declared.
	{"", `return redis.call('get', KEYS[1])`},
	{"", `return redis.call("INCRBY", KEYS[1], ARGV[1])`},
	{"", `return redis.pcall('set', KEYS[1], ARGV[1], 'EX', 10)`},
	{"", `local k = KEYS[1] return redis.call('get', k)`},
	{"", `local k, v = KEYS[1], ARGV[1] redis.call('set', k, v) return redis.call('get', k)`},
	{"", `local rcall = redis.call local k = KEYS[1] rcall('incr', k) return rcall('get', k)`},
	{"", `local r = redis return r.call('get', KEYS[1])`},
	{"", `for i = 1, #KEYS do redis.call('del', KEYS[i]) end`},
	{"", `for i, k in ipairs(KEYS) do redis.call('incr', k) end`},
	{"", `for _, k in pairs(KEYS) do redis.call('incr', k) end`},
	{"", `return redis.call('del', unpack(KEYS))`},
	{"", `return redis.call('mget', KEYS[1], unpack(KEYS, 2))`},
	{"", `return redis.call('sadd', KEYS[1], unpack(ARGV))`},
	{"", `return redis.call('rename', KEYS[1], KEYS[2])`},
	{"", `return redis.call('object', 'encoding', KEYS[1])`},
	{"", `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end`},
	{"", `local c = redis.call('incr', KEYS[1]) if tonumber(c) == 1 then redis.call('expire', KEYS[1], ARGV[1]) end return c`},
	{"", `local function get() return redis.call('get', KEYS[1]) end return get()`},
	{"", `local call = redis.call local function get(f) return call('hget', KEYS[1], f) end return get('a') .. get('b')`},
	{"", `local t = {} for i = 1, 3 do t[i] = function() return redis.call('get', KEYS[i]) end end return t[1]()`},
	{"", `local k if ARGV[1] == 'a' then k = KEYS[1] else k = KEYS[2] end return redis.call('get', k)`},
	{"", `local k = ARGV[1] == 'x' and KEYS[1] or KEYS[2] return redis.call('get', k)`},
	{"", `local keys = KEYS return redis.call('get', keys[1])`},
	{"", `local co = coroutine.wrap(function() return redis.call('get', KEYS[1]) end) return co()`},
	{"", `local ok, err = pcall(function() return redis.call('get', KEYS[1]) end) return ok`},
	{"", `local x = redis.call('get', KEYS[1]) x = redis.call('get', KEYS[2]) return x`},
	{"", `local c = redis.call c = error return c('get', 'x')`},
	// Keys that are constants.
	{"foo", `return redis.call('get', 'foo')`},
	{"a b", `return redis.call('mget', 'a', KEYS[1], 'b')`},
	{"n", `local k = 'n' return redis.call('incr', k)`},
	{"a", `return redis.call('sadd', 'a', unpack(ARGV))`},
	{"a b", `redis.call('mset', 'a', ARGV[1], 'b', ARGV[2])`},
	// Anything.
	{"all", `return redis.call('get', ARGV[1])`},
	{"all", `return redis.call('get', KEYS[1] .. 'x')`},
	{"all", `return redis.call('get', 'x' .. ARGV[1])`},
	{"all", `return redis.call(ARGV[1], KEYS[1])`},
	{"all", `return redis.call(unpack(ARGV))`},
	{"all", `return redis.call('del', unpack(ARGV))`},
	{"all", `return redis.call('mset', unpack(KEYS))`},
	{"all", `return redis.call('keys', '*')`},
	{"all", `return redis.call('scan', 0)`},
	{"all", `return redis.call('dbsize')`},
	{"all", `return redis.call('flushall')`},
	{"all", `return redis.call('nope')`},
	{"all", `return redis.call('zunionstore', KEYS[1], 1, KEYS[2])`},
	{"all", `return redis[ARGV[1]]('get', 'x')`},
	{"all", `return pcall(redis.call, 'get', 'x')`},
	{"all", `local t = {redis.call} return t[1]('get', 'x')`},
	{"all", `local t = {r = redis} return t.r.call('get', ARGV[1])`},
	{"all", `local t = {} t.call = redis.call return t.call('get', ARGV[1])`},
	{"all", `return (function(c) return c('get', ARGV[1]) end)(redis.call)`},
	{"all", `return (function() return redis.call end)()('get', ARGV[1])`},
	{"all", `local c = ARGV[1] and redis.call or redis.pcall return c('get', ARGV[1])`},
	{"all", `return _G.redis.call('get', ARGV[1])`},
	{"all", `return loadstring('return redis.call("get", ARGV[1])')()`},
	{"all", `KEYS[1] = ARGV[1] return redis.call('get', KEYS[1])`},
	{"all", `table.insert(KEYS, ARGV[1]) return redis.call('get', KEYS[1])`},
	{"all", `local k = KEYS k[1] = ARGV[1] return redis.call('get', KEYS[1])`},
	{"all", `setmetatable(KEYS, {__index = ARGV}) return redis.call('get', KEYS[1])`},
	{"all", `rawset(KEYS, 1, 'x') return redis.call('get', KEYS[1])`},
	{"all", `local keys = {KEYS} return redis.call('get', KEYS[1])`},
	{"all", `local k = KEYS[1] k = ARGV[1] return redis.call('get', k)`},
	{"all", `local k = KEYS[1] local function f() k = ARGV[1] end f() return redis.call('get', k)`},
	{"all", `local k = KEYS[1] if ARGV[1] then k = ARGV[2] end return redis.call('get', k)`},
	{"all", `local k = KEYS[1] for i = 1, 2 do redis.call('get', k) k = ARGV[1] end`},
	{"all", `local k = KEYS[1] while true do redis.call('get', k) k = k .. 'x' end`},
	{"all", `local function get(k) return redis.call('get', k) end return get(KEYS[1])`},
	{"all", `local k = 'a' local function f() return redis.call('get', k) end k = 'b' return f()`},
	{"all", `local c = error local function f() return c('get', ARGV[1]) end c = redis.call return f()`},
	{"all", `local c local function f() return c('get', ARGV[1]) end local function g() c = redis.call end g() return f()`},
	{"all", `local c = redis.call local function g() c = print end return c('get', KEYS[1])`},
	{"all", `for k in redis.call do end`},
	{"all", `for k in pairs(redis) do end`},
	{"all", `for i, k in ipairs({KEYS[1], ARGV[1]}) do redis.call('get', k) end`},
	{"all", `local _, t = ipairs(KEYS) t[1] = ARGV[1] return redis.call('get', KEYS[1])`},
	{"all", `local it, t, n = ipairs(KEYS) for i, k in it, ARGV, n do redis.call('get', k) end`},
	{"all", `return redis:call('get', 'x')`},
	{"all", `return coroutine.wrap(redis.call)('get', ARGV[1])`},
	{"all", `return table.foreach(KEYS, function(i, k) redis.call('get', k) end)`},
	{"all", `local u = unpack return redis.call('get', u({ARGV[1]}))`},
	{"all", `return redis.call('get', (KEYS[1]):upper())`},
	{"all", `return redis.call('get', tostring(KEYS[1]))`},
	{"all", `local k = {KEYS[1]} return redis.call('get', k[1])`},
	{"all", `return redis.call('get', select(1, KEYS[1]))`},
	{"all", `return xpcall(redis.call, error)`},
	{"all", `redis.call('get', getmetatable(_G).__index)`},
}

func TestPlans(t *testing.T) {
	for _, p := range planned {
		if got := plan(t, p.src); got != p.want {
			t.Errorf("%s\n got %q, want %q", p.src, got, p.want)
		}
	}
}

// TestFunctionPlans: a function gets its keys as an argument.
func TestFunctionPlans(t *testing.T) {
	f := func(want, body string) {
		t.Helper()
		e := engine()
		if _, err := e.LoadLibrary("#!lua name=lib\n"+body, false); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		p, got := e.FindFunc([]byte("f")).Plan(), "all"
		if !p.Wide {
			var keys []string
			for _, k := range p.Keys {
				keys = append(keys, string(k))
			}
			got = strings.Join(keys, " ")
		}
		if got != want {
			t.Errorf("%s\n got %q, want %q", body, got, want)
		}
	}
	f("", `redis.register_function('f', function(keys, args) return redis.call('get', keys[1]) end)`)
	f("", `redis.register_function('f', function(keys, args) for i, k in ipairs(keys) do redis.call('incrby', k, args[1]) end end)`)
	f("", `local limit = 5 redis.register_function('f', function(keys) return redis.call('get', keys[1]) .. limit end)`)
	f("x", `redis.register_function('f', function() return redis.call('get', 'x') end)`)
	f("", `redis.register_function('f', function() return 1 end)`)
	f("all", `redis.register_function('f', function(keys, args) return redis.call('get', args[1]) end)`)
	f("all", `local function get(k) return redis.call('get', k) end redis.register_function('f', function(keys) return get(keys[1]) end)`)
	f("all", `local t = {} redis.register_function('f', function(keys) t[1] = keys return redis.call('get', keys[1]) end)`)
	f("all", `redis.register_function('f', redis.log)`)
}

// program writes random code that moves redis.call, KEYS and keys about: through
// local variables, upvalues, branches and loops.
type program struct {
	*rand.Rand
	strings.Builder
	depth int
}

var names = []string{"a", "b", "c", "d"}

func (p *program) pick(of ...string) string { return of[p.IntN(len(of))] }

func (p *program) value() string {
	switch p.IntN(12) {
	case 0:
		return p.pick("KEYS", "redis", "redis.call", "redis.pcall", "ARGV")
	case 1, 2, 3:
		return p.pick("KEYS[1]", "KEYS[2]", "KEYS[i]", "KEYS[#KEYS]")
	case 4:
		return p.pick("ARGV[1]", "nil", "1", "{}", "i")
	case 5:
		return p.pick("'x'", "'get'", "'y'")
	case 6:
		return p.value() + p.pick(" and ", " or ") + p.value()
	case 7:
		return p.pick(names...) + "[1]"
	case 8:
		return "(" + p.value() + ")"
	case 9:
		return p.call()
	}
	return p.pick(names...)
}

func (p *program) call() string {
	fn := p.pick("redis.call", "redis.call", "redis.pcall", "a", "b", "pcall", "unpack", "select")
	args := []string{p.pick("'get'", "'set'", "'mget'", "'del'", "c")}
	for range 1 + p.IntN(2) {
		args = append(args, p.pick("KEYS[1]", "'x'", "a", "b", "c", "d", "unpack(KEYS)", "v"))
	}
	return fn + "(" + strings.Join(args, ", ") + ")"
}

func (p *program) statement() {
	p.depth++
	defer func() { p.depth-- }()
	kind := p.IntN(12)
	if p.depth > 3 {
		kind %= 6
	}
	switch kind {
	case 0, 1:
		fmt.Fprintf(p, "local %s = %s ", p.pick(names...), p.value())
	case 2:
		fmt.Fprintf(p, "local %s, %s = %s, %s ", p.pick(names...), p.pick(names...), p.value(), p.value())
	case 3:
		fmt.Fprintf(p, "%s = %s ", p.pick(names...), p.value())
	case 4, 5:
		fmt.Fprintf(p, "pcall(function() return %s end) ", p.call())
	case 6:
		fmt.Fprintf(p, "if %s then ", p.value())
		p.block()
		if p.IntN(2) == 0 {
			p.WriteString("else ")
			p.block()
		}
		p.WriteString("end ")
	case 7:
		p.WriteString("for i = 1, 2 do ")
		p.block()
		p.WriteString("end ")
	case 8:
		fmt.Fprintf(p, "for i, v in %s(%s) do ", p.pick("ipairs", "pairs"), p.pick("KEYS", "ARGV", "{KEYS[1], 'z'}"))
		p.block()
		p.WriteString("end ")
	case 9:
		fmt.Fprintf(p, "local function %s() ", p.pick(names...))
		p.block()
		fmt.Fprintf(p, "return %s end ", p.value())
	case 10:
		fmt.Fprintf(p, "pcall(%s) ", p.pick(names...))
	case 11:
		p.WriteString("pcall(function(v) ")
		p.block()
		fmt.Fprintf(p, "end, %s) ", p.pick(names...))
	}
}

func (p *program) block() {
	for range 1 + p.IntN(3) {
		p.statement()
	}
}

// TestRandomPlans runs random code whose plan is a list of keys.
func TestRandomPlans(t *testing.T) {
	e := engine()
	e.SetBusyAfter(time.Millisecond)
	table := command.NewTable(commands.All()...)
	keys := [][]byte{[]byte("k1"), []byte("k2")}
	narrow, asked := 0, 0
	for seed := range uint64(10000) {
		p := program{Rand: rand.New(rand.NewPCG(seed, 1))}
		p.WriteString("local a, b, c, d = redis.call, redis.pcall, KEYS[1], 'x' local i, v = 1, 'z' ")
		for range 1 + p.IntN(6) {
			p.statement()
		}
		src := p.String()
		s, err := e.Eval([]byte(src))
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if s.Plan().Wide {
			continue
		}
		narrow++
		host := &recorder{table: table, known: append(s.Plan().Keys, keys...), stop: func() { e.Kill(true) }}
		var w resp.Writer
		e.RunScript(s, &script.Call{Host: host, W: &w, Keys: keys, Args: [][]byte{[]byte("a1"), []byte("get")}})
		if host.wrong != nil {
			t.Fatalf("%s: %v", src, host.wrong)
		}
		if host.keys > 0 {
			asked++
		}
	}
	if narrow < 300 || asked < 100 {
		t.Errorf("%d plans were lists, %d of them asked for keys", narrow, asked)
	}
}
