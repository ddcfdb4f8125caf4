package lua_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
	"github.com/nearcache/nearcache/resp/script/codec"
	"github.com/nearcache/nearcache/resp/script/lua"
)

var rewrite = flag.Bool("rewrite", false, "write what the Redis of NEARCACHE_REDIS answers to testdata")

// prelude stands before each snippet, on its first line: show makes one string
// of values of any type, exactly.
const prelude = `local function show(...) local r={} for i=1,select('#',...) do local v=(select(i,...)) local t=type(v) ` +
	`if t=='number' then r[i]=string.format('%.17g',v) elseif t=='string' then r[i]=string.format('%q',v) ` +
	`elseif t=='table' then local s={} for k,x in pairs(v) do s[#s+1]=tostring(k)..'='..tostring(x) end r[i]='{'..table.concat(s,' ')..'}' ` +
	`elseif t=='function' or t=='thread' then r[i]=t else r[i]=tostring(v) end end return table.concat(r,' ') end `

// run answers a snippet as EVAL does, as far as snippets go: they return strings.
func run(src string) string {
	src = prelude + src
	p, err := lua.Compile(src, "@user_script", 1<<30)
	if err != nil {
		return "ERR Error compiling script (new function): " + err.Error()
	}
	s := lua.NewState(lua.NewGlobals(map[string]*lua.Table{
		"cjson": codec.JSON, "cmsgpack": codec.MsgPack, "struct": codec.Struct,
	}))
	v, fail := s.Run(s.NewFunction(p))
	if fail != nil {
		sum := sha1.Sum([]byte(src))
		text := "ERR unknown error"
		if t, ok := fail.Value.Text(); ok {
			text = "ERR " + t
		} else if t := fail.Value.AsTable(); t == nil {
			text = "ERR " + fail.Value.String()
		} else if e, ok := t.Get("err").Text(); ok {
			text = e
		}
		text = strings.NewReplacer("\r", " ", "\n", " ").Replace(text)
		return fmt.Sprintf("%s script: %s, on %s:%d.", text, hex.EncodeToString(sum[:]), fail.Source, fail.Line)
	}
	if n, ok := v.AsNumber(); ok {
		return strconv.FormatInt(int64(n), 10)
	}
	if t, ok := v.Text(); ok {
		return t
	}
	return "a " + v.Type()
}

func ask(c *resptest.Conn, src string) string {
	v := c.Do("EVAL", prelude+src, "0")
	switch v.Kind {
	case resptest.Null:
		return "a nil"
	case resptest.Array:
		return "a table"
	}
	return v.Text
}

type snippet struct {
	src, want string
	block     bool
}

// read cuts a file of testdata into snippets: lines of "code -> result", and
// blocks of several lines of code, "----" and the result. Results are quoted.
func read(t *testing.T, path string) (l []snippet) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for para := range strings.SplitSeq(string(data), "\n\n") {
		para = strings.Trim(para, "\n")
		if code, want, ok := strings.Cut(para, "\n----"); ok {
			l = append(l, snippet{code, unquote(t, strings.TrimSpace(want)), true})
			continue
		}
		for line := range strings.SplitSeq(para, "\n") {
			if line == "" || strings.HasPrefix(line, "# ") {
				l = append(l, snippet{src: line})
				continue
			}
			code, want := line, ""
			if i := strings.LastIndex(line, " -> "); i >= 0 {
				code, want = strings.TrimRight(line[:i], " "), line[i+4:]
			}
			l = append(l, snippet{src: code, want: unquote(t, want)})
		}
		l = append(l, snippet{})
	}
	return l
}

func unquote(t *testing.T, s string) string {
	if s == "" {
		return ""
	}
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}

// TestLanguage holds the language to what Redis 8.10.2 made of the same snippets.
func TestLanguage(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no testdata", err)
	}
	var c *resptest.Conn
	if addr := os.Getenv("NEARCACHE_REDIS"); addr != "" {
		if c, err = resptest.Dial(addr, 2); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for _, path := range paths {
		var out bytes.Buffer
		for _, s := range read(t, path) {
			if s.src == "" || strings.HasPrefix(s.src, "# ") {
				fmt.Fprintln(&out, s.src)
				continue
			}
			if c != nil {
				got := ask(c, s.src)
				if s.block {
					fmt.Fprintf(&out, "%s\n----\n%s\n\n", s.src, strconv.Quote(got))
				} else {
					fmt.Fprintf(&out, "%s -> %s\n", s.src, strconv.Quote(got))
				}
				if *rewrite {
					s.want = got
				} else if got != s.want {
					t.Errorf("%s: Redis answers\n%s\n  now %s\n want %s", path, s.src, got, s.want)
				}
			}
			if got := run(s.src); got != s.want {
				t.Errorf("%s:\n%s\n  got %s\n want %s", path, s.src, got, s.want)
			}
		}
		if *rewrite && c != nil {
			text := strings.TrimRight(out.String(), "\n") + "\n"
			for strings.Contains(text, "\n\n\n") {
				text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
