package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store"
)

// streamGen makes random commands of streams that mostly do something.
type streamGen struct{ *rand.Rand }

func (g streamGen) pick(s ...string) string { return s[g.IntN(len(s))] }
func (g streamGen) key() string             { return g.pick("x1", "x2", "x3") }
func (g streamGen) group() string           { return g.pick("g1", "g2") }
func (g streamGen) consumer() string        { return g.pick("c1", "c2", "c3") }
func (g streamGen) refs() string            { return g.pick("KEEPREF", "DELREF", "ACKED") }
func (g streamGen) id() string              { return fmt.Sprintf("%d-%d", 1+g.IntN(300), g.IntN(3)) }

func (g streamGen) ids() string { return strings.Join([]string{g.id(), g.id(), g.id()}, " ") }

func (g streamGen) command() string {
	maybe := func(s string) string { return g.pick("", s) }
	trim := g.pick("MAXLEN ", "MINID ") + g.pick("~ ", "= ", "") + fmt.Sprint(g.IntN(300)) + " " + maybe(g.refs())
	switch g.IntN(24) {
	case 0, 1, 2, 3, 4, 5:
		return fmt.Sprintf("XADD %s %s %s f %d g %s", g.key(), maybe(maybe(trim)), g.pick(g.id(), "*", fmt.Sprint(1+g.IntN(300))+"-*"), g.IntN(1000), g.pick("v", "w"))
	case 6:
		return fmt.Sprintf("XADD xi %s * f %d", g.pick("", "IDMP p1 "+fmt.Sprint(g.IntN(50)), "IDMPAUTO p2"), g.IntN(50))
	case 7:
		return "XTRIM " + g.key() + " " + trim
	case 8:
		return "XDEL " + g.key() + " " + g.ids()
	case 9:
		return "XDELEX " + g.key() + " " + g.refs() + " IDS 3 " + g.ids()
	case 10:
		return "XGROUP CREATE " + g.key() + " " + g.group() + g.pick(" 0", " $", " 20") + " MKSTREAM" + maybe(" ENTRIESREAD 3")
	case 11:
		return g.pick("XGROUP DESTROY ", "XGROUP CREATECONSUMER ", "XGROUP DELCONSUMER ") + g.key() + " " + g.group() + " " + g.consumer()
	case 12:
		return "XGROUP SETID " + g.key() + " " + g.group() + " " + g.id()
	case 13, 14, 15:
		return "XREADGROUP GROUP " + g.group() + " " + g.consumer() + " COUNT 5 " + maybe("CLAIM "+g.pick("0", "1000")+" ") + maybe(maybe("NOACK ")) +
			g.pick("STREAMS "+g.key()+" "+g.pick(">", ">", "0"), "BLOCK 0 STREAMS x1 x2 > >")
	case 16:
		return "XACK " + g.key() + " " + g.group() + " " + g.ids()
	case 17:
		return "XACKDEL " + g.key() + " " + g.group() + " " + g.refs() + " IDS 3 " + g.ids()
	case 18:
		return "XNACK " + g.key() + " " + g.group() + " " + g.pick("SILENT", "FAIL", "FATAL") + " IDS 3 " + g.ids() + maybe(" FORCE") + maybe(" RETRYCOUNT 9")
	case 19, 20:
		return "XCLAIM " + g.key() + " " + g.group() + " " + g.consumer() + g.pick(" 0 ", " 1000 ") + g.ids() + maybe(" FORCE") + maybe(" JUSTID") +
			g.pick("", " IDLE 5000", " TIME 1234567") + maybe(maybe(" LASTID "+g.id()))
	case 21:
		return "XAUTOCLAIM " + g.key() + " " + g.group() + " " + g.consumer() + g.pick(" 0 ", " 1000 ") + g.pick("-", g.id()) + " COUNT 5" + maybe(" JUSTID")
	case 22:
		return g.pick("XSETID "+g.key()+" 400-0 MAXDELETEDID "+g.id(), "XCFGSET xi IDMP-MAXSIZE "+fmt.Sprint(20+g.IntN(2)), "XIDMPRECORD xi p1 x 0-1",
			"DEL "+g.key(), "COPY "+g.key()+" "+g.key(), "RENAME "+g.key()+" "+g.key())
	}
	return "XGROUP CREATECONSUMER " + g.key() + " " + g.group() + " " + g.consumer()
}

// runStreams runs random commands.
func runStreams(a *client, seed uint64, n int) {
	g := streamGen{rand.New(rand.NewPCG(seed, 9))}
	for range n {
		a.now += int64(g.IntN(300))
		args := argv(strings.Fields(g.command())...)
		if strings.HasSuffix(string(bytes.Join(args, []byte(" "))), "BLOCK 0 STREAMS x1 x2 > >") {
			a.InExec = true // nobody would serve it
			a.Begin()
			var all store.LockSet
			all.AddAll()
			a.Tx.Lock(&all)
			a.run(args)
			a.InExec = false
			a.Tx.End()
		} else {
			a.run(args)
		}
		for _, arg := range args {
			clear(arg) // the connection's buffer is used again
		}
	}
	// Enough for a comparison, whatever was deleted last.
	for i := range 5 {
		a.do(fmt.Sprintf("XADD last%d 1-1 f v", i))
	}
}

// TestEffectsRebuildStreams runs random commands on one keyspace and their
// effects on another.
func TestEffectsRebuildStreams(t *testing.T) {
	for seed := range uint64(4) {
		a, b := newClient(t, 2), newClient(t, 3)
		var log recorder
		a.Keyspace.Observe(&log)
		runStreams(a, seed, 3000)
		b.now = a.now
		for _, e := range log.effects {
			if reply := b.run(e.Args); reply[0] == '-' {
				t.Fatalf("seed %d: effect %q: %s", seed, e.Args, reply)
			}
		}
		sameContents(t, a, b)
	}
}

// TestRebuildMakesTheSameStream runs what Rebuild says of a stream.
func TestRebuildMakesTheSameStream(t *testing.T) {
	for seed := range uint64(8) {
		a, b := newClient(t, 2), newClient(t, 2)
		runStreams(a, seed+100, 1500)
		b.now = a.now
		a.Begin()
		a.Tx.Each(func(e *store.Entry) bool {
			e.Value().Rebuild([]byte(e.Key()), func(args ...[]byte) {
				if reply := b.run(args); reply[0] == '-' {
					t.Fatalf("seed %d: %q: %s", seed, args, reply)
				}
			})
			return true
		})
		a.Tx.End()
		for _, c := range []*client{a, b} { // forget what is too old
			c.do("XINFO STREAM xi")
		}
		sameContents(t, a, b)
		for _, key := range []string{"x1", "x2", "x3", "xi"} {
			if want, got := a.do("XINFO GROUPS "+key), b.do("XINFO GROUPS "+key); got != want {
				t.Fatalf("seed %d: %s: %q\nwant %q", seed, key, got, want)
			}
		}
	}
}

// TestStreamsDoNotAllocate holds the promise for adding to a stream and reading it.
func TestStreamsDoNotAllocate(t *testing.T) {
	c := newClient(t, 3)
	for i := range 1000 {
		c.run(argv("XADD", "x", fmt.Sprintf("%d-1", i+1), "temperature", fmt.Sprint(i), "place", "somewhere"))
	}
	c.do("XGROUP CREATE x g 0")
	c.do("XREADGROUP GROUP g c STREAMS x >")
	f := func(most float64, words ...string) {
		t.Helper()
		args := argv(words...)
		c.run(args)
		if n := testing.AllocsPerRun(100, func() { c.run(args) }); n > most {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
	f(0, "XLEN", "x")
	f(0, "XRANGE", "x", "500", "510")
	f(0, "XREVRANGE", "x", "+", "-", "COUNT", "10")
	f(0, "XREAD", "COUNT", "10", "STREAMS", "x", "500")
	f(0, "XREAD", "STREAMS", "x", "$")
	f(0, "XPENDING", "x", "g")
	f(0, "XPENDING", "x", "g", "-", "+", "10")
	f(0, "XACK", "x", "g", "1-5")
	f(0, "XINFO", "STREAM", "x")
	f(2, "XADD", "x", "MAXLEN", "~", "1000", "*", "temperature", "20", "place", "somewhere")
}
