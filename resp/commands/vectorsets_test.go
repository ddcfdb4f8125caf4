package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
)

// TestEffectsRebuildVectorSets runs random commands on one keyspace and their
// effects on another, and on a third what a rewritten log would hold.
func TestEffectsRebuildVectorSets(t *testing.T) {
	a, b, rebuilt := newClient(t, 2), newClient(t, 3), newClient(t, 3)
	var log recorder
	a.Keyspace.Observe(&log)
	rng := rand.New(rand.NewPCG(1, 4))
	kinds := []struct {
		key  string
		dim  int
		more []string
	}{
		{"v", 8, nil}, // of many elements
		{"bin", 70, []string{"BIN"}},
		{"f", 3, []string{"NOQUANT", "M", "5"}},
		{"r", 6, []string{"REDUCE", "2"}},
		{"m", 2, []string{"Q8", "M", "40"}},
	}
	for range 4000 {
		k := kinds[rng.IntN(len(kinds))]
		if rng.IntN(2) == 0 {
			k = kinds[0]
		}
		name := "e" + strconv.Itoa(rng.IntN(1500))
		if k.dim != 8 {
			name = "e" + strconv.Itoa(rng.IntN(20))
		}
		var words []string
		switch rng.IntN(8) {
		case 0:
			words = []string{"VREM", k.key, name}
		case 1:
			words = []string{"VSETATTR", k.key, name, fmt.Sprintf(`{"n":%d}`, rng.IntN(9))}
		default:
			words = []string{"VADD", k.key}
			more := k.more
			if k.key == "r" {
				words, more = append(words, more...), nil
			}
			words = append(words, "VALUES", strconv.Itoa(k.dim))
			for range k.dim {
				words = append(words, strconv.Itoa(rng.IntN(100)-50))
			}
			words = append(append(words, name), more...)
			if rng.IntN(3) == 0 {
				words = append(words, "SETATTR", `{"n":0}`)
			}
		}
		args := argv(words...)
		if reply := a.run(args); reply[0] == '-' {
			t.Fatalf("%q: %s", args, reply)
		}
		a.Settle()
		for _, arg := range args {
			clear(arg) // the connection's buffer is used again
		}
	}
	for _, e := range log.effects {
		if reply := b.run(e.Args); reply[0] == '-' {
			t.Fatalf("effect %q: %s", e.Args, reply)
		}
	}
	b.Settle()
	sameContents(t, a, b)

	var effects [][][]byte
	a.Begin()
	a.Tx.Each(func(e *store.Entry) bool {
		e.Value().Rebuild([]byte(e.Key()), func(args ...[]byte) {
			words := make([][]byte, len(args))
			for i := range args {
				words[i] = bytes.Clone(args[i])
			}
			effects = append(effects, words)
		})
		return true
	})
	a.Tx.End()
	if reply := string(a.run(effects[0])); reply != "-ERR invalid vector specification\r\n" {
		t.Errorf("a client may say RAW: %s", reply)
	}
	rebuilt.S = session.New(0, nil, nil, nil, nil) // as a log is read
	rebuilt.W = &rebuilt.S.Out
	for _, words := range effects {
		if reply := rebuilt.run(words); reply[0] == '-' {
			t.Fatalf("%q: %s", words, reply)
		}
	}
	rebuilt.Settle()
	sameContents(t, a, rebuilt)
	for _, key := range []string{"v", "bin", "f", "r", "m"} {
		for i := range 20 {
			ask := fmt.Sprintf("VSIM %s ELE e%d TRUTH COUNT 5", key, i)
			if got, want := b.do(ask), a.do(ask); got != want {
				t.Errorf("%s: %s, was %s", ask, got, want)
			}
		}
	}
}

// TestVectorsOfAPipelineAreSearched: a client finds what it has just added, though
// the graph is told only before replies leave.
func TestVectorsOfAPipelineAreSearched(t *testing.T) {
	c := newClient(t, 2)
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 1200 {
		c.do(fmt.Sprintf("VADD v VALUES 4 %d %d %d %d e%d", rng.IntN(100), rng.IntN(100), rng.IntN(100), rng.IntN(100)-200, i))
		if i%100 == 99 {
			line := fmt.Sprintf("VADD v VALUES 4 %d 1 1 1000 new", i)
			c.do(line)
			if got := c.do(fmt.Sprintf("VSIM v VALUES 4 %d 1 1 1000 COUNT 1", i)); got != "*1\r\n$3\r\nnew\r\n" {
				t.Fatalf("after %d: %q", i, got)
			}
			c.do("VREM v new")
			if got := c.do(fmt.Sprintf("VSIM v VALUES 4 %d 1 1 1000 COUNT 1", i)); strings.Contains(got, "new") {
				t.Fatalf("after %d: %q", i, got)
			}
		}
	}
}
