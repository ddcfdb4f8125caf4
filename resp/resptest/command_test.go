package resptest_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// TestCommandAgrees compares what COMMAND and COMMAND DOCS say of each command with
// what the real Redis says. Arguments that only one side has are in rowDifferences.
func TestCommandAgrees(t *testing.T) {
	ours, theirs := dial(t, resptest.Start(t).Addr(), 3), dial(t, redisAddr(t), 3)
	compared := 0
	for _, name := range commandNames(ours) {
		info := func(c *resptest.Conn) resptest.Value { return c.Do("COMMAND", "INFO", name).Elems[0] }
		docs := func(c *resptest.Conn) resptest.Value { return field(c.Do("COMMAND", "DOCS", name), name) }
		a, b := info(ours), info(theirs)
		if len(b.Elems) == 0 {
			continue // only we have it
		}
		compared++
		a.Elems[9], b.Elems[9] = resptest.Value{}, resptest.Value{} // subcommands have names of their own
		if x, y := a.String(), b.String(); x != y {
			t.Errorf("COMMAND INFO %s\nours  %s\nredis %s", name, x, y)
		}
		da, db := withoutSubcommands(docs(ours)), withoutSubcommands(docs(theirs))
		if x, y := da.String(), db.String(); x != y {
			t.Errorf("COMMAND DOCS %s\n%s", name, firstDifference(x, y))
		}
	}
	t.Logf("%d commands compared", compared)
}

// commandNames lists the commands and subcommands of a server.
func commandNames(c *resptest.Conn) []string { return texts(c.Do("COMMAND", "LIST")) }

func withoutSubcommands(docs resptest.Value) resptest.Value {
	v := docs
	v.Elems = nil
	for i := 0; i+1 < len(docs.Elems); i += 2 {
		if docs.Elems[i].Text != "subcommands" {
			v.Elems = append(v.Elems, docs.Elems[i], docs.Elems[i+1])
		}
	}
	return v
}

func firstDifference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string {
		from := max(0, i-150)
		return strings.ReplaceAll(s[from:min(len(s), i+250)], "\n", " ")
	}
	return "ours  …" + cut(a) + "\nredis …" + cut(b)
}

// TestGetKeysAgree compares the keys that both servers find in random commands.
func TestGetKeysAgree(t *testing.T) {
	ours, theirs := dial(t, resptest.Start(t).Addr(), 3), dial(t, redisAddr(t), 3)
	d := &duel{T: t, rng: rand.New(rand.NewPCG(*randomSeed, 0)), start: time.Now()}
	for _, more := range []map[string]func(*duel) []string{zsetArgs, listArgs, streamArgs} {
		maps.Copy(commandArgs, more)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(commandArgs)), func(name string) bool {
		return ours.Do("COMMAND", "INFO", name).Elems[0].Kind != resptest.Array
	})
	failures := 0
	for range *randomSteps {
		name := d.pick(names...)
		argv := append([]string{name}, commandArgs[name](d)...)
		for d.rng.IntN(3) == 0 {
			argv = slices.Insert(argv, 1+d.rng.IntN(len(argv)), d.pick("GET", "set", "STORE", "STOREDIST", "KEYS", "STREAMS", "IFEQ", "2", "0", "-1", "COUNT", "x"))
		}
		if d.rng.IntN(4) == 0 {
			argv = argv[:1+d.rng.IntN(len(argv))]
		}
		full := append([]string{"COMMAND", "GETKEYSANDFLAGS"}, argv...)
		a, b := ours.Do(full...), theirs.Do(full...)
		if strings.Contains(b.String(), "(set) []") {
			continue // it has read a number such as +1 or 1e3, as the command itself does not
		}
		if a.String() != b.String() {
			t.Errorf("%q\nours  %s\nredis %s", argv, a, b)
			if failures++; failures > 20 {
				t.Fatal("too many differences")
			}
		}
	}
}

// TestCommandListAgrees compares the lists that COMMAND LIST's filters select, as far
// as both servers have the commands.
func TestCommandListAgrees(t *testing.T) {
	ours, theirs := dial(t, resptest.Start(t).Addr(), 3), dial(t, redisAddr(t), 3)
	here, there := commandNames(ours), commandNames(theirs)
	list := func(c *resptest.Conn, args ...string) []string {
		l := texts(c.Do(append([]string{"COMMAND", "LIST"}, args...)...))
		l = slices.DeleteFunc(l, func(name string) bool { return !slices.Contains(here, name) || !slices.Contains(there, name) })
		slices.Sort(l)
		return l
	}
	filters := [][]string{
		nil,
		{"FILTERBY", "PATTERN", "*"},
		{"FILTERBY", "PATTERN", "GET*"},
		{"filterby", "pattern", "*|?et*"},
		{"FILTERBY", "PATTERN", ""},
		{"FILTERBY", "MODULE", "nosuch"},
		{"FILTERBY", "ACLCAT", "nosuch"},
	}
	for _, cat := range texts(theirs.Do("ACL", "CAT")) {
		filters = append(filters, []string{"FILTERBY", "ACLCAT", cat})
	}
	for _, f := range filters {
		if a, b := list(ours, f...), list(theirs, f...); !slices.Equal(a, b) {
			t.Errorf("COMMAND LIST %q\nours  %q\nredis %q", f, a, b)
		}
	}
}
