package lua_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/script/lua"
)

// FuzzScript compiles and runs whatever comes, under limits: it may fail, but
// neither end the process nor go on for ever.
func FuzzScript(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txt")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			if code, _, ok := strings.Cut(line, " -> "); ok {
				f.Add(code)
			}
		}
	}
	for _, src := range append(greedy, endless...) {
		f.Add(src)
	}
	var budget lua.Budget
	budget.SetLimit(8 << 20)
	f.Fuzz(func(t *testing.T, src string) {
		p, err := lua.Compile(src, "@user_script", 1<<20)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "user_script:") {
				t.Fatal(err)
			}
			return
		}
		s := machine()
		s.Budget = &budget
		asked := 0
		s.Interrupt = func() *lua.Error {
			if asked++; asked < 20 {
				return nil
			}
			return &lua.Error{Value: lua.String("killed")}
		}
		_, fail := s.Run(s.NewFunction(p))
		if fail != nil {
			_ = fail.Error()
		}
		if asked > 100 {
			t.Fatalf("asked to end %d times", asked)
		}
		s.Reset()
		if budget.Used() != 0 {
			t.Fatal("memory was not given back")
		}
	})
}
