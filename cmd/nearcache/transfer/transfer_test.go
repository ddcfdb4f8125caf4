package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder/hnsw"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/resptest"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/rdb"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/set"
)

// fixtures are RDB files of Redis with all types, and how many keys they have.
var fixtures = map[string]int{
	"../../../store/rdb/testdata/redis-7.0.rdb":  52,
	"../../../store/rdb/testdata/redis-8.10.rdb": 64,
}

func dial(t *testing.T, addr string) *client.Conn {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Proto: 2, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// state is what a server holds: the commands that rebuild each key, sorted.
func state(t *testing.T, addr string) map[string]string {
	t.Helper()
	all := map[string]string{}
	s := &Source{ctx: t.Context(), conn: dial(t, addr)}
	libs, err := s.libraries()
	if err != nil {
		t.Fatal(err)
	}
	all["functions"] = strings.Join(libs, "\n")
	err = s.Each(func(k *Exported) error {
		o, err := rdb.Restore(k.Payload)
		if err != nil {
			return err
		}
		all[fmt.Sprint(k.DB, " ", k.Key)] = fmt.Sprintln(k.Type, k.ExpireAt) + rebuilt(o)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d keys, want %d", what, len(got)-1, len(want)-1)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %s is another:\n%.300s\nwant\n%.300s", what, k, got[k], v)
		}
	}
}

// run runs import or export and returns what it has told.
func run(t *testing.T, f func(context.Context, []string, io.Writer, io.Writer) error, args ...string) string {
	t.Helper()
	var out, told bytes.Buffer
	if err := f(t.Context(), args, &out, &told); err != nil {
		t.Fatalf("%q: %v\n%s%s", args, err, &out, &told)
	}
	return out.String()
}

// TestEverythingComesBack takes all types through each kind of file, over a server and
// over a data folder.
func TestEverythingComesBack(t *testing.T) {
	for file, keys := range fixtures {
		a := resptest.Start(t)
		if out := run(t, Import, "rdb", "-quiet", "-to", a.Addr(), file); !strings.HasPrefix(out, fmt.Sprint("entered ", keys+1, " in ")) {
			t.Errorf("%s: %s", file, out)
		}
		want := state(t, a.Addr())
		if len(want) != keys+1 {
			t.Fatalf("%s: %d keys", file, len(want)-1)
		}
		for _, kind := range []string{"rdb", "aof", "jsonl"} {
			dir := t.TempDir()
			out := filepath.Join(dir, "out."+kind)
			run(t, Export, kind, "-from", a.Addr(), out)
			data := filepath.Join(dir, "data")
			run(t, Import, kind, "-quiet", "-dir", data, out)
			// The same again changes nothing.
			again := filepath.Join(dir, "again."+kind)
			run(t, Export, kind, "-dir", data, again)
			b := resptest.Start(t)
			run(t, Import, kind, "-quiet", "-to", b.Addr(), again)
			got := state(t, b.Addr())
			if kind == "jsonl" { // which has no place for functions
				got["functions"] = want["functions"]
			}
			same(t, file+" as "+kind, got, want)
		}
	}
}

// TestRedisTakesIt has a real Redis load what is exported, and compares its digests.
func TestRedisTakesIt(t *testing.T) {
	addr := os.Getenv("NEARCACHE_REDIS")
	if addr == "" {
		t.Skip("NEARCACHE_REDIS names no real Redis to compare with")
	}
	redis := dial(t, addr)
	do := func(args ...any) string {
		t.Helper()
		v, err := redis.Do(args...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return v.Str
	}
	empty := func() {
		do("FLUSHALL")
		do("FUNCTION", "FLUSH")
	}
	for file := range fixtures {
		empty()
		run(t, Import, "rdb", "-quiet", "-to", addr, file)
		want := do("DEBUG", "DIGEST")
		ours := resptest.Start(t)
		run(t, Import, "rdb", "-quiet", "-to", ours.Addr(), file)
		for _, kind := range []string{"rdb", "aof", "jsonl"} {
			out := filepath.Join(t.TempDir(), "out")
			run(t, Export, kind, "-from", ours.Addr(), out)
			empty()
			run(t, Import, kind, "-quiet", "-to", addr, out)
			if got := do("DEBUG", "DIGEST"); got != want {
				t.Errorf("%s as %s: the digest is %s, want %s", file, kind, got, want)
			}
		}
	}
	// And Redis' own way of reading its files.
	fill := resptest.Start(t)
	run(t, Import, "rdb", "-quiet", "-to", fill.Addr(), "../../../store/rdb/testdata/redis-8.10.rdb")
	want := do("DEBUG", "DIGEST")
	do("DEBUG", "RELOAD")
	if got := do("DEBUG", "DIGEST"); got != want {
		t.Errorf("a reload makes %s of %s", got, want)
	}
	empty()
}

func TestKeysThatAreThereStay(t *testing.T) {
	a := resptest.Start(t)
	c := dial(t, a.Addr())
	file := "../../../store/rdb/testdata/redis-7.0.rdb"
	if _, err := c.Do("SET", "s", "mine"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := Import(t.Context(), []string{"rdb", "-quiet", "-to", a.Addr(), file}, &out, io.Discard)
	if err == nil || !strings.Contains(out.String(), "1 are there already") {
		t.Errorf("%v: %s", err, &out)
	}
	if v, _ := c.Do("GET", "s"); v.Str != "mine" {
		t.Errorf("it is %q now", v.Str)
	}
	run(t, Import, "rdb", "-quiet", "-replace", "-to", a.Addr(), file)
	if v, _ := c.Do("GET", "s"); v.Str != "value" {
		t.Errorf("replaced, it is %q", v.Str)
	}
}

func TestBrokenFilesTellWhere(t *testing.T) {
	a := resptest.Start(t)
	dir := t.TempDir()
	whole, err := os.ReadFile("../../../store/rdb/testdata/redis-7.0.rdb")
	if err != nil {
		t.Fatal(err)
	}
	f := func(kind string, content []byte, want string, args ...string) {
		t.Helper()
		name := filepath.Join(dir, "file")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := Import(t.Context(), append(append([]string{kind, "-quiet", "-replace", "-to", a.Addr()}, args...), name), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", kind, err, want)
		}
	}
	f("rdb", whole[:20000], "at byte 19998, in the value of key")
	f("rdb", append(slices.Clone(whole[:30000]), whole[30001:]...), "rdb: at byte ")
	f("rdb", []byte("nothing of the kind"), "at byte 9: neither REDIS nor VALKEY")
	f("aof", []byte("*1\r\n$4\r\nPING\r\nrubbish"), "at byte 15: neither a command")
	f("aof", []byte("*1\r\n$9999999999\r\nx"), "at byte 17: neither a command")
	f("jsonl", []byte(`{"key":"a","type":"string","value":"v"}`+"\n"+`{"key":"b","type":"list","value":"v"}`+"\n"), `line 2, which begins at byte 40: key "b"`)
	f("jsonl", []byte(`{"key":"b","type":"set","value":[]}`), "no elements")
	f("jsonl", []byte(`{"id":1}`), "no type: is it a document?")
	f("jsonl", []byte("\n\n[1]"), "line 3", "-as", "hash")
	f("npy", []byte("\x93NUMPY"), "npy: ")
	f("coder-hnsw", []byte{4}, "at byte ")
	f("what", nil, `import: what? "what"`)
	if v, err := dial(t, a.Addr()).Do("GET", "a"); err != nil || v.Str != "v" {
		t.Errorf("what came before: %v, %v", v, err)
	}
}

// TestLogsOfRedis enters logs in the forms that Redis has had.
func TestLogsOfRedis(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := func(words ...string) string { return resptest.Encode(words...) }
	preamble, err := os.ReadFile("../../../store/rdb/testdata/redis-7.0.rdb")
	if err != nil {
		t.Fatal(err)
	}
	get := func(c *client.Conn, key, want string) {
		t.Helper()
		if v, err := c.Do("GET", key); err != nil || v.Str != want {
			t.Errorf("%s is %v, %v", key, v, err)
		}
	}
	write("old.aof", command("SELECT", "0")+"#TS:1700000000\r\n"+command("SET", "a", "1")+command("MULTI")+command("INCR", "a")+command("INCR", "a")+command("EXEC")+command("SELECT", "2")+command("SET", "b", "x"))
	s := resptest.Start(t)
	run(t, Import, "aof", "-quiet", "-to", s.Addr(), filepath.Join(dir, "old.aof"))
	c := dial(t, s.Addr())
	get(c, "a", "3")
	if _, err := c.Do("SELECT", "2"); err != nil {
		t.Fatal(err)
	}
	get(c, "b", "x")

	// Behind an RDB, torn in a transaction.
	write("mixed.aof", string(preamble)+command("SELECT", "0")+command("SET", "s", "later")+command("MULTI")+command("SET", "s", "never"))
	s = resptest.Start(t)
	if out := run(t, Import, "aof", "-quiet", "-to", s.Addr(), filepath.Join(dir, "mixed.aof")); !strings.Contains(out, "ends in the middle") {
		t.Error(out)
	}
	get(dial(t, s.Addr()), "s", "later")

	// Entries with idempotent IDs, as Redis has them in its log.
	write("idmp.aof", command("SELECT", "0")+command("XADD", "x", "IDMP", "p", "i", "1-1", "f", "v")+
		command("MULTI")+command("XADD", "x", "NOMKSTREAM", "IDMPAUTO", "q", "MAXLEN", "=", "9", "1-2", "f", "v")+command("EXEC")+
		command("XADD", "x", "IDMP", "p", "i", "*", "f", "v")+command("XADD", "x", "maxlen", "~", "9", "limit", "0", "2-1", "idmp", "v"))
	s = resptest.Start(t)
	run(t, Import, "aof", "-quiet", "-to", s.Addr(), filepath.Join(dir, "idmp.aof"))
	if v, err := dial(t, s.Addr()).Do("XRANGE", "x", "-", "+"); err != nil || v.String() != `*[*["1-1" *["f" "v"]] *["1-2" *["f" "v"]] *["2-1" *["idmp" "v"]]]` {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := dial(t, s.Addr()).Do("XINFO", "STREAM", "x"); err != nil || !strings.Contains(v.String(), `"iids-added" 2`) {
		t.Errorf("%v, %v", v, err)
	}

	// Several files.
	write("a.1.base.rdb", string(preamble))
	write("a.1.incr.aof", command("SELECT", "0")+command("SET", "s", "first"))
	write("a.2.incr.aof", command("SELECT", "0")+command("APPEND", "s", "+second")+command("APPEND", "s", "+third")[:12])
	write("a.0.base.rdb", "not needed any more")
	write("appendonly.aof.manifest", "file a.1.base.rdb seq 1 type b\nfile a.0.base.rdb seq 0 type h\nfile a.1.incr.aof seq 1 type i startoffset 0\nfile a.2.incr.aof seq 2 type i\n")
	s = resptest.Start(t)
	run(t, Import, "aof", "-quiet", "-to", s.Addr(), dir)
	get(dial(t, s.Addr()), "s", "first+second")

	write("appendonly.aof.manifest", "file ../a seq 1 type b\n")
	if err := Import(t.Context(), []string{"aof", "-quiet", "-to", s.Addr(), dir}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "line 1 names no file of the folder") {
		t.Error(err)
	}
	write("appendonly.aof.manifest", "file a.2.incr.aof seq 2 type i\nfile a.1.incr.aof seq 1 type i\n")
	var torn *tornError
	if err := Import(t.Context(), []string{"aof", "-quiet", "-to", s.Addr(), dir}, io.Discard, io.Discard); !errors.As(err, &torn) {
		t.Errorf("torn, and not the last: %v", err)
	}
}

func TestDocuments(t *testing.T) {
	name := filepath.Join(t.TempDir(), "docs.jsonl")
	docs := `{"id":"one","title":"A <b> title","year":1999,"embedding":[1,0.5],"tags":["x","y"],"none":null}
{"id":7,"title":"second"}

{"title":"third"}`
	if err := os.WriteFile(name, []byte(docs), 0o600); err != nil {
		t.Fatal(err)
	}
	s := resptest.Start(t)
	run(t, Import, "jsonl", "-quiet", "-to", s.Addr(), "-as", "hash", "-prefix", "h:", name)
	run(t, Import, "jsonl", "-quiet", "-to", s.Addr(), "-as", "json", "-prefix", "j:", name)
	c := dial(t, s.Addr())
	f := func(want string, args ...any) {
		t.Helper()
		if v, err := c.Do(args...); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v, want %s", args, v, err, want)
		}
	}
	f(`*["one" "A <b> title" "1999" "\x00\x00\x80?\x00\x00\x00?" "[\"x\",\"y\"]" (nil)]`, "HMGET", "h:one", "id", "title", "year", "embedding", "tags", "none")
	f(`"second"`, "HGET", "h:7", "title")
	f(`"third"`, "HGET", "h:4", "title")
	f(`"[1999]"`, "JSON.GET", "j:one", "$.year")
	f(`"[\"third\"]"`, "JSON.GET", "j:4", "$.title")
}

// TestLinesKeepEveryByte takes odd strings and scores through lines of JSON.
func TestLinesKeepEveryByte(t *testing.T) {
	for _, s := range []string{"", "text", "<&>", "\u2028", "\x00\xff", `{"base64":"x"}`, "\"\\\n", string([]byte{0xed, 0xa0, 0x80})} {
		b, err := json.Marshal(text(s))
		if err != nil {
			t.Fatal(err)
		}
		var back text
		if err := json.Unmarshal(b, &back); err != nil || string(back) != s {
			t.Errorf("%q became %s and %q, %v", s, b, back, err)
		}
	}
	for _, s := range []string{"1", "-0", "0.1", `"inf"`, `"-inf"`, "1e300"} {
		var f score
		if err := json.Unmarshal([]byte(s), &f); err != nil {
			t.Fatal(err)
		}
		if b, err := f.MarshalJSON(); err != nil || strings.ToLower(strings.ReplaceAll(string(b), "+", "")) != s {
			t.Errorf("%s became %s, %v", s, b, err)
		}
	}
	var f score
	if err := json.Unmarshal([]byte(`"nan"`), &f); err == nil {
		t.Error("NaN is a score")
	}
}

func TestVectors(t *testing.T) {
	dir := t.TempDir()
	npy := "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }" + strings.Repeat(" ", 10) + "\n" +
		"\x00\x00\x80?\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?"
	file, ids := filepath.Join(dir, "v.npy"), filepath.Join(dir, "ids")
	if err := errors.Join(os.WriteFile(file, []byte(npy), 0o600), os.WriteFile(ids, []byte("x\ny\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s := resptest.Start(t)
	c := dial(t, s.Addr())
	f := func(want string, args ...any) {
		t.Helper()
		if v, err := c.Do(args...); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v, want %s", args, v, err, want)
		}
	}
	run(t, Import, "npy", "-quiet", "-to", s.Addr(), "-key", "v", "-ids", ids, file)
	f(`*["x" "y"]`, "VRANGE", "v", "-", "+")
	run(t, Import, "npy", "-quiet", "-to", s.Addr(), "-prefix", "doc:", file)
	f(`"\x00\x00\x00\x00\x00\x00\x80?"`, "HGET", "doc:1", "embedding")
	if err := os.WriteFile(ids, []byte("z\nz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	told := run(t, Import, "npy", "-quiet", "-to", s.Addr(), "-key", "twice", "-ids", ids, file)
	if want := "1 rows replaced one before with the same name in -ids\n"; !strings.Contains(told, want) {
		t.Errorf("%q tells nothing of the name that came twice", told)
	}
	f(`1`, "VCARD", "twice")
}

// TestGraphsOfCoder enters graphs as coder/hnsw writes them, with keys of two types.
func TestGraphsOfCoder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	vectors := make([][]float32, 50)
	for i := range vectors {
		vectors[i] = []float32{rng.Float32(), rng.Float32(), rng.Float32()}
	}
	ints, names := hnsw.NewGraph[int](), hnsw.NewGraph[string]()
	for i, v := range vectors {
		ints.Add(hnsw.MakeNode(i, v))
		names.Add(hnsw.MakeNode(fmt.Sprint("name", i), v))
	}
	s := resptest.Start(t)
	c := dial(t, s.Addr())
	for prefix, export := range map[string]func(io.Writer) error{"": ints.Export, "name": names.Export} {
		var b bytes.Buffer
		if err := export(&b); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "graph")
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, Import, "coder-hnsw", "-quiet", "-to", s.Addr(), "-key", "g"+prefix, name)
		if v, err := c.Do("VCARD", "g"+prefix); err != nil || v.Int != 50 {
			t.Errorf("%v elements, %v", v, err)
		}
		if v, err := c.Do("VSIM", "g"+prefix, "FP32", vectors[7], "COUNT", 1); err != nil || v.Elems[0].Str != prefix+"7" {
			t.Errorf("nearest: %v, %v", v, err)
		}
		// Every cut is noticed, before anything is entered.
		for n := 1; n < b.Len(); n += 97 {
			if _, err := readGraph(bytes.NewReader(b.Bytes()[:n]), map[string]string{"": "int", "name": "string"}[prefix], func(string, int64, []float32) error { return nil }); err == nil {
				t.Errorf("cut at %d", n)
			}
		}
	}
}

func FuzzReadGraph(f *testing.F) {
	g := hnsw.NewGraph[int]()
	for i := range 10 {
		g.Add(hnsw.MakeNode(i, []float32{float32(i), 1}))
	}
	var b bytes.Buffer
	if err := g.Export(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), "int")
	f.Add(b.Bytes(), "string")
	f.Add([]byte{2, 0}, "uint64")
	f.Fuzz(func(t *testing.T, b []byte, keys string) {
		if keyTypes[keys] == nil {
			keys = "int"
		}
		n := 0
		_, _ = readGraph(bytes.NewReader(b), keys, func(_ string, at int64, _ []float32) error {
			if n++; n > len(b) || at > int64(len(b)) {
				t.Fatalf("%d vectors of %d bytes", n, len(b))
			}
			return nil
		})
	})
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{
		`{"key":"k","type":"string","value":{"base64":"/w=="}}`, `{"key":"k","type":"list","value":["a"]}`, `{"key":"k","type":"set","value":["a"]}`,
		`{"key":"k","type":"zset","value":[["a","inf"],["b",-0]]}`, `{"key":"k","type":"hash","value":{"f":"v"}}`, `{"key":"k","type":"hash","value":[["f","v",99]]}`,
		`{"key":"k","type":"ReJSON-RL","value":{"a":[1]}}`, `{"key":"k","type":"stream","dump":"AAF2DwCKjKu+t5R3Ng=="}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var l line
		if json.Unmarshal(b, &l) != nil {
			return
		}
		o, err := l.object()
		if err != nil {
			return
		}
		v, ok := encode(o)
		if !ok {
			return
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		back, err := (&line{Type: o.Type().Name, Value: again}).object()
		if err != nil {
			t.Fatalf("%s became %s: %v", b, again, err)
		}
		if want, got := rebuilt(o), rebuilt(back); want != got {
			t.Fatalf("%s became %s", want, got)
		}
	})
}

// rebuilt is all of a value, in an order of its own.
func rebuilt(o object.Object) string {
	var words []string
	if h, ok := o.(*hash.Value); ok {
		h.Each(func(name string, value []byte) bool {
			at, _ := h.Expiry([]byte(name))
			words = append(words, fmt.Sprintf("%q %q %d", name, value, at))
			return true
		})
	} else {
		o.Rebuild([]byte("k"), func(args ...[]byte) { words = append(words, fmt.Sprintf("%q", args)) })
	}
	if v, ok := o.(*set.Value); ok {
		words = nil
		v.Each(func(m []byte) bool { words = append(words, fmt.Sprintf("%q", m)); return true })
	}
	slices.Sort(words)
	return strings.Join(words, "\n")
}
