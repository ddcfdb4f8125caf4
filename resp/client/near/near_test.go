package near_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/client/near"
	"github.com/nearcache/nearcache/resp/resptest"
)

// patience is with a machine that does much else.
const patience = 2 * time.Minute

func open(t testing.TB, addr string, o near.Options) *near.Client {
	t.Helper()
	o.Timeout = patience
	if o.Ping == 0 {
		o.Ping = patience
	}
	c, err := near.Open(context.Background(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func dial(t testing.TB, addr string) *client.Conn {
	t.Helper()
	c, err := client.Dial(context.Background(), addr, client.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func do(t testing.TB, c *client.Conn, args ...any) client.Value {
	t.Helper()
	v, err := c.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

// barrier returns once all invalidations have come that were on their way.
func barrier(t testing.TB, c *near.Client) {
	t.Helper()
	if _, err := c.Do(context.Background(), "PING"); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, c *near.Client, key string) string {
	t.Helper()
	v, found, err := c.Get(context.Background(), key)
	if err != nil {
		t.Fatalf("GET %s: %v", key, err)
	}
	if !found {
		return "(none)"
	}
	return v
}

func TestACopyLivesUntilTheKeyChanges(t *testing.T) {
	s := resptest.Start(t)
	c, other := open(t, s.Addr(), near.Options{}), dial(t, s.Addr())
	f := func(want string, hits, misses int64) {
		t.Helper()
		if got := get(t, c, "k"); got != want {
			t.Errorf("k = %q, want %q", got, want)
		}
		if st := c.Stats(); st.Hits != hits || st.Misses != misses {
			t.Errorf("%d hits, %d misses, want %d, %d", st.Hits, st.Misses, hits, misses)
		}
	}
	f("(none)", 0, 1)
	f("(none)", 1, 1)
	do(t, other, "SET", "k", "1")
	barrier(t, c)
	f("1", 1, 2)
	f("1", 2, 2)
	do(t, other, "SET", "unread", "1")
	barrier(t, c)
	f("1", 3, 2)
	do(t, other, "FLUSHALL")
	barrier(t, c)
	f("(none)", 3, 3)
	if st := c.Stats(); st.Invalidations != 1 || st.Flushes != 1 || st.Keys != 1 {
		t.Errorf("%+v", st)
	}
}

func TestReadsOfOneKeyAreRemembered(t *testing.T) {
	s := resptest.Start(t)
	ctx := context.Background()
	c, other := open(t, s.Addr(), near.Options{}), dial(t, s.Addr())
	do(t, other, "HSET", "h", "a", "1", "b", "2")
	read := func(name string, args ...string) string {
		t.Helper()
		v, err := c.Read(ctx, name, "h", args...)
		if err != nil {
			t.Fatal(err)
		}
		var l []string
		for _, x := range v.Elems {
			l = append(l, x.Str)
		}
		return v.Str + strings.Join(l, " ")
	}
	for range 2 {
		if a, b, all := read("HGET", "a"), read("hget", "b"), read("HGETALL"); a != "1" || b != "2" || all != "a 1 b 2" {
			t.Errorf("%q %q %q", a, b, all)
		}
	}
	if st := c.Stats(); st.Hits != 3 || st.Misses != 3 || st.Keys != 1 {
		t.Errorf("%+v", st)
	}
	do(t, other, "HSET", "h", "a", "3")
	barrier(t, c)
	if a, b := read("HGET", "a"), read("HGET", "b"); a != "3" || b != "2" {
		t.Errorf("%q %q", a, b)
	}
	if _, err := c.Read(ctx, "GET", "h"); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Errorf("GET of a hash: %v", err)
	}
	if st := c.Stats(); st.Misses != 6 {
		t.Errorf("%+v", st)
	}
}

func TestSearchesAreRemembered(t *testing.T) {
	s := resptest.Start(t, "--search-tracking", "yes")
	ctx := context.Background()
	c, other := open(t, s.Addr(), near.Options{}), dial(t, s.Addr())
	do(t, other, "FT.CREATE", "ix", "SCHEMA", "g", "TAG")
	do(t, other, "HSET", "d1", "g", "a")
	search := func(args ...any) int64 {
		t.Helper()
		v, err := c.Search(ctx, append([]any{"ix"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := v.Get("total_results")
		return n.Int
	}
	for range 3 {
		if a, b, none := search("@g:{a}"), search("@g:{a|b}", "LIMIT", 0, 1), search("@g:{c}"); a != 1 || b != 1 || none != 0 {
			t.Fatal(a, b, none)
		}
	}
	if st := c.Stats(); st.Hits != 6 || st.Misses != 3 {
		t.Errorf("%+v", st)
	}
	do(t, other, "HSET", "d2", "g", "b")
	barrier(t, c)
	if a, b := search("@g:{a}"), search("@g:{a|b}", "LIMIT", 0, 1); a != 1 || b != 2 {
		t.Error(a, b)
	}
	if st := c.Stats(); st.Hits != 7 || st.Misses != 4 || st.Invalidations != 1 {
		t.Errorf("%+v", st)
	}
	if _, err := c.Search(ctx, "ix", "@none:{a}"); err == nil {
		t.Error("no error")
	}
	do(t, other, "FLUSHALL")
	barrier(t, c)
	if st := c.Stats(); st.Keys != 0 || st.Bytes != 0 {
		t.Errorf("%+v", st)
	}
	do(t, other, "CONFIG", "SET", "search-tracking", "no")
	do(t, other, "FT.CREATE", "ix", "SCHEMA", "g", "TAG")
	search("@g:{a}")
	search("@g:{a}")
	if st := c.Stats(); st.Keys != 0 || st.Bytes != 0 || st.Hits != 7 {
		t.Errorf("not tracked, but held: %+v", st)
	}
}

func TestAClientReadsItsOwnWrites(t *testing.T) {
	s := resptest.Start(t)
	ctx := context.Background()
	c := open(t, s.Addr(), near.Options{})
	for i := range 300 {
		want := strconv.Itoa(i)
		args := [][]any{{"SET", "k", want}, {"MSET", "other", "x", "k", want}}[i%2]
		if _, err := c.Do(ctx, args...); err != nil {
			t.Fatal(err)
		}
		if got := get(t, c, "k"); got != want {
			t.Fatalf("wrote %s, read %s", want, got)
		}
	}
}

func TestManyWhoAskAreOneQuestion(t *testing.T) {
	s := resptest.Start(t)
	c, other := open(t, s.Addr(), near.Options{}), dial(t, s.Addr())
	do(t, other, "SET", "k", "v")
	do(t, other, "CLIENT", "PAUSE", 60000, "ALL") // until all are waiting
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if v := get(t, c, "k"); v != "v" {
				t.Errorf("k = %q", v)
			}
		})
	}
	for st := c.Stats(); st.Misses+st.Shared < 50; st = c.Stats() {
		time.Sleep(time.Millisecond)
	}
	do(t, other, "CLIENT", "UNPAUSE")
	wg.Wait()
	if st := c.Stats(); st.Misses != 1 || st.Shared != 49 {
		t.Errorf("%+v", st)
	}
}

// kill ends the connections of that name.
func kill(t testing.TB, c *client.Conn, name string) {
	t.Helper()
	for _, line := range strings.Split(do(t, c, "CLIENT", "LIST").Str, "\n") {
		if strings.Contains(line, "name="+name+" ") {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			do(t, c, "CLIENT", "KILL", "ID", id)
		}
	}
}

func TestTheConnectionsEndIsAFlush(t *testing.T) {
	s := resptest.Start(t)
	c, other := open(t, s.Addr(), near.Options{Name: "near"}), dial(t, s.Addr())
	do(t, other, "SET", "k", "1")
	for round := range 3 {
		get(t, c, "k")
		kill(t, other, "near")
		for c.Stats().Flushes == int64(round) {
			time.Sleep(time.Millisecond)
		}
		do(t, other, "SET", "k", strconv.Itoa(round)) // nobody is told
		if got := get(t, c, "k"); got != strconv.Itoa(round) {
			t.Errorf("round %d: k = %s", round, got)
		}
	}
}

func TestCopiesStayWithinTheirRoom(t *testing.T) {
	s := resptest.Start(t)
	c := open(t, s.Addr(), near.Options{MaxBytes: 256 << 10})
	other := dial(t, s.Addr())
	p := other.Pipeline()
	for i := range 2000 {
		p.Add("SET", fmt.Sprint("k", i), strings.Repeat("x", 500))
	}
	if _, err := p.Run(); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		get(t, c, fmt.Sprint("k", i))
		get(t, c, "k0") // is used all the time
		if st := c.Stats(); i%100 == 0 && st.Bytes > 256<<10 {
			t.Fatalf("%+v", st)
		}
	}
	st := c.Stats()
	if st.Evictions < 1000 || st.Keys < 100 || st.Hits != 2000 {
		t.Errorf("%+v", st)
	}
	do(t, other, "FLUSHALL")
	barrier(t, c)
	if st := c.Stats(); st.Keys != 0 || st.Bytes != 0 {
		t.Errorf("after a flush %+v", st)
	}
}

// TestNoCopyIsStaleBehindABarrier races clients against writers, expiry,
// flushes and kills: what was acknowledged before a barrier is not read in an
// older version behind it.
func TestNoCopyIsStaleBehindABarrier(t *testing.T) {
	s := resptest.Start(t)
	const keys, writers, readers = 24, 2, 3
	var acked [keys]atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for n := range writers {
		w := dial(t, s.Addr())
		wg.Go(func() {
			for v := int64(1); !stop.Load(); v++ {
				i := n + writers*rand.IntN(keys/writers)
				k := fmt.Sprint("k", i)
				var err error
				switch rand.IntN(64) {
				case 0:
					_, err = w.Do("FLUSHALL")
				case 1, 2, 3, 4, 5:
					_, err = w.Do("SET", k, v, "PX", 1+rand.IntN(3))
				case 6, 7, 8, 9, 10:
					_, err = w.Do("GETSET", k, v)
				default:
					_, err = w.Do("SET", k, v)
				}
				if err != nil {
					t.Error(err)
					return
				}
				acked[i].Store(v)
			}
		})
	}
	var rounds atomic.Int64
	for n := range readers {
		name := fmt.Sprint("reader", n)
		c := open(t, s.Addr(), near.Options{Name: name, MaxBytes: int64(64<<10) << (8 * n)})
		killer := dial(t, s.Addr())
		wg.Go(func() {
			ctx := context.Background()
			for !stop.Load() {
				for range 20 {
					_, _, _ = c.Get(ctx, fmt.Sprint("k", rand.IntN(keys)))
				}
				if n == 2 && rand.IntN(50) == 0 {
					kill(t, killer, name)
				}
				var before [keys]int64
				for i := range before {
					before[i] = acked[i].Load()
				}
				if _, err := c.Do(ctx, "PING"); err != nil {
					if n != 2 {
						t.Error(err)
					}
					continue // killed: no barrier
				}
				for i := range before {
					v, found, err := c.Get(ctx, fmt.Sprint("k", i))
					if err != nil && n != 2 {
						t.Error(err)
					}
					if x, _ := strconv.ParseInt(v, 10, 64); err == nil && found && x < before[i] {
						t.Errorf("reader %d: k%d = %q, acknowledged was %d", n, i, v, before[i])
						stop.Store(true)
					}
				}
				rounds.Add(1)
			}
		})
	}
	for start := time.Now(); !stop.Load() && (time.Since(start) < time.Second || rounds.Load() < 20 && time.Since(start) < patience); {
		time.Sleep(10 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	if rounds.Load() < 20 {
		t.Errorf("only %d rounds", rounds.Load())
	}
}

func TestLoadOnceForAll(t *testing.T) {
	s := resptest.Start(t)
	const clients, each = 4, 25
	var calls, waiting atomic.Int64
	release := make(chan struct{})
	var wg sync.WaitGroup
	var all []*near.Client
	for range clients {
		c := open(t, s.Addr(), near.Options{})
		all = append(all, c)
		for range each {
			wg.Go(func() {
				waiting.Add(1)
				v, err := c.Cached(context.Background(), "page", time.Hour, func(context.Context) (string, error) {
					calls.Add(1)
					<-release
					return "rendered", nil
				}, near.LoadOptions{Lease: patience})
				if v != "rendered" || err != nil {
					t.Errorf("%q, %v", v, err)
				}
			})
		}
	}
	for waits := int64(0); waits < clients*each-1; {
		waits = 0
		for _, c := range all {
			waits += c.Stats().Waits
		}
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("loaded %d times", calls.Load())
	}
	if ms := do(t, dial(t, s.Addr()), "PTTL", "page").Int; ms < time.Hour.Milliseconds()-patience.Milliseconds() || ms > time.Hour.Milliseconds() {
		t.Errorf("PTTL %d", ms)
	}
	if v := do(t, dial(t, s.Addr()), "EXISTS", "lease:{page}"); v.Int != 0 {
		t.Error("the lease is left")
	}
}

func TestAFailedLoadLetsTheNextOneTry(t *testing.T) {
	s := resptest.Start(t)
	ctx := context.Background()
	a, b := open(t, s.Addr(), near.Options{}), open(t, s.Addr(), near.Options{})
	boom := errors.New("boom")
	inA, endA := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := a.Cached(ctx, "k", time.Minute, func(context.Context) (string, error) {
			close(inA)
			<-endA
			return "", boom
		}, near.LoadOptions{}); !errors.Is(err, boom) {
			t.Errorf("error %v", err)
		}
	})
	<-inA
	wg.Go(func() {
		if v, err := b.Cached(ctx, "k", time.Minute, func(context.Context) (string, error) { return "", nil }, near.LoadOptions{}); v != "" || err != nil {
			t.Errorf("%q, %v", v, err)
		}
	})
	for b.Stats().Waits == 0 {
		time.Sleep(time.Millisecond)
	}
	close(endA)
	wg.Wait()
	barrier(t, a)
	if v, found, err := a.Get(ctx, "k"); v != "" || !found || err != nil {
		t.Errorf("%q, %v, %v", v, found, err)
	}
}

func TestALeaseEndsWithItsTime(t *testing.T) {
	s := resptest.Start(t)
	c, other := open(t, s.Addr(), near.Options{}), dial(t, s.Addr())
	load := func(context.Context) (string, error) { return "v", nil }
	for ms := 50; c.Stats().Waits == 0; ms *= 2 { // where the machine is slow, the lease has ended before it is met
		if ms > 30000 {
			t.Fatalf("nobody has waited: %+v", c.Stats())
		}
		key := fmt.Sprint("k", ms)
		do(t, other, "SET", "lease:{"+key+"}", "of one that has died", "PX", ms)
		if v, err := c.Cached(context.Background(), key, time.Minute, load, near.LoadOptions{}); v != "v" || err != nil {
			t.Errorf("%q, %v, %+v", v, err, c.Stats())
		}
	}
}

func TestAStaleValueIsServedWhileTheNextOneIsLoaded(t *testing.T) {
	s := resptest.Start(t)
	ctx := context.Background()
	c, other := open(t, s.Addr(), near.Options{}), dial(t, s.Addr())
	const ttl, grace = time.Hour, time.Hour
	do(t, other, "SET", "k", "old", "PX", (grace - time.Minute).Milliseconds()) // a minute of it is over
	o := near.LoadOptions{Stale: grace, Lease: patience}
	release := make(chan struct{})
	var calls atomic.Int64
	load := func(context.Context) (string, error) {
		calls.Add(1)
		<-release
		return "new", nil
	}
	for range 20 {
		if v, err := c.Cached(ctx, "k", ttl, load, o); v != "old" || err != nil {
			t.Fatalf("%q, %v", v, err)
		}
	}
	close(release)
	for get(t, c, "k") != "new" {
		time.Sleep(time.Millisecond)
	}
	if v, err := c.Cached(ctx, "k", ttl, load, o); v != "new" || err != nil || calls.Load() != 1 {
		t.Errorf("%q, %v, %d loads", v, err, calls.Load())
	}
	if ms := do(t, other, "PTTL", "k").Int; ms < (ttl+grace-patience).Milliseconds() || ms > (ttl+grace).Milliseconds() {
		t.Errorf("PTTL %d", ms)
	}
}

func TestTheServerIsToldOfHits(t *testing.T) {
	s := resptest.Start(t)
	c, other := open(t, s.Addr(), near.Options{Ping: time.Second}), dial(t, s.Addr())
	for i := range 400 {
		for range 4 {
			get(t, c, fmt.Sprint("price:", i))
		}
	}
	// Of each key that is counted one look-up of four went to the server; what a report tells may end
	// within a key. That of 400 none is counted, of 16 one, happens once in 10^11 times.
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		prefixes, _ := do(t, other, "TRACKING.STATS").Get("prefixes")
		if len(prefixes.Elems) == 1 {
			p := prefixes.Elems[0]
			name, _ := p.Get("prefix")
			rate, _ := p.Get("hit-rate")
			if name.Str == "price:" && rate.Str == "0.75" {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatal(prefixes)
		}
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	s := resptest.Start(t)
	c, other := open(t, s.Addr(), near.Options{}), dial(t, s.Addr())
	do(t, other, "CLIENT", "PAUSE", 60000, "ALL")
	done := make(chan error)
	go func() {
		_, _, err := c.Get(context.Background(), "k")
		done <- err
	}()
	for c.Stats().Misses == 0 {
		time.Sleep(time.Millisecond)
	}
	_ = c.Close()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	if _, _, err := c.Get(context.Background(), "k"); !errors.Is(err, near.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	do(t, other, "CLIENT", "UNPAUSE")
}

func BenchmarkGet(b *testing.B) {
	s := resptest.Start(b)
	c, plain := open(b, s.Addr(), near.Options{}), dial(b, s.Addr())
	do(b, plain, "SET", "hot", strings.Repeat("x", 64), "PX", 100000000)
	ctx := context.Background()
	b.Run("from=here", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, found, _ := c.Get(ctx, "hot"); !found {
				b.Fatal("gone")
			}
		}
	})
	b.Run("from=here/parallel", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				_, _, _ = c.Get(ctx, "hot")
			}
		})
	})
	b.Run("from=server", func(b *testing.B) {
		for b.Loop() {
			if _, err := plain.Do("GET", "hot"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
