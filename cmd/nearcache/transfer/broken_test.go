package transfer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/hnsw"

	"github.com/nearcache/nearcache/resp/resptest"
)

// npyFile is a NumPy array with a header of these words.
func npyFile(descr, order, shape string, elements ...float32) []byte {
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape)
	b := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(h)))
	b = append(b, h...)
	for _, x := range elements {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func coderGraph(t *testing.T) []byte {
	t.Helper()
	g := hnsw.NewGraph[int]()
	for i := range 5 {
		g.Add(hnsw.MakeNode(i, []float32{float32(i), 1}))
	}
	var b bytes.Buffer
	if err := g.Export(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// importer imports files of these bytes into one server.
func importer(t *testing.T) func(content []byte, args ...string) (out string, err error) {
	s := resptest.Start(t)
	name := filepath.Join(t.TempDir(), "file")
	return func(content []byte, args ...string) (string, error) {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := Import(t.Context(), append(args, "-quiet", "-to", s.Addr(), name), &out, io.Discard)
		if err != nil && !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), "were not entered") {
			t.Errorf("%v names no file", err)
		}
		return out.String(), err
	}
}

// TestEveryCutIsNoticed imports the beginnings of files.
func TestEveryCutIsNoticed(t *testing.T) {
	run := importer(t)
	rdb := []byte("REDIS0011\xfa\x01a\x01b\xfe\x00\xfb\x02\x00\x00\x01k\x05value\x00\x01l\x05other\xff\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, c := range []struct {
		file []byte
		args []string
		fine []int // lengths at which a file is whole, too
	}{
		{rdb, []string{"rdb", "-replace"}, nil},
		{npyFile("<f4", "False", "(2, 3)", 1, 2, 3, 4, 5, 6), []string{"npy"}, nil},
		{coderGraph(t), []string{"coder-hnsw", "-keys", "int"}, nil}, // by chance a cut may be whole with keys of another type
		{[]byte(`{"key":"a","type":"hash","value":{"f":"v"}}`), []string{"jsonl", "-replace"}, []int{0}},
		{[]byte(`{"id":12,"v":[1,2.5]}`), []string{"jsonl", "-as", "hash"}, []int{0}},
	} {
		for n := range len(c.file) + 1 {
			_, err := run(c.file[:n], c.args...)
			if whole := n == len(c.file) || len(c.fine) > 0 && n == c.fine[0]; (err == nil) != whole {
				t.Errorf("%q, %d bytes of %d: %v", c.args, n, len(c.file), err)
			}
		}
	}
	// A log that ends early is taken up to there, with a note.
	log := []byte(resptest.Encode("SELECT", "0") + resptest.Encode("SET", "k", "v") + resptest.Encode("SET", "l", "w"))
	ends := map[int]bool{0: true}
	for i := range log {
		if bytes.HasPrefix(log[i:], []byte("*")) {
			ends[i] = true
		}
	}
	for n := range len(log) {
		out, err := run(log[:n], "aof")
		if torn := strings.Contains(out, "ends in the middle"); err != nil || torn == ends[n] {
			t.Errorf("a log of %d bytes: %v, %s", n, err, out)
		}
	}
}

func TestFilesThatAreNoneOfTheirKind(t *testing.T) {
	run := importer(t)
	f := func(want string, content []byte, args ...string) {
		t.Helper()
		out, err := run(content, args...)
		if err == nil {
			t.Errorf("%q of %.60q: no error, want %q", args, content, want)
		} else if !strings.Contains(err.Error()+out, want) {
			t.Errorf("%q of %.60q: %v, want %q", args, content, err, want)
		}
	}
	for _, kind := range []string{"rdb", "aof", "jsonl", "npy", "coder-hnsw"} {
		f("at byte 0: it is compressed by gzip", []byte("\x1f\x8b\x08\x00\x00\x00"), kind)
		f("at byte 0: it is compressed by zstd", []byte("\x28\xb5\x2f\xfd\x04"), kind)
	}
	for _, kind := range []string{"rdb", "jsonl", "npy", "coder-hnsw"} {
		var out bytes.Buffer
		dir, to := t.TempDir(), filepath.Join(t.TempDir(), "data")
		if err := Import(t.Context(), []string{kind, "-quiet", "-dir", to, dir}, &out, io.Discard); err == nil || err.Error() != dir+": it is a folder, not a file" {
			t.Errorf("%s of a folder: %v", kind, err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s has made a data folder though there is nothing to import", kind)
		}
	}

	f("it ends too early", nil, "npy")
	f("no NumPy magic", []byte("\x92NUMPY\x01\x00\x00\x00"), "npy")
	f("format version 9", []byte("\x93NUMPY\x09\x00\x00\x00"), "npy")
	f(`elements ">f4"`, npyFile(">f4", "False", "(1, 1)", 1), "npy")
	f(`elements "<i8"`, npyFile("<i8", "False", "(1, 1)", 1), "npy")
	f(`fortran_order "True"`, npyFile("<f4", "True", "(1, 1)", 1), "npy")
	f("3 dimensions", npyFile("<f4", "False", "(1, 1, 1)", 1), "npy")
	f("0 dimensions", npyFile("<f4", "False", "(4, 0)"), "npy")
	f("over the limit", npyFile("<f4", "False", "(1, 9000000000000000000)"), "npy")
	f("too few for 9000000000000 rows", npyFile("<f4", "False", "(9000000000000, 3)", 1, 2, 3), "npy")
	f("too few for 288230376151711743 rows", npyFile("<f8", "False", "(288230376151711743, 8)", 1, 2, 3), "npy")
	f("more than the 1 rows", npyFile("<f4", "False", "(1, 2)", 1, 2, 3, 4), "npy")
	f("at byte 78: component 1 is NaN", npyFile("<f4", "False", "(2, 2)", 1, 2, 3, float32(math.NaN())), "npy")
	f("component 0 is +Inf", npyFile("<f4", "False", "(2, 1)", float32(math.Inf(1)), 1), "npy")

	g := coderGraph(t)
	f("at byte 1: version 7", append([]byte{14}, g[1:]...), "coder-hnsw")
	f("no graph of coder/hnsw", append(bytes.Clone(g), 0), "coder-hnsw", "-keys", "int")
	// The type with which most could be read tells where the file ends.
	f("at byte 25: unexpected EOF", []byte("\x02\x20\x00\x00\x00\x00\x00\x00\xd0?\x28\x00\x02\x04\x02\x02\x00\x00\x80?\x00\x04\x02\x00\x00"), "coder-hnsw")
	// Vectors of one and of two dimensions.
	f("no graph of coder/hnsw", []byte("\x02\x20\x00\x00\x00\x00\x00\x00\xd0?\x28\x00\x02\x04\x02\x02\x00\x00\x80?\x00\x04\x04\x00\x00\x80?\x00\x00\x80?\x00"), "coder-hnsw", "-keys", "int")

	for _, bad := range []struct{ line, want string }{
		{"{\"key\":\"a\xff\",\"type\":\"string\",\"value\":\"v\"}", "column 10: it is no UTF-8"},
		{`{"key":"\ud800","type":"string","value":"v"}`, "end of hex escape"},
		{`{"key":"k","type":"hash","value":{"\udc00":"v"}}`, "surrogate"},
		{`{"type":"string","value":"v"}`, "no key"},
		{`{"key":null,"type":"string","value":"v"}`, "no key"},
		{`{"key":"k","type":"string","value":null}`, "null is no string"},
		{`{"key":"k","type":"string"}`, `key "k", of type "string"`},
		{`{"key":"k","type":"list","value":["a",null]}`, "null is no string"},
		{`{"key":"k","type":"set","value":["a","b","a"]}`, "there twice"},
		{`{"key":"k","type":"zset","value":[["a",1],["a",2]]}`, "there twice"},
		{`{"key":"k","type":"hash","value":[["a","1"],["a","2"]]}`, "there twice"},
		{`{"key":"k","type":"zset","value":[["a",1e999]]}`, "out of range"},
		{`{"key":"k","type":"string","value":"v","expire_at":1e99}`, "expire_at"},
		{`{"key":"k","db":-1,"type":"string","value":"v"}`, `database -1, at byte `},
		{`{"key":"k","type":"hash","value":[["a","1",-5]]}`, "lives until -5"},
		{`{"key":"k","type":"stream","dump":"AAAA"}`, `key "k", of type "stream"`},
		{strings.Repeat("[", 100000), "recursion limit exceeded"},
	} {
		f(bad.want, []byte("\n"+bad.line+"\n"), "jsonl", "-replace")
		if !strings.Contains(bad.line, `"db"`) {
			f("line 2, which begins at byte 1", []byte("\n"+bad.line+"\n"), "jsonl", "-replace")
		}
	}
	for _, as := range []string{"hash", "json"} {
		f("end of hex escape", []byte(`{"t":"\ud83d"}`), "jsonl", "-as", as)
		f("no UTF-8", []byte("{\"t\":\"\xc3\"}"), "jsonl", "-as", as)
		f("number out of range", []byte(`{"t":1e999}`), "jsonl", "-as", as)
		f("null is no document", []byte(`null`), "jsonl", "-as", as)
		f(`the field "id" is neither text nor a number`, []byte(`{"id":["x"],"t":1}`), "jsonl", "-as", as)
	}
	f("too large for a float32", []byte(`{"v":[1,1e39]}`), "jsonl", "-as", "hash")

	f("at byte 15: neither a command nor a note", []byte("*1\r\n$4\r\nPING\r\n\x00"), "aof")
}

// TestLogsChangeOnlyTheirKeys has a log say what belongs in none, and what would take all keys.
func TestLogsChangeOnlyTheirKeys(t *testing.T) {
	dir := t.TempDir()
	s := resptest.Start(t)
	c := dial(t, s.Addr())
	name := filepath.Join(dir, "log.aof")
	write := func(commands ...[]string) {
		t.Helper()
		var b strings.Builder
		for _, words := range commands {
			b.WriteString(resptest.Encode(words...))
		}
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write([]string{"FLUSHALL"}, []string{"SUBSCRIBE", "a", "b"}, []string{"CLIENT", "REPLY", "OFF"}, []string{"MULTI"}, []string{"MULTI"}, []string{"SET", "k", "v"}, []string{"EXEC"},
		[]string{"BLPOP", "nothing", "0"}, []string{"SHUTDOWN", "NOSAVE"}, []string{"SET", "l", "w"}, []string{"EXEC"})
	out := run(t, Import, "aof", "-quiet", "-to", s.Addr(), name)
	if !strings.HasPrefix(out, "entered 3 ") || !strings.Contains(out, `left out 1: command "SUBSCRIBE", which belongs in no log`) {
		t.Error(out)
	}
	if v, err := c.Do("MGET", "k", "l"); err != nil || v.String() != `*["v" "w"]` {
		t.Errorf("%v, %v", v, err)
	}
	write([]string{"SELECT", "0"}, []string{"SET", "m", "x"}, []string{"flushdb"}, []string{"SET", "n", "y"})
	if err := Import(t.Context(), []string{"aof", "-quiet", "-to", s.Addr(), name}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "would take keys that were there before") {
		t.Error(err)
	}
	if v, err := c.Do("MGET", "k", "l", "m", "n"); err != nil || v.String() != `*["v" "w" "x" (nil)]` {
		t.Errorf("%v, %v", v, err)
	}
	run(t, Import, "aof", "-quiet", "-replace", "-to", s.Addr(), name)
	if v, err := c.Do("MGET", "k", "l", "m", "n"); err != nil || v.String() != `*[(nil) (nil) (nil) "y"]` {
		t.Errorf("replaced: %v, %v", v, err)
	}
}

func FuzzDocuments(f *testing.F) {
	for _, s := range []string{`{"id":"a","v":[1,2.5],"t":"x","n":null,"o":{"a":[]}}`, `{"id":7}`, `{"v":[1e39]}`, `{ "a" : [ 1 , null ] }`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, as := range []string{"hash", "json"} {
			d := Documents{As: as, ID: "id", Prefix: "p:"}
			args, err := d.command(b, 3)
			again, err2 := d.command(b, 3)
			if fmt.Sprintf("%q", args) != fmt.Sprintf("%q", again) || (err == nil) != (err2 == nil) {
				t.Fatalf("%q, %v and %q, %v", args, err, again, err2)
			}
			if args != nil && (len(args) < 3 || !bytes.HasPrefix(args[1], []byte("p:"))) {
				t.Fatalf("%q", args)
			}
		}
	})
}
