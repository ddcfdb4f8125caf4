package codec_test

import (
	"testing"

	"github.com/nearcache/nearcache/resp/script/codec"
	"github.com/nearcache/nearcache/resp/script/lua"
)

// machine is a machine with little memory that asks often.
func machine(tb testing.TB, budget *lua.Budget) *lua.State {
	budget.SetLimit(8 << 20)
	s := lua.NewState(lua.NewGlobals(map[string]*lua.Table{
		"cjson": codec.JSON, "cmsgpack": codec.MsgPack, "struct": codec.Struct,
	}))
	s.Budget = budget
	asked := 0
	s.Interrupt = func() *lua.Error {
		if asked++; asked < 100 {
			return nil
		} else if asked > 200 {
			tb.Error("does not end")
		}
		return &lua.Error{Value: lua.String("killed")}
	}
	return s
}

func compile(tb testing.TB, src string) *lua.Proto {
	p, err := lua.Compile(src, "@fuzz", 1<<20)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// FuzzJSON decodes anything; what comes out is encoded, decoded and encoded
// again, and must not change any more.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,-3e2,"x\n\u00e9\ud83d\ude00",true,false,null],"b":{}}`, `[`, `{"a"`, `"\ud83d"`, `nan`, `-inf`, `0x1p4`, `01`, "\"a\x00b\"",
		`[[[[[[]]]]]]`, `{"1":1,"2":2}`, `[1,]`, `+1`, `1e400`, `"\x"`, ` [ 1 , 2 ] `,
	} {
		f.Add(s)
	}
	p := compile(f, `
		local v = cjson.decode(...)
		local ok, once = pcall(cjson.encode, v)
		if not ok then return end
		local twice = cjson.encode(cjson.decode(once))
		if #once ~= #twice then error('once ' .. once .. ' twice ' .. twice, 0) end
		return 'ok'`)
	f.Fuzz(func(t *testing.T, s string) {
		var budget lua.Budget
		m := machine(t, &budget)
		_, err := m.Run(m.NewFunction(p), lua.String(s))
		if err != nil && len(err.Error()) > 5 && err.Error()[:5] == "once " {
			t.Fatal(err)
		}
	})
}

// FuzzMsgPack unpacks anything, and packs what it has got.
func FuzzMsgPack(f *testing.F) {
	for _, s := range []string{
		"\x01\xff\xcc\xff\xcd\xff\xff\xce\xff\xff\xff\xff\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xa3abc\xd9\x01x\xda\x00\x01y\xdb\x00\x00\x00\x01z",
		"\x92\x01\x02\x81\xa1a\x01\xdc\x00\x01\x05\xde\x00\x01\xa1b\x02", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\x81\xc0\x01", "\xc1",
		"\xca\x3f\xc0\x00\x00\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "\x91\x91\x91\x91\x91\x91\x91\x91", "\x81\x90\x90",
	} {
		f.Add(s, 0, 0)
		f.Add(s, 2, 1)
	}
	p := compile(f, `
		local s, limit, offset = ...
		local all = {cmsgpack.unpack_limit(s, limit, offset)}
		if #all > 0 then return cmsgpack.pack(unpack(all)) end`)
	f.Fuzz(func(t *testing.T, s string, limit, offset int) {
		var budget lua.Budget
		m := machine(t, &budget)
		_, _ = m.Run(m.NewFunction(p), lua.String(s), lua.Number(float64(limit)), lua.Number(float64(offset)))
	})
}

// FuzzStruct unpacks anything by any format, and packs it by the same.
func FuzzStruct(f *testing.F) {
	for _, s := range []string{"bBhHlLiIT", ">i3<i5!4bi", "fd>fd", "sc0c3c", "bc0", "x i", "i16I32", "!8bd", "c2147483647", "z", "!3i"} {
		f.Add(s, "\x03abcdefghijklmnopqrstuvwxyz\x00\x01\x02\x03", 1)
	}
	p := compile(f, `
		local fmt, data, at = ...
		pcall(struct.size, fmt)
		local all = {struct.unpack(fmt, data, at)}
		all[#all] = nil
		return struct.pack(fmt, unpack(all))`)
	f.Fuzz(func(t *testing.T, format, data string, at int) {
		var budget lua.Budget
		m := machine(t, &budget)
		_, _ = m.Run(m.NewFunction(p), lua.String(format), lua.String(data), lua.Number(float64(at)))
	})
}
