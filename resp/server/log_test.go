package server

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// contents is every key of the first databases with its type, value and time of
// death, as a client sees them.
func contents(t *testing.T, s *Server, databases int) map[string]string {
	t.Helper()
	c := dial(t, s, client.Options{Proto: 2})
	defer c.Close()
	all := map[string]string{}
	for db := range databases {
		do(t, c, "SELECT", db)
		for _, k := range do(t, c, "KEYS", "*").Elems {
			kind := do(t, c, "TYPE", k.Str).Str
			var value string
			switch kind {
			case "string":
				value = do(t, c, "GET", k.Str).String()
			case "hash":
				h := do(t, c, "HGETALL", k.Str).Elems
				var fields []string
				for i := 0; i+1 < len(h); i += 2 {
					fields = append(fields, h[i].String()+"="+h[i+1].String())
				}
				slices.Sort(fields)
				value = strings.Join(fields, " ")
			default:
				t.Fatalf("key %s of type %q", k.Str, kind)
			}
			all[fmt.Sprintf("%d/%s", db, k.Str)] = fmt.Sprintf("%s %s dies %d", kind, value, do(t, c, "PEXPIRETIME", k.Str).Int)
		}
	}
	return all
}

func sameContents(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s was %.200q, is %.200q", k, v, got[k])
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s was not there, is %.200q", k, v)
		}
	}
}

// history makes random commands on few keys, so that clients meet each other
// on all of them.
type history struct {
	*rand.Rand
	id int
	n  int
}

func (h *history) key() string { return fmt.Sprintf("k%d", h.IntN(4)) }

// command is one whose effect depends on what was there before.
func (h *history) command() []any {
	h.n++
	mine := fmt.Sprintf("%d:%d,", h.id, h.n)
	k := h.key()
	switch h.IntN(23) {
	case 0, 1:
		return []any{"INCR", "n" + k}
	case 2, 3:
		return []any{"APPEND", k, mine}
	case 4:
		return []any{"SET", k, mine}
	case 5:
		return []any{"SET", k, mine, "PX", 1 + h.IntN(40)}
	case 6:
		return []any{"SET", k, mine, "NX", "EX", 100 + h.IntN(100)}
	case 7:
		return []any{"SET", k, mine, "KEEPTTL", "GET"}
	case 8:
		return []any{"DEL", k, h.key()}
	case 9:
		return []any{"HSET", "h" + k, fmt.Sprintf("f%d", h.IntN(5)), mine}
	case 10:
		return []any{"HINCRBY", "h" + k, "n", h.IntN(9) - 4}
	case 11:
		return []any{"HINCRBYFLOAT", "h" + k, "x", 0.1 * float64(h.IntN(9))}
	case 12:
		return []any{"HDEL", "h" + k, fmt.Sprintf("f%d", h.IntN(5))}
	case 13:
		return []any{"EXPIRE", "h" + k, 100 + h.IntN(100), []string{"NX", "XX", "GT", "LT"}[h.IntN(4)]}
	case 14:
		return []any{"PEXPIRE", k, 1 + h.IntN(60)}
	case 15:
		return []any{"PERSIST", k}
	case 16:
		return []any{"COPY", k, h.key(), "REPLACE"}
	case 17:
		return []any{"COPY", "h" + k, "h" + h.key(), "DB", 1, "REPLACE"}
	case 18:
		return []any{"RENAME", k, h.key()}
	case 19:
		return []any{"RENAMENX", "h" + k, "h" + h.key()}
	case 20:
		return []any{"GETEX", k, "PX", 1 + h.IntN(60)}
	case 21:
		return []any{"INCRBYFLOAT", "x" + k, 0.1 * float64(1+h.IntN(9))}
	}
	if h.IntN(40) == 0 {
		return []any{"FLUSHDB"}
	}
	return []any{"MSET", k, mine, "m" + k, mine, h.key(), mine}
}

// play runs commands in packets and transactions. Errors are replies like any
// other here: a key may be gone, or of another type.
func (h *history) play(t *testing.T, c *client.Conn, commands int) {
	for commands > 0 {
		p := c.Pipeline()
		n := 1 + h.IntN(12)
		multi := h.IntN(4) == 0
		if multi {
			p.Add("MULTI")
		}
		for range n {
			p.Add(h.command()...)
		}
		if multi {
			p.Add("EXEC")
		}
		if _, err := p.Run(); err != nil {
			t.Error(err)
			return
		}
		commands -= n
	}
}

// TestLogHasTheOrderOfTheKeys races clients on few keys and restarts: what is
// loaded must be what was there, to the last value and time of death. Time
// passes while the clients run, so that keys die under them, and stands still
// otherwise.
func TestLogHasTheOrderOfTheKeys(t *testing.T) {
	dir := t.TempDir()
	now := atomic.Int64{}
	now.Store(1_800_000_000_000)
	flags := []string{"--dir", dir, "--appendfsync", "no"}
	var before map[string]string
	const clients, rounds, commands = 8, 3, 1200
	for round := range rounds {
		s, stop := startAt(t, now.Load, nil, flags...)
		if round > 0 {
			sameContents(t, contents(t, s, 2), before)
		}
		var wg sync.WaitGroup
		for i := range clients {
			c := dial(t, s, client.Options{})
			h := &history{Rand: rand.New(rand.NewPCG(uint64(round), uint64(i))), id: i}
			wg.Go(func() {
				for range 10 {
					h.play(t, c, commands/10)
					now.Add(int64(h.IntN(8)))
				}
			})
		}
		wg.Wait()
		before = contents(t, s, 2)
		if len(before) < 8 {
			t.Errorf("only %d keys are left: %v", len(before), slices.Sorted(maps.Keys(before)))
		}
		stop()
		if t.Failed() {
			return
		}
	}
	s, _ := startAt(t, now.Load, nil, flags...)
	sameContents(t, contents(t, s, 2), before)
	do(t, dial(t, s, client.Options{}), "PING")
}

// TestLogUnderAClockThatIsSetBack: the clock goes far forwards and back between commands, also around a rewrite, so
// that keys are due for a while and are not any more. What is loaded is what was there.
func TestLogUnderAClockThatIsSetBack(t *testing.T) {
	dir := t.TempDir()
	const noon = 1_800_000_000_000
	now := atomic.Int64{}
	now.Store(noon)
	flags := []string{"--dir", dir, "--appendfsync", "no", "--enable-debug-command", "yes", "--auto-aof-rewrite-percentage", "0"}
	rng := rand.New(rand.NewPCG(3, 4))
	h := &history{Rand: rng}
	var before map[string]string
	for round := range 12 {
		s, stop := startAt(t, now.Load, nil, flags...)
		if round > 0 {
			sameContents(t, contents(t, s, 2), before)
		}
		do(t, dial(t, s, client.Options{}), "DEBUG", "SET-ACTIVE-EXPIRE", "0")
		c := dial(t, s, client.Options{})
		for i := range 30 {
			h.play(t, c, 20)
			now.Store(noon + int64(rng.IntN(400)) - 200)
			if i == 20 {
				now.Add(int64(rng.IntN(2)) * 365 * 24 * 3600 * 1000)
				if run, busy, _ := s.beginSave(saveRewrite); run == nil || run() != nil {
					t.Fatalf("no rewrite: %v runs", busy)
				}
				now.Store(noon)
			}
		}
		before = contents(t, s, 2)
		stop()
		if t.Failed() {
			return
		}
	}
}

// lastSegment is the newest file of the log in dir.
func lastSegment(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "nearcache-*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segment in %s: %v", dir, err)
	}
	return slices.Max(files)
}

// TestTornTail cuts the end of the log by ever more bytes, as a power cut may.
// The server starts, says so, holds a prefix of the history in whole
// transactions, and goes on from there.
func TestTornTail(t *testing.T) {
	whole := t.TempDir()
	s, stop := start(t, nil, "--dir", whole, "--appendfsync", "always")
	c := dial(t, s, client.Options{})
	const steps = 60
	for i := 1; i <= steps; i++ {
		p := c.Pipeline()
		p.Add("MULTI")
		p.Add("SET", "a", i)
		p.Add("APPEND", "list", fmt.Sprintf("%d,", i))
		p.Add("HSET", "h", "i", i, fmt.Sprintf("f%d", i), strings.Repeat("x", i))
		p.Add("EXEC")
		if _, err := p.Run(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	file := lastSegment(t, whole)
	segment, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.ReadDir(whole)
	if err != nil {
		t.Fatal(err)
	}

	last, reported := steps+1, 0
	for cut := 1; cut < len(segment); cut += 1 + cut/3 {
		dir := t.TempDir()
		for _, e := range folder {
			b, err := os.ReadFile(filepath.Join(whole, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if e.Name() == filepath.Base(file) {
				b = b[:len(b)-cut]
			}
			if err := os.WriteFile(filepath.Join(dir, e.Name()), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, stop, said := startSaying(t, "--dir", dir)
		torn := strings.Contains(said(), "incomplete record")
		if torn {
			reported++
		}
		c := dial(t, s, client.Options{})
		i := int(do(t, c, "INCRBY", "a", 0).Int)
		var want strings.Builder
		for j := 1; j <= i; j++ {
			fmt.Fprintf(&want, "%d,", j)
		}
		if got := do(t, c, "GET", "list").Str; got != want.String() {
			t.Errorf("cut by %d: a = %d beside list = %q", cut, i, got)
		}
		if i > 0 {
			if got := do(t, c, "HGET", "h", "i").Str; got != fmt.Sprint(i) {
				t.Errorf("cut by %d: a = %d beside i = %s", cut, i, got)
			}
			if n := do(t, c, "HLEN", "h").Int; n != int64(i+1) {
				t.Errorf("cut by %d: %d fields at step %d", cut, n, i)
			}
		}
		if i > last {
			t.Errorf("cut by %d: step %d, with less of a cut only %d", cut, i, last)
		}
		last = i
		do(t, c, "SET", "after", cut)
		stop()

		s, stop, said = startSaying(t, "--dir", dir)
		if strings.Contains(said(), "incomplete record") {
			t.Errorf("cut by %d: it is reported again at the next start", cut)
		}
		c = dial(t, s, client.Options{})
		if got := do(t, c, "GET", "after").Str; got != fmt.Sprint(cut) {
			t.Errorf("cut by %d: what was written afterwards is %q", cut, got)
		}
		if got := do(t, c, "INCRBY", "a", 0).Int; int(got) != i {
			t.Errorf("cut by %d: step %d, after one more start %d", cut, i, got)
		}
		stop()
	}
	if last >= steps/2 {
		t.Errorf("the widest cut left %d steps of %d", last, steps)
	}
	if reported < 5 {
		t.Errorf("%d cuts were reported", reported)
	}
}

// startSaying is start with what the server has logged.
func startSaying(t *testing.T, flags ...string) (s *Server, stop func(), said func() string) {
	t.Helper()
	out := &logText{}
	s, stop = startWith(t, nil, out, nil, flags...)
	return s, stop, out.String
}

// logText collects what several goroutines log.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
