package compat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// dialGoRedis makes a client that sends nothing again since the machine stands still.
func dialGoRedis(t *testing.T, o *redis.Options) *redis.Client {
	t.Helper()
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience, patience
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// goredis runs a test with go-redis in both protocol versions.
func goredis(t *testing.T, f func(t *testing.T, ctx context.Context, r *redis.Client)) {
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", proto), func(t *testing.T) {
			f(t, t.Context(), dialGoRedis(t, &redis.Options{Addr: address(t), Protocol: proto}))
		})
	}
}

func TestGoRedisHandshake(t *testing.T) {
	goredis(t, func(t *testing.T, ctx context.Context, r *redis.Client) {
		if got, err := r.Ping(ctx).Result(); got != "PONG" || err != nil {
			t.Fatal(got, err)
		}
		info, err := r.Do(ctx, "CLIENT", "INFO").Text()
		if err != nil || !strings.Contains(info, "lib-name=go-redis") {
			t.Error(info, err)
		}
		want := fmt.Sprintf("resp=%d", r.Options().Protocol)
		if !strings.Contains(info, want) {
			t.Errorf("no %s in %s", want, info)
		}
	})
}

func TestGoRedisStringsAndHashes(t *testing.T) {
	goredis(t, func(t *testing.T, ctx context.Context, r *redis.Client) {
		if err := r.Set(ctx, "k", "v", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if ok, err := r.SetNX(ctx, "k", "w", 0).Result(); ok || err != nil {
			t.Error(ok, err)
		}
		if d := r.TTL(ctx, "k").Val(); d < 30*time.Second || d > time.Minute {
			t.Error(d)
		}
		if _, err := r.Get(ctx, "missing").Result(); !errors.Is(err, redis.Nil) {
			t.Error(err)
		}
		if got := r.MGet(ctx, "k", "missing").Val(); fmt.Sprint(got) != "[v <nil>]" {
			t.Error(got)
		}
		if got := r.IncrByFloat(ctx, "f", 1.5).Val(); got != 1.5 {
			t.Error(got)
		}
		var user struct {
			Name string `redis:"name"`
			Age  int    `redis:"age"`
		}
		if err := r.HSet(ctx, "h", "name", "Ann", "age", 30).Err(); err != nil {
			t.Fatal(err)
		}
		if err := r.HGetAll(ctx, "h").Scan(&user); err != nil || user.Name != "Ann" || user.Age != 30 {
			t.Error(user, err)
		}
		if got := r.HRandFieldWithValues(ctx, "h", 2).Val(); len(got) != 2 {
			t.Error(got)
		}
		if err := r.Get(ctx, "h").Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE ") {
			t.Error(err)
		}
		for i := range 100 {
			r.Set(ctx, fmt.Sprint("s:", i), i, 0)
		}
		n := 0
		for it := r.Scan(ctx, 0, "s:*", 7).Iterator(); it.Next(ctx); {
			n++
		}
		if n != 100 {
			t.Errorf("scanned %d of 100 keys", n)
		}
	})
}

func TestGoRedisPipeline(t *testing.T) {
	goredis(t, func(t *testing.T, ctx context.Context, r *redis.Client) {
		cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 1000 {
				p.Set(ctx, fmt.Sprint("k", i), i, 0)
				p.Get(ctx, fmt.Sprint("k", i))
			}
			return nil
		})
		if err != nil || len(cmds) != 2000 {
			t.Fatal(len(cmds), err)
		}
		for i := range 1000 {
			if got := cmds[2*i+1].(*redis.StringCmd).Val(); got != fmt.Sprint(i) {
				t.Fatalf("k%d = %q", i, got)
			}
		}
	})
}

func TestGoRedisTransaction(t *testing.T) {
	goredis(t, func(t *testing.T, ctx context.Context, r *redis.Client) {
		cmds, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "a", 1, 0)
			p.Incr(ctx, "a")
			p.HSet(ctx, "h", "f", "v")
			p.HGetAll(ctx, "h")
			return nil
		})
		if err != nil || cmds[1].(*redis.IntCmd).Val() != 2 || cmds[3].(*redis.MapStringStringCmd).Val()["f"] != "v" {
			t.Fatal(cmds, err)
		}
		err = r.Watch(ctx, func(tx *redis.Tx) error {
			r.Set(ctx, "a", 10, 0)
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Incr(ctx, "a").Err() })
			return err
		}, "a")
		if !errors.Is(err, redis.TxFailedErr) {
			t.Error(err)
		}
		if got := r.Get(ctx, "a").Val(); got != "10" {
			t.Error(got)
		}
	})
}

// TestGoRedisCountersUnderWatch counts with optimistic locking from many
// goroutines: no increment may be lost.
func TestGoRedisCountersUnderWatch(t *testing.T) {
	goredis(t, func(t *testing.T, ctx context.Context, r *redis.Client) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 25 {
					for {
						err := r.Watch(ctx, func(tx *redis.Tx) error {
							n, err := tx.Get(ctx, "n").Int()
							if err != nil && !errors.Is(err, redis.Nil) {
								return err
							}
							_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
								return p.Set(ctx, "n", n+1, 0).Err()
							})
							return err
						}, "n")
						if err == nil {
							break
						}
						if !errors.Is(err, redis.TxFailedErr) {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
		if got := r.Get(ctx, "n").Val(); got != "200" {
			t.Errorf("counted to %s, want 200", got)
		}
	})
}

func TestGoRedisPubSub(t *testing.T) {
	goredis(t, func(t *testing.T, ctx context.Context, r *redis.Client) {
		p := r.Subscribe(ctx, "news")
		defer p.Close()
		if err := p.PSubscribe(ctx, "user:*"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := p.Receive(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 100 {
			if n := r.Publish(ctx, "news", i).Val(); n != 1 {
				t.Fatalf("%d receivers", n)
			}
		}
		r.Publish(ctx, "user:1", "x")
		for i := range 100 {
			m, err := p.ReceiveMessage(ctx)
			if err != nil || m.Channel != "news" || m.Payload != fmt.Sprint(i) {
				t.Fatal(m, err)
			}
		}
		if m, err := p.ReceiveMessage(ctx); err != nil || m.Pattern != "user:*" || m.Payload != "x" {
			t.Fatal(m, err)
		}
	})
}

func TestGoRedisClientSideCache(t *testing.T) {
	addr := address(t)
	ctx := t.Context()
	cached := dialGoRedis(t, &redis.Options{
		Addr: addr, Protocol: 3,
		ClientSideCacheConfig: &redis.ClientSideCacheConfig{MaxEntries: 1024},
	})
	other := dialGoRedis(t, &redis.Options{Addr: addr})

	other.Set(ctx, "k", "v0", 0)
	eventually(t, "a hit in the client's cache", func() bool {
		if got := cached.Get(ctx, "k").Val(); got != "v0" {
			t.Fatal(got)
		}
		return cached.CSCStats().Hits > 0
	})
	for i := 1; i <= 20; i++ {
		want := fmt.Sprint("v", i)
		other.Set(ctx, "k", want, 0)
		eventually(t, want, func() bool { return cached.Get(ctx, "k").Val() == want })
	}
	for name, kill := range map[string]func(){
		"DEL":      func() { other.Del(ctx, "k") },
		"FLUSHALL": func() { other.FlushAll(ctx) },
		"expiry":   func() { other.PExpire(ctx, "k", 5*time.Millisecond) },
		"RENAME":   func() { other.Rename(ctx, "k", "elsewhere") },
	} {
		other.Set(ctx, "k", name, 0)
		eventually(t, name, func() bool { return cached.Get(ctx, "k").Val() == name })
		kill()
		eventually(t, "the end of k by "+name, func() bool {
			return errors.Is(cached.Get(ctx, "k").Err(), redis.Nil)
		})
	}
	// go-redis caches that a key is missing, too.
	for range 3 {
		if err := cached.Get(ctx, "later").Err(); !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
	}
	other.Set(ctx, "later", "here", 0)
	eventually(t, "a key that was missing", func() bool { return cached.Get(ctx, "later").Val() == "here" })
}

// goredisAggregate asks by FT.AGGREGATE and FT.HYBRID.
func goredisAggregate(t *testing.T, ctx context.Context, r *redis.Client) {
	groups, err := r.FTAggregateWithArgs(ctx, "idx", "*", &redis.FTAggregateOptions{Steps: []redis.FTAggregateStep{
		{GroupBy: &redis.FTAggregateGroupBy{Fields: []any{"@color"}, Reduce: []redis.FTAggregateReducer{
			{Reducer: redis.SearchCount, As: "n"}, {Reducer: redis.SearchSum, Args: []any{"@size"}, As: "sum"},
		}}},
		{Apply: &redis.FTAggregateApply{Field: "@sum / @n", As: "mean"}},
		{SortBy: &redis.FTAggregateSortByStep{Fields: []redis.FTAggregateSortBy{{FieldName: "@mean", Desc: true}}}},
	}}).Result()
	if err != nil || len(groups.Rows) != 2 {
		t.Fatal(groups, err)
	}
	if f := groups.Rows[0].Fields; f["color"] != "blue" || f["n"] != "10" || f["mean"] != "10" {
		t.Error(f)
	}
	fused, err := r.FTHybridWithArgs(ctx, "idx", &redis.FTHybridOptions{
		SearchExpressions: []redis.FTHybridSearchExpression{{Query: "@color:{red} @size:[4 8]"}},
		VectorExpressions: []redis.FTHybridVectorExpression{{
			VectorField: "v", VectorData: &redis.VectorFP32{Val: []byte(f32(4, 0, 0))}, Method: "KNN", MethodParams: []any{"K", 3}, YieldScoreAs: "near",
		}},
		Combine: &redis.FTHybridCombineOptions{Method: redis.FTHybridCombineRRF, Count: 2, Constant: 60},
		Load:    []string{"@__key", "@size", "@__score"}, LimitOffset: 0, Limit: 5,
	}).Result()
	if err != nil || fused.TotalResults != 5 || len(fused.Results) != 5 || len(fused.Warnings) != 0 {
		t.Fatalf("%+v %v", fused, err)
	}
	if d := fused.Results[0]; d["__key"] != "doc:4" || d["size"] != "4" || d["near"] != "1" {
		t.Error(d)
	}
}

func TestGoRedisSearch(t *testing.T) {
	goredis(t, func(t *testing.T, ctx context.Context, r *redis.Client) {
		err := r.FTCreate(ctx, "idx", &redis.FTCreateOptions{OnHash: true, Prefix: []any{"doc:"}},
			&redis.FieldSchema{FieldName: "color", FieldType: redis.SearchFieldTypeTag},
			&redis.FieldSchema{FieldName: "size", FieldType: redis.SearchFieldTypeNumeric, Sortable: true},
			&redis.FieldSchema{FieldName: "v", FieldType: redis.SearchFieldTypeVector, VectorArgs: &redis.FTVectorArgs{
				HNSWOptions: &redis.FTHNSWOptions{Type: "FLOAT32", Dim: 3, DistanceMetric: "L2"},
			}},
		).Err()
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			color := []string{"red", "blue"}[i%2]
			err := r.HSet(ctx, fmt.Sprint("doc:", i), "color", color, "size", i, "v", f32(float32(i), 0, 0)).Err()
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := r.FTSearchWithArgs(ctx, "idx", "@color:{red}=>[KNN 3 @v $q AS d]", &redis.FTSearchOptions{
			Params: map[string]any{"q": f32(3.2, 0, 0)}, DialectVersion: 2,
			Return: []redis.FTSearchReturn{{FieldName: "d"}, {FieldName: "size"}},
			SortBy: []redis.FTSearchSortBy{{FieldName: "d", Asc: true}},
		}).Result()
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, d := range got.Docs {
			ids = append(ids, d.ID)
		}
		if got.Total != 3 || fmt.Sprint(ids) != "[doc:4 doc:2 doc:6]" {
			t.Errorf("%d %v", got.Total, ids)
		}
		if d := got.Docs[0].Fields; d["size"] != "4" || !strings.HasPrefix(d["d"], "0.6") {
			t.Error(d)
		}
		goredisAggregate(t, ctx, r)
		info, err := r.FTInfo(ctx, "idx").Result()
		if err != nil || info.IndexName != "idx" || info.NumDocs != 20 || len(info.Attributes) == 0 || info.CursorStats.IndexCapacity != 128 {
			t.Errorf("FTInfo: %+v, %v", info, err)
		}
		if list := r.FT_List(ctx).Val(); fmt.Sprint(list) != "[idx]" {
			t.Error(list)
		}
		if err := r.FTDropIndexWithArgs(ctx, "idx", &redis.FTDropIndexOptions{DeleteDocs: true}).Err(); err != nil {
			t.Error(err)
		}
		if n := r.DBSize(ctx).Val(); n != 0 {
			t.Errorf("%d keys are left", n)
		}
	})
}

// f32 returns a vector as the blob that hashes and queries hold.
func f32(fs ...float32) string {
	var b []byte
	for _, f := range fs {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return string(b)
}
