package lua_test

import (
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/script/codec"
	"github.com/nearcache/nearcache/resp/script/lua"
)

func machine() *lua.State {
	return lua.NewState(lua.NewGlobals(map[string]*lua.Table{
		"cjson": codec.JSON, "cmsgpack": codec.MsgPack, "struct": codec.Struct,
	}))
}

// greedy are scripts that ask for more than there is, in all the ways there are.
var greedy = []string{
	`local t = {} t[67108863] = 1 for i = 1, 1e9 do t[i] = i end`,
	`local t = {} for i = 1, 1e9 do t['k' .. i] = i end`,
	`local t = {} while true do t = {t} end`,
	`local t = {} while true do t[#t + 1] = {} end`,
	`local t = {} while true do t[#t + 1] = function() return t end end`,
	`local s = 'x' while true do s = s .. s end`,
	`local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end`,
	`return ('x'):rep(1e9)`,
	`return ('x'):rep(1e8):rep(1e8)`,
	`local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e6) end return table.concat(t, ('y'):rep(1e6))`,
	`return ('x'):rep(1e6):gsub('x', ('y'):rep(1e6))`,
	`return ('x'):rep(1e6):gsub('x', function() return ('y'):rep(1e6) end)`,
	`return ('%s'):rep(100):format(unpack((function() local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e6) end return t end)()))`,
	`local function f(n) local t = {f(n + 1)} return unpack(t) end return f(1)`,
	`local t = {} while true do t[#t + 1] = coroutine.create(function() end) end`,
	`local function f() return coroutine.wrap(f)() end f()`,
	`local t = {} while true do t[#t + 1] = coroutine.wrap(function() coroutine.yield() end) t[#t]() end`,
	`local t = {} while true do t[#t + 1] = ('x'):rep(100):gmatch('x') end`,
	`local t = {} for i = 1, 30 do t = {t, t} end return cjson.encode(t)`,
	`local t = {} for i = 1, 14 do t = {t, t, t, t} end return cmsgpack.pack(t)`,
	`return struct.unpack(('c1000000'):rep(100) .. '!1', ('x'):rep(1e8))`,
	`local s = ('x'):rep(1e6) return struct.unpack(('c1000000!1'):rep(1000), s:rep(30), 1)`,
	`local t = {} for i = 1, 1e3 do t[i] = (("x"):rep(1e5) .. i):sub(1, 1) end return #t`,
	`local t = {} for i = 1, 1e3 do t[i] = (("x"):rep(1e5) .. i):match('.') end return #t`,
	`local t = {} for i = 1, 1e5 do t[i] = loadstring('return "' .. ('x'):rep(1e5) .. '"') end return #t`,
	`return (('x'):rep(2e7)):gsub(('('):rep(30) .. '.*' .. (')'):rep(30), function() end)`,
	`local s = ('x'):rep(1e7) return struct.pack(('c0'):rep(200), unpack((function() local t = {} for i = 1, 200 do t[i] = s end return t end)()))`,
	`return cjson.decode('[' .. ('[],'):rep(3e6) .. '1]')`,
	`return cmsgpack.unpack(('\144'):rep(1e7))`,
	`return cmsgpack.unpack_one('\221\255\255\255\255' .. ('\144'):rep(1e7))`,
	`local s = ('local a = 1 '):rep(1e6) return loadstring('return ' .. ('"' .. s .. '",'):rep(100) .. '1')`,
	`return loadstring(('x=1 '):rep(1e7))`,
	`local t = {} for i = 1, 1e5 do t[i] = ('a' .. i):rep(1000) end return #t`,
	`local t = {} while pcall(function() while true do t[#t + 1] = {} end end) == false do end`,
	`local a = ('x'):rep(3e7) ` + strings.Repeat(`local b = a .. 'y' `, 190) + ` return 1`,
}

// TestMemoryLimit: a script that allocates without end ends itself, and takes
// little more than it may.
func TestMemoryLimit(t *testing.T) {
	const limit = 8 << 20
	var budget lua.Budget
	budget.SetLimit(limit)
	for _, src := range greedy {
		s := machine()
		s.Budget = &budget
		p, err := lua.Compile(src, "@user_script", limit)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		v, fail := s.Run(s.NewFunction(p))
		if fail == nil {
			if text, _ := v.Text(); len(text) > limit {
				t.Errorf("%.100s: made a string of %d bytes", src, len(text))
			}
		} else if msg := fail.Error(); !strings.Contains(msg, "not enough memory") && !strings.Contains(msg, "overflow") {
			t.Errorf("%.100s: %.200s", src, msg)
		}
		s.Reset()
		if n := budget.Used(); n != 0 {
			t.Fatalf("%.100s: %d bytes were not given back", src, n)
		}
	}
}

// endless are scripts that never end on their own.
var endless = []string{
	`while true do end`,
	`local function f(...) return f(1, ...) end return f()`,
	`repeat until false`,
	`for i = 1, math.huge do end`,
	`local function f() return f() end f()`,
	`local t = setmetatable({}, {__index = function(t, k) return k end}) while true do local x = t.x end`,
	`while true do pcall(error, 'x') end`,
	`while true do pcall(function() while true do end end) end`,
	`local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end`,
	`coroutine.wrap(function() while true do end end)()`,
	`return ('a'):rep(60):find(('.-'):rep(60) .. 'b')`,
	`return ('a'):rep(1e5):match(('a*'):rep(30) .. 'b')`,
	`return ('a'):rep(1e6):gsub('a*a*a*a*b', '')`,
	`local t = {} for i = 1, 1e5 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end`,
	`while true do for k in pairs({1, 2, 3}) do end end`,
	`while true do for w in ('a b c'):gmatch('%a') do end end`,
	`while true do local s = ('x'):rep(1e6):upper() end`,
	`local t = {} for i = 1, 1e5 do t[i] = 'x' end while true do local s = table.concat(t) end`,
	`while true do cjson.decode(cjson.encode({1, 2, {3}})) end`,
	`table.foreach(setmetatable({1}, {}), function() while true do end end)`,
	`load(function() while true do end end)`,
	`load(function() return ' ' end)`,
	`xpcall(function() error('x') end, function() while true do end end)`,
	`table.insert({}, -2147483648, 1)`,
	`local t = {} t[1] = 1 t[2147483647] = 1 while true do table.remove(t, 1) table.insert(t, 1) end`,
}

// TestInterrupt: whatever a script does, it asks again and again whether it may
// go on, and an answer of no cannot be caught.
func TestInterrupt(t *testing.T) {
	var budget lua.Budget
	budget.SetLimit(16 << 20)
	for _, src := range endless {
		s := machine()
		s.Budget = &budget
		p, err := lua.Compile(src, "@user_script", 1<<20)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		asked := 0
		s.Interrupt = func() *lua.Error {
			if asked++; asked < 20 {
				return nil
			}
			return &lua.Error{Value: lua.String("killed")}
		}
		_, fail := s.Run(s.NewFunction(p))
		if fail == nil || fail.Error() != "killed" && !strings.Contains(fail.Error(), "memory") && !strings.Contains(fail.Error(), "complex") {
			t.Errorf("%s: %v", src, fail)
		}
		if asked > 25 {
			t.Errorf("%s: was asked to end %d times", src, asked-20)
		}
	}
}

// TestReset: what one script leaves behind the next does not see.
func TestReset(t *testing.T) {
	s := machine()
	run := func(src string) string {
		p, err := lua.Compile(src, "@user_script", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Reset()
		v, fail := s.Run(s.NewFunction(p))
		if fail != nil {
			return fail.Error()
		}
		return v.String()
	}
	for _, c := range [][2]string{
		{`error({})`, "table"},
		{`local function f() return 1 + f() end f()`, "user_script:1: stack overflow"},
		{`coroutine.wrap(function() error('x') end)()`, "user_script:1: user_script:1: x"},
		{`cjson.encode_sparse_array(true) return cjson.encode({[100] = 1})`, `{"100":1}`},
		{`return cjson.encode({[100] = 1})`, "user_script:1: Cannot serialise table: excessively sparse array"},
		{`return tostring(coroutine.running())`, "nil"},
		{`local a, b, c return tostring(a) .. tostring(b) .. tostring(c)`, "nilnilnil"},
	} {
		if got := run(c[0]); !strings.HasPrefix(got, c[1]) {
			t.Errorf("%s: %s", c[0], got)
		}
	}
}
