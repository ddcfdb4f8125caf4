package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
)

// dataTable holds the rows of the data commands, which need no server.
var dataTable = func() *command.Table {
	t := command.NewTable(stringCommands, bitCommands, keyCommands, listCommands, setCommands, hashCommands, zsetCommands, streamCommands, geoCommands, hyperLogLogCommands, jsonCommands, vectorSetCommands)
	t.Observer.SetSlowThreshold(-1) // a machine under load makes slow commands, and these allocate
	return t
}()

// client runs data commands on a keyspace of its own, without a server.
type client struct {
	*command.Ctx
	now    int64 // Unix ms, the keyspace's clock
	system bool  // the machine's clock instead
}

func newClient(tb testing.TB, proto int) *client {
	tb.Helper()
	c := &client{now: 1_800_000_000_000}
	c.connect(tb, proto, store.New(store.Options{Clock: func() int64 {
		if c.system {
			return store.SystemClock()
		}
		return c.now
	}}))
	return c
}

func (c *client) connect(tb testing.TB, proto int, ks *store.Keyspace) {
	tb.Helper()
	c.Ctx = command.NewCtx(&command.Env{Keyspace: ks, Catalog: new(catalog.Catalog), Table: dataTable, Blocking: blocking.New(nil)}, session.New(1, nil, nil, nil, nil), nil)
	c.S.SetProto(proto)
}

// run executes a command and returns the reply's bytes; they are valid until
// the next run.
func (c *client) run(argv [][]byte) []byte {
	c.W.Reset()
	c.Now = 0 // read the clock again
	spec := dataTable.Find(argv[0])
	var err error
	if spec != nil && len(spec.Sub) > 0 && len(argv) > 1 {
		if sub := spec.Match(argv[1]); sub != nil {
			spec = sub
		} else {
			err = resp.UnknownSubcommand(argv)
		}
	}
	switch {
	case err != nil:
	case spec == nil:
		err = resp.UnknownCommand(argv)
	case !spec.ArityOK(len(argv)):
		err = resp.WrongArgs(spec.FullName())
	default:
		err = c.Run(spec, argv)
	}
	if err != nil {
		c.W.Error(resp.ErrorText(err))
	}
	return c.W.Bytes()
}

// do runs a command whose arguments are separated by spaces.
func (c *client) do(line string) string {
	var argv [][]byte
	for _, word := range strings.Fields(line) {
		argv = append(argv, []byte(word))
	}
	return string(c.run(argv))
}

func TestSetGetExpireDelete(t *testing.T) {
	c := newClient(t, 2)
	f := func(line, want string) {
		t.Helper()
		if got := c.do(line); got != want {
			t.Fatalf("%s: %q, want %q", line, got, want)
		}
	}
	f("SET k v", "+OK\r\n")
	f("GET k", "$1\r\nv\r\n")
	f("EXPIRE k 10", ":1\r\n")
	f("TTL k", ":10\r\n")
	c.now += 10_000
	f("GET k", "$-1\r\n")
	f("SET k v EX 5", "+OK\r\n")
	f("DBSIZE", ":1\r\n")
	f("DEL k missing", ":1\r\n")
	f("EXISTS k", ":0\r\n")
	f("FLUSHALL", "+OK\r\n")
}

func TestRandomFieldsAreBounded(t *testing.T) {
	c := newClient(t, 3)
	c.run(argv("HSET", "h", "f", string(make([]byte, 1<<20))))
	if got := c.do("HRANDFIELD h -10 WITHVALUES"); len(got) < 10<<20 {
		t.Fatalf("%d bytes", len(got))
	}
	for _, line := range []string{"HRANDFIELD h -1000 WITHVALUES", "HRANDFIELD h -1048577", "HRANDFIELD h -9223372036854775807"} {
		if got := c.do(line); got != "-ERR value is out of range\r\n" {
			t.Fatalf("%s: %.100q", line, got)
		}
	}
}

// TestRandomFieldsOfACountAreDistinct and cover the hash in the long run.
func TestRandomFieldsOfACountAreDistinct(t *testing.T) {
	c := newClient(t, 2)
	for i := range 100 {
		c.do(fmt.Sprintf("HSET h field%02d v", i))
	}
	seen := map[string]int{}
	for range 500 {
		names := strings.Fields(strings.ReplaceAll(c.do("HRANDFIELD h 10"), "$7", ""))[1:]
		slices.Sort(names)
		if len(names) != 10 || len(slices.Compact(names)) != 10 {
			t.Fatalf("%q", names)
		}
		for _, name := range names {
			seen[name]++
		}
	}
	for i := range 100 { // 50 each on average
		if n := seen[fmt.Sprintf("field%02d", i)]; n < 15 || n > 120 {
			t.Fatalf("field%02d came %d times", i, n)
		}
	}
}
