package tracking_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/server"
)

// nearCache is what a client keeps: values until they are invalidated. Keys
// are numbered, values grow with every write.
type nearCache struct {
	held map[string]int64
	seen map[string]int64 // the newest value ever read
}

func newNearCache() *nearCache { return &nearCache{map[string]int64{}, map[string]int64{}} }

func (c *nearCache) read(t testing.TB, key string, v int64) {
	if v < c.seen[key] {
		t.Errorf("%s went back from %d to %d", key, c.seen[key], v)
	}
	c.held[key], c.seen[key] = v, v
}

// take handles what came over the wire, in its order.
func (c *nearCache) take(t testing.TB, v client.Value) {
	switch {
	case v.Kind == client.Push && v.Elems[1].IsNull():
		clear(c.held)
	case v.Kind == client.Push:
		for _, k := range v.Elems[1].Elems {
			delete(c.held, k.Str)
		}
	case v.Kind == client.Status && strings.Contains(v.Str, "="):
		key, value, _ := strings.Cut(v.Str, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		c.read(t, key, n)
	}
}

// stale lists keys of which the client holds an older value than one whose
// write was acknowledged before.
func (c *nearCache) stale(acked func(key string) int64) []string {
	var l []string
	for k, v := range c.held {
		if n := acked(k); v < n {
			l = append(l, fmt.Sprintf("%s=%d, acknowledged was %d", k, v, n))
		}
	}
	return l
}

// runUntil lets a race go on for a while, and on a slow machine until it has
// seen enough; then it sets stop.
func runUntil(stop *atomic.Bool, least time.Duration, enough func() bool) {
	start := time.Now()
	for !stop.Load() && (time.Since(start) < least || !enough() && time.Since(start) < 2*time.Minute) {
		time.Sleep(10 * time.Millisecond)
	}
	stop.Store(true)
}

// TestNoReadIsStaleWhileOthersWrite races readers with near caches against
// writers, on the table alone. What was acknowledged before a barrier must not
// be held in an older version behind it (U01 to U03).
func TestNoReadIsStaleWhileOthersWrite(t *testing.T) {
	w := newWorld(t)
	w.table.SetMaxKeys(40) // so that the table's limit takes part
	const keys, writers, readers = 64, 3, 3
	var acked [keys]atomic.Int64
	key := func(i int) string { return "k" + strconv.Itoa(i) }
	number := func(k string) int { i, _ := strconv.Atoi(k[1:]); return i }
	var all []*peer
	for range writers + readers {
		all = append(all, w.peer(3))
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			p := all[n]
			for v := int64(1); !stop.Load(); v++ {
				i := n + writers*rand.IntN(keys/writers) // each key has one writer
				j := (i + writers) % (keys / writers * writers)
				p.set(strconv.FormatInt(v, 10), key(i), key(j))
				acked[i].Store(v)
				acked[j].Store(v)
			}
		})
	}
	var barriers atomic.Int64
	for n := range readers {
		p := all[writers+n]
		o := options{}
		if n == 2 {
			o = options{BCast: true, Prefixes: []string{"k"}}
		}
		p.on(o)
		wg.Go(func() {
			c := newNearCache()
			for !stop.Load() {
				for range 8 {
					p.get(key(rand.IntN(keys)), key(rand.IntN(keys)))
				}
				var before [keys]int64
				for i := range before {
					before[i] = acked[i].Load()
				}
				for _, v := range p.stream() {
					c.take(t, v)
				}
				if l := c.stale(func(k string) int64 { return before[number(k)] }); len(l) > 0 {
					t.Errorf("reader %d holds %v", n, l)
					stop.Store(true)
				}
				barriers.Add(1)
			}
			for _, v := range p.stream() {
				c.take(t, v)
			}
		})
	}
	runUntil(&stop, 800*time.Millisecond, func() bool { return barriers.Load() >= 100 })
	wg.Wait()
	if barriers.Load() < 100 {
		t.Errorf("only %d barriers", barriers.Load())
	}
}

// TestOrderMattersToTheCheck shows that the check above sees both mistakes it
// is there for: a registration after the lock, and a reply after the pushes
// that came behind its value.
func TestOrderMattersToTheCheck(t *testing.T) {
	f := func(name string, wantStale bool, read func(p *peer, gap func())) {
		t.Helper()
		w := newWorld(t)
		a, b := w.peer(3), w.peer(3)
		a.on(options{})
		b.set("1", "k0")
		c := newNearCache()
		a.get("k0") // registered from before
		read(a, func() { b.set("2", "k0") })
		for _, v := range a.stream() {
			c.take(t, v)
		}
		l := c.stale(func(string) int64 { return 2 })
		if (len(l) > 0) != wantStale {
			t.Errorf("%s: stale %v", name, l)
		}
	}
	keys := []string{"k0"}
	f("all under the lock", false, func(p *peer, gap func()) {
		p.get("k0")
		gap()
	})
	f("registered after the lock", true, func(p *peer, gap func()) {
		p.begin(keys)
		p.s.MergePushes()
		p.reply("k0")
		p.tx.End()
		gap() // takes the registration of the first read
		p.s.MergePushes()
		p.s.Out.Status("k0=1") // the value that was read
		p.register(keys)
	})
	f("replied after the pushes", true, func(p *peer, gap func()) {
		p.begin(keys)
		v := p.value("k0")
		p.register(keys)
		p.tx.End()
		gap()
		p.s.MergePushes()
		p.s.Out.Status("k0=" + v)
	})
}

// TestOneCommitIsToldInOnePiece: the invalidations of one command lie next to
// each other, whatever the client does meanwhile (U04).
func TestOneCommitIsToldInOnePiece(t *testing.T) {
	w := newWorld(t)
	a, b := w.peer(3), w.peer(3)
	a.on(options{})
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for v := 0; !stop.Load(); v++ {
			b.set(strconv.Itoa(v), "x", "y", "z")
		}
	})
	pieces := 0
	for start := time.Now(); time.Since(start) < 400*time.Millisecond || pieces == 0 && time.Since(start) < time.Minute; {
		a.get("x", "y", "z")
		for range 4 {
			a.get("other")
		}
		run := ""
		for _, v := range append(a.stream(), client.Value{}) {
			if v.Kind == client.Push {
				run += v.Elems[1].Elems[0].Str
				continue
			}
			if run != "" {
				pieces++
				if strings.ReplaceAll(run, "xyz", "") != "" {
					t.Errorf("told of %q in one piece", run)
				}
			}
			run = ""
		}
	}
	stop.Store(true)
	wg.Wait()
	if pieces == 0 {
		t.Error("no invalidation came")
	}
}

// startServer runs a whole server for the length of the test.
func startServer(t testing.TB) *server.Server {
	t.Helper()
	cfg, err := server.LoadConfig([]string{"--port", "0", "--bind", "127.0.0.1", "--appendonly", "no"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	s := server.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return s
}

// TestServerNeverLeavesAClientStale is the race over real connections:
// pipelines and MULTI against readers, one of which sleeps in between, so that
// pushes take both ways out.
func TestServerNeverLeavesAClientStale(t *testing.T) {
	s := startServer(t)
	const keys, writers, readers = 40, 2, 3
	var acked [keys]atomic.Int64
	number := func(k string) int { i, _ := strconv.Atoi(k[1:]); return i }
	var stop atomic.Bool
	var wg sync.WaitGroup
	dial := func(push func(client.Value)) *client.Conn {
		c, err := client.Dial(context.Background(), s.Addr(), client.Options{OnPush: push, Timeout: 2 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for n := range writers {
		c := dial(nil)
		wg.Go(func() {
			defer c.Close()
			for v := int64(1); !stop.Load(); v++ {
				p := c.Pipeline()
				i := n + writers*rand.IntN(keys/writers)
				k := "k" + strconv.Itoa(i)
				switch rand.IntN(4) {
				case 0:
					p.Add("MULTI")
					p.Add("SET", k, v)
					p.Add("EXPIRE", k, 100)
					p.Add("EXEC")
				case 1:
					p.Add("SET", k, v, "PX", 1000000)
				case 2:
					p.Add("DEL", k)
					p.Add("SET", k, v)
				default:
					p.Add("SET", k, v)
				}
				if _, err := p.Run(); err != nil {
					t.Errorf("writer: %v", err)
					return
				}
				acked[i].Store(v)
			}
		})
	}
	var barriers, pushes atomic.Int64
	for n := range readers {
		cache := newNearCache()
		c := dial(func(v client.Value) {
			pushes.Add(1)
			cache.take(t, v)
		})
		if _, err := c.Do("CLIENT", "TRACKING", "ON"); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			for !stop.Load() {
				for range 1 + rand.IntN(20) {
					k := "k" + strconv.Itoa(rand.IntN(keys))
					v, err := c.Do("GET", k)
					if err != nil {
						t.Errorf("reader: %v", err)
						return
					}
					switch v.Kind {
					case client.Null:
						delete(cache.held, k)
					case client.Bulk:
						x, err := strconv.ParseInt(v.Str, 10, 64)
						if err != nil {
							t.Errorf("GET %s = %q", k, v.Str)
						}
						cache.read(t, k, x)
					default:
						t.Errorf("GET %s = %v", k, v)
					}
				}
				if n == 0 {
					time.Sleep(time.Millisecond) // asleep in a read: pushes come by another goroutine
				}
				var before [keys]int64
				for i := range before {
					before[i] = acked[i].Load()
				}
				if v, err := c.Do("PING"); err != nil || v.Str != "PONG" {
					t.Errorf("PING: %v %v", v, err)
					return
				}
				if l := cache.stale(func(k string) int64 { return before[number(k)] }); len(l) > 0 {
					t.Errorf("reader %d holds %v", n, l)
					stop.Store(true)
				}
				barriers.Add(1)
			}
		})
	}
	runUntil(&stop, 1500*time.Millisecond, func() bool { return barriers.Load() >= 50 && pushes.Load() >= 50 })
	wg.Wait()
	if barriers.Load() < 50 || pushes.Load() < 50 {
		t.Errorf("%d barriers, %d pushes", barriers.Load(), pushes.Load())
	}
	t.Logf("%d barriers, %d pushes", barriers.Load(), pushes.Load())
}

// TestPushesNeverSplitAReply sends long pipelines whose replies are arrays
// while the keys change (U05).
func TestPushesNeverSplitAReply(t *testing.T) {
	s := startServer(t)
	dial := func(push func(client.Value)) *client.Conn {
		c, err := client.Dial(context.Background(), s.Addr(), client.Options{OnPush: push, Timeout: 2 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	writer := dial(nil)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for v := 0; !stop.Load(); v++ {
			if _, err := writer.Do("MSET", "a", v, "b", v, "c", v); err != nil {
				t.Error(err)
				return
			}
		}
	})
	pushes := 0
	reader := dial(func(client.Value) { pushes++ })
	if _, err := reader.Do("CLIENT", "TRACKING", "ON"); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 700*time.Millisecond || pushes == 0 && time.Since(start) < time.Minute; {
		p := reader.Pipeline()
		for range 50 {
			p.Add("MGET", "a", "b", "c")
			p.Add("MULTI")
			p.Add("GET", "a")
			p.Add("MGET", "a", "b")
			p.Add("EXEC")
		}
		l, err := p.Run()
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(l); i += 5 {
			m, e := l[i], l[i+4]
			if len(m.Elems) != 3 || len(e.Elems) != 2 || len(e.Elems[1].Elems) != 2 {
				t.Fatalf("replies %v and %v", m, e)
			}
			if x := m.Elems; x[0].Str != x[1].Str || x[1].Str != x[2].Str {
				t.Fatalf("MGET of one MSET is torn: %v", m)
			}
			if x := e.Elems[1].Elems; x[0].Str != x[1].Str || e.Elems[0].Str != x[0].Str {
				t.Fatalf("EXEC is torn: %v", e)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
	if pushes == 0 {
		t.Error("no push came")
	}
}
