package lua

import "testing"

var benchSources = []struct{ name, src string }{
	{"calls", `local function fib(n) if n<2 then return n end return fib(n-1)+fib(n-2) end return fib(20)`},
	{"loop", `local s=0 for i=1,100000 do s=s+i%7 end return s`},
	{"tables", `local t={} for i=1,10000 do t['k'..(i%100)]=i end return t.k5`},
	{"array", `local t={} for i=1,10000 do t[i]=i end local s=0 for i,v in ipairs(t) do s=s+v end return s`},
	{"pairs", `local t={} for i=1,1000 do t[i]=i t['k'..i]=i end local s=0 for k,v in pairs(t) do s=s+v end return s`},
	{"strings", `local t={} for i=1,1000 do t[#t+1]=string.format('%d:%s',i,'x') end return #table.concat(t,',')`},
}

func BenchmarkRun(b *testing.B) {
	for _, bench := range benchSources {
		b.Run(bench.name, func(b *testing.B) {
			p, err := Compile(bench.src, "@bench", 1<<30)
			if err != nil {
				b.Fatal(err)
			}
			s := NewState(NewGlobals(nil))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Run(s.NewFunction(p)); err != nil {
					b.Fatal(err)
				}
				s.Reset()
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	src := `local c = redis.call('INCR', KEYS[1]) if tonumber(c) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return c`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(src, "@bench", 1<<30); err != nil {
			b.Fatal(err)
		}
	}
}
