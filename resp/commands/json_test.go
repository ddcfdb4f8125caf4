package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store"
)

// TestDocumentsDoNotAllocate holds the promise for documents that are read and
// changed by path.
func TestDocumentsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop what they hold now and then under the race detector")
	}
	c := newClient(t, 3)
	c.run(argv("JSON.SET", "doc", "$", `{"user":{"name":"Ada Lovelace","age":36,"tags":["a","b"],"on":true},"views":1,"price":2.5}`))
	f := func(words ...string) {
		t.Helper()
		args := argv(words...)
		c.run(args)
		if n := testing.AllocsPerRun(100, func() { c.run(args) }); n != 0 {
			t.Errorf("%s: %v allocations: %s", words, n, c.run(args))
		}
	}
	f("JSON.GET", "doc")
	f("JSON.GET", "doc", "$")
	f("JSON.GET", "doc", "$.user.name")
	f("JSON.GET", "doc", ".user.name")
	f("JSON.GET", "doc", "$..name")
	f("JSON.GET", "doc", "$.user.tags[*]")
	f("JSON.GET", "missing", "$.user")
	f("JSON.MGET", "doc", "missing", "$.user.name")
	f("JSON.TYPE", "doc", "$.user")
	f("JSON.STRLEN", "doc", "$.user.name")
	f("JSON.ARRLEN", "doc", "$.user.tags")
	f("JSON.OBJLEN", "doc", "$.user")
	f("JSON.RESP", "doc", "$.user")
	f("JSON.NUMINCRBY", "doc", "$.views", "1")
	f("JSON.NUMINCRBY", "doc", "$.price", "0.5")
	f("JSON.TOGGLE", "doc", "$.user.on")
	f("JSON.SET", "doc", "$.user.age", "37")
}

// jsonCommand is a random command on few documents.
func jsonCommand(rng *rand.Rand) []string {
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	key := func() string { return pick("j1", "j2", "j3", "j4") }
	path := func() string {
		return pick("$", ".", "$.a", "$.b", "$.c", ".a", ".b.c", "$.a[0]", "$.a[-1]", "$..a", "$..*", "$.*", "$[0]", "$.new", "$.b.new", "$..b[*]",
			"$[?@.a]", "$..[?@>1]", "a.b", "..c", "$.b['c','a']", "$.a[1:]", "$.none.x", "$.list", ".list", "$.s", "$.n")
	}
	value := func() string {
		return pick("1", "-2", "3.5", `"text"`, `"a longer text"`, "true", "null", "[]", "{}", `[1,2,3]`, `{"a":[1,{"b":2}],"b":{"c":[true],"a":"x"},"c":null}`,
			`{"list":[1,[2,[3]],4],"s":"str","n":5}`, "140737488355328", "{", `[[[[1]]]]`, fmt.Sprintf(`"%s"`, strings.Repeat("z", rng.IntN(300))))
	}
	n := func() string { return fmt.Sprint(rng.IntN(9) - 4) }
	switch rng.IntN(20) {
	case 0, 1, 2:
		return append([]string{"JSON.SET", key(), path(), value()}, [][]string{nil, nil, {"NX"}, {"XX"}, {"FPHA", "FP16"}}[rng.IntN(5)]...)
	case 3:
		return []string{"JSON.SET", key(), "$", `{"a":[1,2,{"a":3}],"b":{"c":[1,2],"a":1.5},"list":[3,[2],1],"s":"x","n":7}`}
	case 4:
		return []string{"JSON.MSET", key(), path(), value(), key(), pick("$", path()), value()}
	case 5, 6:
		return []string{"JSON.MERGE", key(), path(), value()}
	case 7:
		return []string{pick("JSON.DEL", "JSON.FORGET"), key(), path()}
	case 8:
		return []string{"JSON.CLEAR", key(), path()}
	case 9, 10:
		return []string{pick("JSON.NUMINCRBY", "JSON.NUMMULTBY", "JSON.NUMPOWBY"), key(), path(), pick("1", "2", "-1", "0.5", "1e300", "9223372036854775807", "x")}
	case 11:
		return []string{"JSON.TOGGLE", key(), path()}
	case 12:
		return []string{"JSON.STRAPPEND", key(), path(), pick(`"y"`, `"some more"`, "1")}
	case 13, 14:
		return []string{"JSON.ARRAPPEND", key(), path(), value(), value()}
	case 15:
		return []string{"JSON.ARRINSERT", key(), path(), n(), value()}
	case 16:
		return []string{"JSON.ARRPOP", key(), path(), n()}
	case 17:
		return []string{"JSON.ARRTRIM", key(), path(), n(), n()}
	case 18:
		return [][]string{{"JSON.GET", key(), path()}, {"JSON.GET", key(), path(), path()}, {"JSON.RESP", key(), path()}, {"JSON.ARRINDEX", key(), path(), value(), n(), n()}}[rng.IntN(4)]
	}
	return [][]string{{"COPY", key(), key(), "REPLACE"}, {"RENAME", key(), key()}, {"DEL", key()}, {"PEXPIRE", key(), "100000"}, {"SET", key(), "x"}}[rng.IntN(5)]
}

// TestEffectsRebuildDocuments runs random commands on one keyspace and their
// effects on another.
func TestEffectsRebuildDocuments(t *testing.T) {
	for seed := range uint64(3) {
		a, b := newClient(t, 2), newClient(t, 3)
		var log recorder
		a.Keyspace.Observe(&log)
		rng := rand.New(rand.NewPCG(seed, 11))
		for range 6000 {
			words := argv(jsonCommand(rng)...)
			a.run(words)
			for _, w := range words {
				clear(w)
			}
		}
		for _, e := range log.effects {
			// What fails has changed something before it did, and does so again.
			b.run(e.Args)
		}
		for k, want := range contents(a) {
			if got := contents(b)[k]; got != want {
				t.Errorf("seed %d, %q: %.300q, want %.300q", seed, k, got, want)
			}
		}
	}
}

// TestDocumentsAreRebuilt holds that a document is what its rewrite makes of it.
func TestDocumentsAreRebuilt(t *testing.T) {
	a, b := newClient(t, 2), newClient(t, 2)
	rng := rand.New(rand.NewPCG(1, 12))
	for range 3000 {
		a.run(argv(jsonCommand(rng)...))
	}
	a.Begin()
	var all store.LockSet
	all.AddAll()
	a.Tx.Lock(&all)
	n := 0
	a.Tx.Each(func(e *store.Entry) bool {
		e.Value().Rebuild([]byte(e.Key()), func(args ...[]byte) {
			if reply := b.run(args); string(reply) != "+OK\r\n" {
				t.Errorf("%q: %s", args, reply)
			}
		})
		n++
		return true
	})
	a.Tx.End()
	for _, key := range []string{"j1", "j2", "j3", "j4"} {
		if want, got := a.do("JSON.GET "+key), b.do("JSON.GET "+key); want != got {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if n == 0 {
		t.Fatal("nothing to rebuild")
	}
}

func TestLargeDocumentsAreRefused(t *testing.T) {
	c := newClient(t, 2)
	big := `"` + strings.Repeat("x", 1<<20) + `"`
	c.run(argv("JSON.SET", "a", "$", "["+strings.Repeat("0,", 2000)+"0]"))
	for _, words := range [][]string{
		{"JSON.SET", "a", "$[*]", big},
		{"JSON.MERGE", "a", "$[*]", big},
	} {
		if got := string(c.run(argv(words...))); got != "-ERR the document would be larger than 1 GB\r\n" {
			t.Errorf("%s: %.100s", words[0], got)
		}
	}
	c.run(argv("JSON.SET", "a", "$", "["+strings.Repeat("[],", 2000)+"[]]"))
	if got := string(c.run(argv("JSON.ARRAPPEND", "a", "$[*]", big))); !strings.HasPrefix(got, "-ERR the document") {
		t.Errorf("%.100s", got)
	}
	c.run(argv("JSON.SET", "d", "$", strings.Repeat("[", 120)+strings.Repeat("]", 120)))
	path := "$" + strings.Repeat("[0]", 119)
	if got := string(c.run(argv("JSON.ARRAPPEND", "d", path, "[[[[[[[[[[]]]]]]]]]]"))); got != "-ERR recursion limit exceeded\r\n" {
		t.Errorf("%.100s", got)
	}
	if got := string(c.run(argv("JSON.ARRAPPEND", "d", path, "[[[[]]]]"))); got != "*1\r\n:1\r\n" {
		t.Errorf("%.100s", got)
	}
	if got := string(c.run(argv("JSON.GET", "d", "$"+strings.Repeat("..*", 9)))); got != "-ERR the path visits too many values\r\n" {
		t.Errorf("%.100s", got)
	}
}
