package script_test

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/commands"
	"github.com/nearcache/nearcache/resp/script"
	"github.com/nearcache/nearcache/store/rdb"
)

// recorder is a host that answers anything, and notes which keys are asked for
// that neither the call nor the plan names.
type recorder struct {
	table *command.Table
	known [][]byte
	keys  int
	wrong error
	stop  func()
}

func (r *recorder) Do(argv [][]byte, _ int) ([]byte, string) {
	spec := r.table.Find(argv[0])
	if spec != nil && len(spec.Sub) > 0 && len(argv) > 1 {
		spec = spec.Match(argv[1])
	}
	if spec == nil || !spec.ArityOK(len(argv)) || spec.Flags&command.NoScript != 0 {
		return nil, "refused"
	}
	if spec.Flags&command.Keyless == 0 {
		if spec.NeedsAll() {
			r.wrong = fmt.Errorf("%q needs all shards", argv)
		}
		spec.Keys.Each(argv, func(key []byte) {
			r.keys++
			if !slices.ContainsFunc(r.known, func(k []byte) bool { return bytes.Equal(k, key) }) {
				r.wrong = fmt.Errorf("%q: key %q", argv, key)
			}
		})
	}
	h := fnv.New32()
	for _, a := range argv {
		h.Write(a)
	}
	replies := []string{"$-1\r\n", "+OK\r\n", ":1\r\n", "$1\r\na\r\n", "*2\r\n$1\r\na\r\n:2\r\n", "-ERR no\r\n"}
	return []byte(replies[h.Sum32()%uint32(len(replies))]), ""
}

func (r *recorder) Allowed([][]byte) (bool, string) { return true, "" }
func (r *recorder) Busy(error)                      { r.stop() }
func (r *recorder) Gone() bool                      { return false }
func (r *recorder) Halted()                         {}

// FuzzPlan runs scripts whose plan is a list of keys: they ask for no others.
func FuzzPlan(f *testing.F) {
	for _, p := range planned {
		f.Add(p.src)
	}
	e := engine()
	e.SetBusyAfter(10 * time.Millisecond)
	e.SetMemoryLimit(16 << 20)
	table := command.NewTable(commands.All()...)
	keys := [][]byte{[]byte("k1"), []byte("k2")}
	f.Fuzz(func(t *testing.T, src string) {
		s, err := e.Eval([]byte(src))
		if err != nil || s.Plan().Wide {
			return
		}
		host := &recorder{table: table, known: append(s.Plan().Keys, keys...), stop: func() { e.Kill(true) }}
		var w resp.Writer
		e.RunScript(s, &script.Call{Host: host, W: &w, Keys: keys, Args: [][]byte{[]byte("a1"), []byte("get"), []byte("3")}})
		if host.wrong != nil {
			t.Fatalf("%s: %v", src, host.wrong)
		}
	})
}

// FuzzRestore restores payloads, and the code in them.
func FuzzRestore(f *testing.F) {
	e := engine()
	for _, code := range []string{
		"#!lua name=a\nredis.register_function('f', function() return 1 end)",
		"#!lua name=b\nlocal n = 0 redis.register_function{function_name='g', callback=function(k) n = n + 1 return redis.call('get', k[1]) end, flags={'no-writes'}}",
	} {
		if _, err := e.LoadLibrary(code, false); err == nil {
			dump := e.Dump()
			f.Add(dump[:len(dump)-10], code)
		}
		f.Add([]byte{0xf5, 0xc3, 4, 3, 2, 'a', 'b', 'c'}, code)
	}
	f.Fuzz(func(t *testing.T, payload []byte, code string) {
		e := engine()
		e.SetMemoryLimit(16 << 20)
		_, _ = e.LoadLibrary(code, true)
		payload = rdb.Seal(slices.Clone(payload), 0, 12) // or nothing behind the checksum would be reached
		before := e.Libraries()
		if err := e.Restore(payload, script.Replace); err != nil {
			if after := e.Libraries(); len(after) != len(before) {
				t.Fatalf("%d libraries, %d after a payload that is wrong: %v", len(before), len(after), err)
			}
			return
		}
		dump := e.Dump()
		if err := e.Restore(dump, script.FlushFirst); err != nil {
			t.Fatal(err)
		}
		if again := e.Dump(); !bytes.Equal(dump, again) {
			t.Fatalf("%q became %q", dump, again)
		}
	})
}
