package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/vfs"
)

// everything is all keys with their values and times, as commands that make them.
func everything(t *testing.T, s *Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	for db := range store.Databases {
		var tx store.Tx
		var set store.LockSet
		set.AddAll()
		tx.Begin(s.ks, db, 0)
		tx.Lock(&set)
		tx.Each(func(e *store.Entry) bool {
			value := e.Type().Name + " "
			e.Value().Rebuild(e.KeyBytes(), func(args ...[]byte) {
				var words []string
				for _, a := range args {
					words = append(words, string(a))
				}
				if e.Type().Name != "list" && e.Type().Name != "string" { // the others have no order, or say it
					slices.Sort(words)
				}
				value += fmt.Sprintf("%q", words)
			})
			all[fmt.Sprint(db, "/", e.Key())] = fmt.Sprint(value, " dies ", e.ExpireAt(), " takes ", e.Size())
			return true
		})
		tx.End()
	}
	return all
}

// loadPlainly replays the data folder dir on a server as clients' commands are run,
// one after the other. Nothing of a base is due meanwhile.
func loadPlainly(t *testing.T, s *Server, dir string) {
	t.Helper()
	c := s.replayCtx()
	s.env.Catalog.BeginLoad(vfs.OS, dir, s.cfg.Logger())
	log, _, err := persist.Open(vfs.OS, dir, persist.Options{Fsync: persist.No}, func(r persist.Record) error {
		s.clock.Freeze(r.At)
		if r.LSN == 0 {
			s.clock.Freeze(1)
		}
		for _, cmd := range r.Commands {
			if err := s.replay(c, cmd); err != nil {
				return err
			}
		}
		return nil
	})
	c.Settle()
	s.clock.Freeze(0)
	if err != nil {
		t.Fatal(err)
	}
	s.env.Catalog.EndLoad()
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

// sameLoaded loads dir in both ways and compares all there is, also when a part has
// expired.
func sameLoaded(t *testing.T, dir string, at int64) {
	t.Helper()
	var now atomic.Int64
	now.Store(at)
	quiet := func(s *Server) { s.ks.SetActiveExpire(false) }
	plain, _ := startAt(t, now.Load, quiet, "--dir", t.TempDir(), "--appendonly", "no")
	loadPlainly(t, plain, dir)
	s, stop := startAt(t, now.Load, quiet, "--dir", dir, "--appendonly", "no")
	defer stop()
	for range 3 {
		sameContents(t, everything(t, s), everything(t, plain))
		if a, b := s.keys(), plain.keys(); a != b {
			t.Errorf("%d keys, want %d", a, b)
		}
		for _, x := range []*Server{s, plain} {
			if err := x.ks.Validate(); err != nil {
				t.Error(err)
			}
		}
		now.Add(60_000)
		s.ks.SetActiveExpire(true)
		plain.ks.SetActiveExpire(true)
		s.ks.ExpireDue(0)
		plain.ks.ExpireDue(0)
	}
}

// TestBaseLoadsAsItsCommandsRun saves keys of all types, with and without times to
// live, and loads them.
func TestBaseLoadsAsItsCommandsRun(t *testing.T) {
	t.Parallel()
	const start = 1_800_000_000_000
	var now atomic.Int64
	now.Store(start)
	dir := t.TempDir()
	s, stop := startAt(t, now.Load, nil, "--dir", dir, "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0")
	c := dial(t, s, client.Options{})
	rnd := rand.New(rand.NewPCG(7, 8))
	do(t, c, "FT.CREATE", "docs", "PREFIX", 1, "k1", "SCHEMA", "f", "TEXT")
	do(t, c, "FT.CREATE", "late", "PREFIX", 1, "k2", "SKIPINITIALSCAN", "SCHEMA", "f", "TEXT")
	fill := func(n int) {
		p := c.Pipeline()
		for range n {
			p.Add("SELECT", rnd.IntN(3)*rnd.IntN(2))
			key := fmt.Sprint("k", rnd.IntN(20_000))
			p.Add("DEL", key)
			text := strings.Repeat("text ", rnd.IntN(8))
			switch kind := rnd.IntN(40); kind {
			case 0:
				p.Add("RPUSH", key, text, 1, 2, text)
			case 1:
				p.Add("SADD", key, text, 1, 2, "x")
			case 2:
				p.Add("ZADD", key, 1, "a", rnd.Float64(), text)
			case 3, 4:
				p.Add("HSET", key, "f", text, "g", 3)
				if kind == 4 {
					p.Add("HPEXPIRE", key, 1+rnd.IntN(150_000), "FIELDS", 1, "g")
				}
			case 5:
				p.Add("XADD", key, "*", "f", text)
			case 6:
				p.Add("JSON.SET", key, "$", fmt.Sprintf("{\"f\":%q}", text))
			case 7:
				p.Add("VADD", key, "VALUES", 3, 1, rnd.IntN(9), 2, text)
			case 8:
				p.Add("SETBIT", key, rnd.IntN(10_000), 1)
			case 9:
				p.Add("PFADD", key, text, rnd.IntN(99))
			case 10:
				p.Add("SET", strings.Repeat(key, 100), strings.Repeat(text, 100))
			case 11:
				p.Add("SET", key, rnd.Int64())
			default:
				p.Add("SET", key, text)
			}
			if rnd.IntN(3) == 0 {
				p.Add("PEXPIRE", key, 1+rnd.IntN(150_000))
			}
		}
		if _, err := p.Run(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		fill(500)
	}
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	now.Add(1000)
	fill(300) // the log after it
	stop()
	sameLoaded(t, dir, start+2000)
}

// TestBaseOfAnyCommandsLoads makes bases that no rewrite makes: what is in them
// depends on the order, and on what their strings meet.
func TestBaseOfAnyCommandsLoads(t *testing.T) {
	t.Parallel()
	const start = 1_800_000_000_000
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(9, seed))
		dir := t.TempDir()
		log, _, err := persist.Open(vfs.OS, dir, persist.Options{Fsync: persist.No}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = log.Rewrite(context.Background(), func(w func(persist.Record) error) error {
			for i := range 40 {
				r := persist.Record{Seq: uint64(i), At: start + int64(i)*10}
				for range 1 + rnd.IntN(200) {
					key, value := fmt.Sprint("k", rnd.IntN(60)), fmt.Sprint("v", rnd.IntN(1000))
					if rnd.IntN(50) == 0 {
						key = "sem:{a}b"
					}
					at := fmt.Sprint(r.At - 20 + rnd.Int64N(100_000)>>rnd.IntN(12))
					later := fmt.Sprint(start + 1000 + rnd.IntN(1000))
					words := [][]string{
						{"SET", key, value},
						{"SET", key, value},
						{"SET", key, ""},
						{"SET", key, value, "PXAT", at},
						{"SET", key, value, "PXAT", at},
						{"SET", key, value, "PXAT", "1"},
						{"set", key, value},
						{"SET", key, value, "pxat", later},
						{"SET", key, value, "NX"},
						{"SET", key, value, "KEEPTTL"},
						{"SET", key, value, "XX", "GET"},
						{"DEL", key},
						{"SETRANGE", key, "3", value},
						{"PEXPIREAT", key, at},
						{"COPY", key, "c" + key, "REPLACE"},
						{"MSET", key, value, "k1", value},
						{"SET", key, value, "PXAT", "9000000000000000000"},
						{"FLUSHDB"},
						{"SWAPDB", "0", "1"},
					}
					n := len(words)
					if rnd.IntN(30) > 0 {
						n -= 2
					}
					if rnd.IntN(3) > 0 {
						n = 6
					}
					cmd := persist.Command{DB: rnd.IntN(4) * rnd.IntN(2)}
					for _, x := range words[rnd.IntN(n)] {
						cmd.Args = append(cmd.Args, []byte(x))
					}
					r.Commands = append(r.Commands, cmd)
				}
				if err := w(r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		sameLoaded(t, dir, start)
	}
}

// TestBaseWithWhatIsNoCommandIsRefused: what does not hold is told as it is of a log.
func TestBaseWithWhatIsNoCommandIsRefused(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{
		{"SET", "k"},
		{"SET", "k", "v", "PXAT"},
		{"SET", "k", "v", "PXAT", "never"},
		{"SET", "k", "v", "PXAT", "-1"},
		{"SET", "k", "v", "PXAT", "01"},
		{"SET", "k", "v", "PXAT", "1", "NX", "XX"},
		{"SET", "k", "v", "NO"},
		{""},
	} {
		dir := t.TempDir()
		log, _, err := persist.Open(vfs.OS, dir, persist.Options{Fsync: persist.No}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var cmd persist.Command
		for _, x := range words {
			cmd.Args = append(cmd.Args, []byte(x))
		}
		good := persist.Command{Args: [][]byte{[]byte("SET"), []byte("a"), []byte("b")}}
		err = log.Rewrite(context.Background(), func(w func(persist.Record) error) error {
			return w(persist.Record{Seq: 1, At: 1, Commands: []persist.Command{good, cmd, good}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		cfg, err := LoadConfig([]string{"--port", "0", "--bind", "127.0.0.1", "--dir", dir}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = New(cfg).Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), ".base at 36: replay: ") || !strings.Contains(err.Error(), fmt.Sprintf("%q", words[0])) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// TestStringsOfABaseThatSomebodyMinds: such keys are loaded by commands, which tell of them.
func TestStringsOfABaseThatSomebodyMinds(t *testing.T) {
	t.Parallel()
	s, _ := start(t, nil, "--appendonly", "no", "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	l := newLoader(s)
	defer l.end()
	takes := func(db int, key string) bool {
		cmd := persist.Command{DB: db, Args: [][]byte{[]byte("SET"), []byte(key), []byte("v")}}
		return l.string(&cmd)
	}
	for _, key := range []string{"late:1", "short:1", "docs:1", "stock:pears"} {
		if !takes(0, key) {
			t.Errorf("%s: nobody minds it", key)
		}
	}
	l.fill.Flush(1)
	if takes(0, "sem:{shop}:1") || !takes(1, "sem:{shop}:1") {
		t.Error("the semantic cache minds its own keys, in database 0")
	}
	do(t, c, "FT.CREATE", "late", "PREFIX", 1, "late:", "SKIPINITIALSCAN", "SCHEMA", "f", "TEXT")
	do(t, c, "FT.CREATE", "short", "PREFIX", 1, "short:", "TEMPORARY", 100_000, "SCHEMA", "f", "TEXT")
	do(t, c, "FT.CREATE", "docs", "PREFIX", 1, "docs:", "SCHEMA", "f", "TEXT")
	do(t, c, "SEM.CREATE", "shop", "DIM", 2)
	do(t, c, "SEM.SET", "shop", "Do you sell pears?", "Yes.", "VEC", angle(0), "DEPS", 1, "stock:pears")
	if takes(0, "docs:1") {
		t.Error("an index hears of all that comes while nothing is loaded")
	}
	s.env.Catalog.BeginLoad(s.fs(), s.cfg.Dir(), s.cfg.Logger())
	for key, want := range map[string]bool{"late:1": false, "short:1": false, "docs:1": true, "stock:pears": false, "stock:apples": true, "other": true} {
		if got := takes(0, key); got != want {
			t.Errorf("%s: %t", key, got)
		}
	}
	if !takes(1, "late:1") || takes(1, "stock:pears") {
		t.Error("indexes are of database 0, what entries depend on is of any")
	}
	s.env.Catalog.EndLoad()
}
