package commands

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
)

// recorder keeps what the log would hold, and the events.
type recorder struct {
	sync.Mutex
	effects []store.Effect
	seqs    []uint64 // of the commits that the effects come from
	events  []string
}

// Committed implements store.Observer.
func (r *recorder) Committed(c *store.Commit) {
	r.Lock()
	defer r.Unlock()
	for _, e := range c.Effects {
		args := make([][]byte, len(e.Args))
		for i, a := range e.Args {
			args[i] = bytes.Clone(a)
		}
		r.effects = append(r.effects, store.Effect{DB: e.DB, Args: args})
		r.seqs = append(r.seqs, c.Seq)
	}
	for _, e := range c.Events {
		r.events = append(r.events, fmt.Sprintf("%c %d %s %s", e.Class, e.DB, e.Name, e.Key))
	}
}

// take returns effects and events since the last take, as text.
func (r *recorder) take() (effects, events []string) {
	for _, e := range r.effects {
		effects = append(effects, fmt.Sprintf("%d %s", e.DB, bytes.Join(e.Args, []byte(" "))))
	}
	events = r.events
	r.effects, r.seqs, r.events = nil, nil, nil
	return effects, events
}

// contents is all that a keyspace holds: per database and key the time to live,
// type and value.
func contents(c *client) map[string]string {
	m := map[string]string{}
	db := c.S.DB
	for d := range store.Databases {
		c.S.Select(d)
		c.Begin()
		c.Tx.Each(func(e *store.Entry) bool {
			fields := map[string]string{}
			if e.Value().Type().ID == object.Stream { // where the order counts
				e.Value().Rebuild([]byte("k"), func(args ...[]byte) {
					fields["commands"] += fmt.Sprintf("%s\n", bytes.Join(args, []byte(" ")))
				})
				m[fmt.Sprintf("%d %s", d, e.Key())] = fmt.Sprint(e.ExpireAt(), " stream ", fields["commands"])
				return true
			}
			e.Value().Rebuild([]byte("k"), func(args ...[]byte) {
				switch string(args[0]) {
				case "SET":
					fields["value"] = string(args[2])
					return
				case "HSETEX":
					for i := 6; i < len(args); i += 2 {
						fields[string(args[i])] = fmt.Sprintf("%s until %s", args[i+1], args[3])
					}
					return
				case "SADD":
					for _, m := range args[2:] {
						fields[string(m)] = ""
					}
					return
				case "VADD":
					fields[string(args[4])] = fmt.Sprintf("%q", args)
					return
				case "RPUSH":
					fields["elements"] += fmt.Sprintf("%q", args[2:])
					return
				}
				for i := 2; i < len(args); i += 2 {
					fields[string(args[i])] = string(args[i+1])
				}
			})
			text := []string{fmt.Sprint(e.ExpireAt(), e.Value().Type().Name)}
			for _, name := range slices.Sorted(maps.Keys(fields)) {
				text = append(text, name, fields[name])
			}
			m[fmt.Sprintf("%d %s", d, e.Key())] = strings.Join(text, " ")
			return true
		})
		c.Tx.End()
	}
	c.S.Select(db)
	return m
}

// TestEffectsRebuildTheKeyspace runs random commands on one keyspace and their
// effects, later, on another.
func TestEffectsRebuildTheKeyspace(t *testing.T) {
	for seed := range uint64(4) {
		a, b := newClient(t, 2), newClient(t, 3)
		var log recorder
		a.Keyspace.Observe(&log)
		g := gen{rand.New(rand.NewPCG(seed, 3))}
		for range 8000 {
			a.S.Select(g.IntN(2))
			var argv [][]byte
			for _, w := range g.command() {
				argv = append(argv, []byte(w))
			}
			if strings.EqualFold(string(argv[0]), "SETRANGE") && len(argv) > 2 && len(argv[2]) > 3 {
				continue // half a gigabyte
			}
			a.run(argv)
			for _, arg := range argv {
				clear(arg) // the connection's buffer is used again
			}
			a.now += int64(g.IntN(40_000))
		}
		a.Keyspace.ExpireDue(0)
		// The log is read in one moment, before anything in it is due: what has
		// expired meanwhile is in the log as deleted.
		b.now = 1_800_000_000_000
		for _, e := range log.effects {
			b.S.Select(e.DB)
			if reply := b.run(e.Args); reply[0] == '-' {
				t.Fatalf("effect %q: %s", e.Args, reply)
			}
		}
		sameContents(t, a, b)
	}
}

func sameContents(t *testing.T, a, b *client) {
	t.Helper()
	want, got := contents(a), contents(b)
	if len(want) < 5 {
		t.Fatalf("only %d keys: the test says nothing", len(want))
	}
	for k := range want {
		if want[k] != got[k] {
			t.Errorf("%q: %.200q, want %.200q", k, got[k], want[k])
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%q should not be there", k)
		}
	}
}

// TestEffectsOfManyClientsRebuildTheKeyspace races clients on few keys. The
// sequence of commits must be an order in which they could have run one by one.
func TestEffectsOfManyClientsRebuildTheKeyspace(t *testing.T) {
	a := newClient(t, 2)
	var log recorder
	a.Keyspace.Observe(&log)
	var wg sync.WaitGroup
	for i := range uint64(4) {
		c := &client{}
		c.connect(t, 2, a.Keyspace)
		g := gen{rand.New(rand.NewPCG(i, 4))}
		wg.Go(func() {
			for n := range 4000 {
				c.S.Select(g.IntN(2))
				words := argv(g.command()...)
				if strings.EqualFold(string(words[0]), "SETRANGE") && len(words) > 2 && len(words[2]) > 3 {
					continue // half a gigabyte
				}
				if n%500 == 250 {
					words = argv(strings.Fields(g.pick("FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "SWAPDB 1 2"))...)
				}
				c.run(words)
			}
		})
	}
	wg.Wait()
	for i := range 5 {
		a.run(argv("SET", fmt.Sprint("last", i), "v"))
	}
	order := make([]int, len(log.effects))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(log.seqs[i], log.seqs[j]) })
	b := newClient(t, 3)
	for _, i := range order {
		e := log.effects[i]
		b.S.Select(e.DB)
		if reply := b.run(e.Args); reply[0] == '-' {
			t.Fatalf("effect %q: %s", e.Args, reply)
		}
	}
	sameContents(t, a, b)
}

// TestEffectsAndEvents holds what commands write to the log and how keyspace
// notifications name them.
func TestEffectsAndEvents(t *testing.T) {
	c := newClient(t, 2)
	var log recorder
	c.Keyspace.Observe(&log)
	const (
		now = "1800000000000"
		s10 = "1800000010000"
	)
	if got := fmt.Sprint(c.now); got != now {
		t.Fatal(got)
	}
	f := func(line, effects, events string) {
		t.Helper()
		c.do(line)
		gotEffects, gotEvents := log.take()
		if got := strings.Join(gotEffects, ", "); got != effects {
			t.Fatalf("%s: effects %q, want %q", line, got, effects)
		}
		if got := strings.Join(gotEvents, ", "); got != events {
			t.Fatalf("%s: events %q, want %q", line, got, events)
		}
	}
	f("SET k v", "0 SET k v", "$ 0 set k")
	f("SET k v NX", "", "")
	f("SET k w EX 10", "0 SET k w PXAT "+s10, "$ 0 set k, g 0 expire k")
	f("SET k x KEEPTTL", "0 SET k x KEEPTTL", "$ 0 set k")
	f("SET k y PXAT 1", "0 DEL k", "g 0 del k")
	f("SET k y PXAT 1", "", "")
	f("SETEX k 10 v", "0 SET k v PXAT "+s10, "$ 0 set k, g 0 expire k")
	f("GETEX k", "", "")
	f("GETEX k PERSIST", "0 PERSIST k", "g 0 persist k")
	f("GETEX k PERSIST", "", "")
	f("GETEX k PX 10000", "0 PEXPIREAT k "+s10, "g 0 expire k")
	f("EXPIRE k 10 GT", "", "")
	f("EXPIRE k 10", "0 PEXPIREAT k "+s10, "g 0 expire k")
	f("PERSIST k", "0 PERSIST k", "g 0 persist k")
	f("PERSIST k", "", "")
	f("EXPIRE k -1", "0 DEL k", "g 0 del k")
	f("GETDEL k", "", "")
	f("INCR n", "0 INCR n", "$ 0 incrby n")
	f("INCRBYFLOAT n 0.5", "0 SET n 1.5 KEEPTTL", "$ 0 incrbyfloat n")
	f("INCR n", "", "")
	f("APPEND n 0", "0 APPEND n 0", "$ 0 append n")
	f("SETRANGE n 5", "", "")
	f("SETRANGE n 1 xx", "0 SETRANGE n 1 xx", "$ 0 setrange n")
	f("SETBIT n 0 0", "", "")
	f("GETSET n v", "0 SET n v", "$ 0 set n")
	f("RENAME n m", "0 RENAME n m", "g 0 rename_from n, g 0 rename_to m")
	f("RENAME m m", "", "")
	f("COPY m n DB 1", "0 COPY m n DB 1", "g 1 copy_to n")
	f("MOVE m 1", "0 MOVE m 1", "g 0 move_from m, g 1 move_to m")
	f("MSET a 1 b 2", "0 MSET a 1 b 2", "$ 0 set a, $ 0 set b")
	f("MSETNX a 1 c 2", "", "")
	f("GETDEL a", "0 DEL a", "g 0 del a")
	f("DEL a", "", "")
	f("DEL a b", "0 DEL a b", "g 0 del b")
	f("HSET h f 1 g 2", "0 HSET h f 1 g 2", "h 0 hset h")
	f("HSETNX h f 1", "", "")
	f("HINCRBY h f 1", "0 HINCRBY h f 1", "h 0 hincrby h")
	f("HINCRBYFLOAT h f 0.5", "0 HSETEX h KEEPTTL FIELDS 1 f 2.5", "h 0 hincrbyfloat h")
	f("HDEL h x", "", "")
	f("HDEL h f", "0 HDEL h f", "h 0 hdel h")
	f("HGETDEL h FIELDS 1 g", "0 HGETDEL h FIELDS 1 g", "h 0 hdel h, g 0 del h")
	f("SET k v PX 5", "0 SET k v PXAT 1800000000005", "$ 0 set k, g 0 expire k")
	c.now += 5
	f("GET k", "0 DEL k", "x 0 expired k")
	const payload = "\x00\x01v\x0f\x00\x8a\x8c\xab\xbe\xb7\x94w6" // of a string
	f("RESTORE r 0 "+payload, "0 RESTORE r 0 "+payload+" REPLACE ABSTTL", "g 0 restore r")
	f("RESTORE r 10000 "+payload, "", "")
	f("RESTORE r 9995 "+payload+" REPLACE", "0 RESTORE r "+s10+" "+payload+" REPLACE ABSTTL", "g 0 restore r")
	f("RESTORE r 1 "+payload+" ABSTTL REPLACE", "0 DEL r", "g 0 del r")
	f("RESTORE r 1 "+payload+" ABSTTL", "", "")
	f("FLUSHDB", "0 FLUSHDB", "g 0 flush ")
	f("FLUSHALL SYNC", "0 FLUSHALL SYNC", "g -1 flush ")
}

// TestEffectsOfOneCommitKeepTheirBytes runs commands as EXEC does, in one Tx:
// what the first has logged must not change with what the next one writes.
func TestEffectsOfOneCommitKeepTheirBytes(t *testing.T) {
	c := newClient(t, 2)
	var log recorder
	c.Keyspace.Observe(&log)
	c.Begin()
	var set store.LockSet
	set.AddAll()
	c.Tx.Lock(&set)
	c.InExec = true
	for _, line := range []string{
		"SET f 1", "INCRBYFLOAT f 0.5", "INCRBYFLOAT f 0.25", "APPEND f 11", "SETRANGE f 0 9",
		"HSET h f 1", "HINCRBYFLOAT h f 0.5", "HINCRBYFLOAT h f 0.25", "GETSET f 7", "SET f 8 EX 10",
	} {
		if reply := c.do(line); reply[0] == '-' {
			t.Fatal(reply)
		}
	}
	c.InExec = false
	c.Tx.End()
	effects, _ := log.take()
	want := []string{
		"0 SET f 1", "0 SET f 1.5 KEEPTTL", "0 SET f 1.75 KEEPTTL", "0 APPEND f 11", "0 SETRANGE f 0 9",
		"0 HSET h f 1", "0 HSETEX h KEEPTTL FIELDS 1 f 1.5", "0 HSETEX h KEEPTTL FIELDS 1 f 1.75", "0 SET f 7", "0 SET f 8 PXAT 1800000010000",
	}
	if !slices.Equal(effects, want) {
		t.Fatalf("%q\nwant %q", effects, want)
	}
}
