package compat

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

func dialRueidis(t *testing.T, o rueidis.ClientOption) rueidis.Client {
	t.Helper()
	o.ConnWriteTimeout, o.Dialer.Timeout = patience, patience
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestRueidisDoCache reads through rueidis' cache: CLIENT CACHING YES, MULTI,
// PTTL, GET, EXEC in one pipeline, on a connection in OPTIN mode.
func TestRueidisDoCache(t *testing.T) {
	addr := address(t)
	ctx := t.Context()
	cached := dialRueidis(t, rueidis.ClientOption{InitAddress: []string{addr}})
	other := dialRueidis(t, rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	get := func(key string) rueidis.RedisResult {
		return cached.DoCache(ctx, cached.B().Get().Key(key).Cache(), time.Minute)
	}
	set := func(key, value string) {
		t.Helper()
		if err := other.Do(ctx, other.B().Set().Key(key).Value(value).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}

	set("k", "v")
	first := get("k")
	if s, err := first.ToString(); s != "v" || err != nil || first.IsCacheHit() {
		t.Fatal(s, err, first.IsCacheHit())
	}
	second := get("k")
	if s, err := second.ToString(); s != "v" || err != nil || !second.IsCacheHit() {
		t.Fatal(s, err, second.IsCacheHit())
	}
	for i := range 50 {
		want := fmt.Sprint(i)
		set("k", want)
		eventually(t, want, func() bool { s, _ := get("k").ToString(); return s == want })
	}

	// The key's own TTL bounds the cached one.
	other.Do(ctx, other.B().Set().Key("short").Value("v").PxMilliseconds(50).Build())
	if r := get("short"); r.CachePXAT() > time.Now().Add(time.Second).UnixMilli() {
		t.Errorf("cached until %d", r.CachePXAT())
	}
	eventually(t, "expiry", func() bool { return rueidis.IsRedisNil(get("short").Error()) })

	for name, kill := range map[string]rueidis.Completed{
		"DEL":      other.B().Del().Key("k").Build(),
		"FLUSHALL": other.B().Flushall().Build(),
		"PEXPIRE":  other.B().Pexpire().Key("k").Milliseconds(5).Build(),
		"RENAME":   other.B().Rename().Key("k").Newkey("elsewhere").Build(),
	} {
		set("k", name)
		eventually(t, name, func() bool { s, _ := get("k").ToString(); return s == name })
		other.Do(ctx, kill)
		eventually(t, "the end of k by "+name, func() bool { return rueidis.IsRedisNil(get("k").Error()) })
	}
}

func TestRueidisDoMultiCache(t *testing.T) {
	addr := address(t)
	ctx := t.Context()
	cached := dialRueidis(t, rueidis.ClientOption{InitAddress: []string{addr}})
	other := dialRueidis(t, rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	var keys []string
	for i := range 50 {
		key := fmt.Sprint("k", i)
		keys = append(keys, key)
		other.Do(ctx, other.B().Set().Key(key).Value(fmt.Sprint(i)).Build())
	}
	other.Do(ctx, other.B().Hset().Key("h").FieldValue().FieldValue("f", "v").Build())

	for round, hit := range []bool{false, true} {
		var cmds []rueidis.CacheableTTL
		for _, key := range keys {
			cmds = append(cmds, rueidis.CT(cached.B().Get().Key(key).Cache(), time.Minute))
		}
		cmds = append(cmds, rueidis.CT(cached.B().Hgetall().Key("h").Cache(), time.Minute))
		results := cached.DoMultiCache(ctx, cmds...)
		for i := range keys {
			if s, err := results[i].ToString(); s != fmt.Sprint(i) || err != nil || results[i].IsCacheHit() != hit {
				t.Fatal(round, i, s, err, results[i].IsCacheHit())
			}
		}
		if m, err := results[len(keys)].AsStrMap(); m["f"] != "v" || err != nil {
			t.Fatal(m, err)
		}
	}

	for range 2 {
		got, err := rueidis.MGetCache(cached, ctx, time.Minute, append(keys, "missing"))
		if err != nil || len(got) != len(keys)+1 {
			t.Fatal(len(got), err)
		}
		if m := got["missing"]; !m.IsNil() {
			t.Error(m)
		}
	}
	other.Do(ctx, other.B().Set().Key("missing").Value("here").Build())
	eventually(t, "a key that was missing", func() bool {
		got, _ := rueidis.MGetCache(cached, ctx, time.Minute, []string{"missing"})
		m := got["missing"]
		s, _ := m.ToString()
		return s == "here"
	})
}

func TestRueidisBroadcast(t *testing.T) {
	addr := address(t)
	ctx := t.Context()
	var mu sync.Mutex
	seen := map[string]bool{}
	cached := dialRueidis(t, rueidis.ClientOption{
		InitAddress:           []string{addr},
		ClientTrackingOptions: []string{"PREFIX", "user:", "BCAST"},
		OnInvalidations: func(messages []rueidis.RedisMessage) {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range messages {
				s, _ := m.ToString()
				seen[s] = true
			}
		},
	})
	other := dialRueidis(t, rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err := cached.Do(ctx, cached.B().Ping().Build()).Error(); err != nil {
		t.Fatal(err)
	}
	other.Do(ctx, other.B().Set().Key("item:1").Value("x").Build())
	other.Do(ctx, other.B().Set().Key("user:1").Value("x").Build())
	eventually(t, "the invalidation of user:1", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen["user:1"]
	})
	mu.Lock()
	defer mu.Unlock()
	if seen["item:1"] {
		t.Error("an invalidation outside the prefix")
	}
}

func TestRueidisPipelineAndTransaction(t *testing.T) {
	for _, resp2 := range []bool{false, true} {
		t.Run(fmt.Sprint("AlwaysRESP2=", resp2), func(t *testing.T) {
			ctx := t.Context()
			c := dialRueidis(t, rueidis.ClientOption{
				InitAddress: []string{address(t)}, AlwaysRESP2: resp2, DisableCache: resp2,
			})
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					for i := range 100 {
						key := fmt.Sprint(g, ":", i)
						rs := c.DoMulti(ctx, c.B().Set().Key(key).Value(key).Build(),
							c.B().Incr().Key("n").Build(), c.B().Get().Key(key).Build())
						if s, err := rs[2].ToString(); s != key || err != nil {
							t.Error(s, err)
							return
						}
					}
				})
			}
			wg.Wait()
			if n, err := c.Do(ctx, c.B().Get().Key("n").Build()).AsInt64(); n != 800 || err != nil {
				t.Error(n, err)
			}
			err := c.Dedicated(func(d rueidis.DedicatedClient) error {
				d.Do(ctx, d.B().Watch().Key("n").Build())
				c.Do(ctx, c.B().Set().Key("n").Value("0").Build())
				rs := d.DoMulti(ctx, d.B().Multi().Build(), d.B().Incr().Key("n").Build(), d.B().Exec().Build())
				if !rueidis.IsRedisNil(rs[2].Error()) {
					t.Error(rs[2])
				}
				rs = d.DoMulti(ctx, d.B().Multi().Build(), d.B().Incr().Key("n").Build(), d.B().Exec().Build())
				if vs, err := rs[2].AsIntSlice(); err != nil || fmt.Sprint(vs) != "[1]" {
					t.Error(vs, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			var re *rueidis.RedisError
			if err := c.Do(ctx, c.B().Hset().Key("n").FieldValue().FieldValue("f", "v").Build()).Error(); !errors.As(err, &re) ||
				!strings.HasPrefix(re.Error(), "WRONGTYPE") {
				t.Error(err)
			}
		})
	}
}

func TestRueidisPubSub(t *testing.T) {
	for _, resp2 := range []bool{false, true} {
		t.Run(fmt.Sprint("AlwaysRESP2=", resp2), func(t *testing.T) {
			ctx := t.Context()
			c := dialRueidis(t, rueidis.ClientOption{
				InitAddress: []string{address(t)}, AlwaysRESP2: resp2, DisableCache: resp2,
			})
			d, cancel := c.Dedicate()
			defer cancel()
			got := make(chan rueidis.PubSubMessage, 200)
			d.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) { got <- m }})
			if err := d.Do(ctx, d.B().Subscribe().Channel("news").Build()).Error(); err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				n, err := c.Do(ctx, c.B().Publish().Channel("news").Message(fmt.Sprint(i)).Build()).AsInt64()
				if n != 1 || err != nil {
					t.Fatal(n, err)
				}
			}
			for i := range 100 {
				select {
				case m := <-got:
					if m.Message != fmt.Sprint(i) {
						t.Fatal(m, i)
					}
				case <-time.After(patience):
					t.Fatalf("%d messages of 100", i)
				}
			}
		})
	}
}
