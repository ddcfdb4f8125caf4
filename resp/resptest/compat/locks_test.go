package compat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/go-redsync/redsync/v4"
	redsyncgoredis "github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"
)

func locker(t *testing.T, addr string, o rueidislock.LockerOption) rueidislock.Locker {
	t.Helper()
	o.ClientOption = rueidis.ClientOption{InitAddress: []string{addr}, ConnWriteTimeout: patience}
	o.KeyMajority = 1
	o.KeyValidity = time.Minute // however slow the machine is
	l, err := rueidislock.NewLocker(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// TestRueidisLock: two processes contend for a lock. Who waits hears of its
// end by CLIENT TRACKING: its script's GET has to be tracked, and the holder's
// script has to push.
func TestRueidisLock(t *testing.T) {
	for name, o := range map[string]rueidislock.LockerOption{
		"scripts": {},
		"set":     {FallbackSETPX: true},
		"no loop": {NoLoopTracking: true},
	} {
		t.Run(name, func(t *testing.T) {
			addr := address(t)
			lockers := []rueidislock.Locker{locker(t, addr, o), locker(t, addr, o)}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			_, free, err := lockers[0].WithContext(ctx, "lock")
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := lockers[1].TryWithContext(ctx, "lock"); !errors.Is(err, rueidislock.ErrNotLocked) {
				t.Fatal(err)
			}
			free()

			var inside, count int32
			var wg sync.WaitGroup
			for i := range 6 {
				wg.Go(func() {
					for range 5 {
						_, free, err := lockers[i%2].WithContext(ctx, "lock")
						if err != nil {
							t.Error(err)
							return
						}
						if atomic.AddInt32(&inside, 1) != 1 {
							t.Error("two hold the lock")
						}
						count++
						atomic.AddInt32(&inside, -1)
						free()
					}
				})
			}
			wg.Wait()
			if count != 30 {
				t.Errorf("%d times, want 30", count)
			}
		})
	}
}

// TestRueidisLockIsLost: the holder's context ends when its key goes.
func TestRueidisLockIsLost(t *testing.T) {
	addr := address(t)
	l := locker(t, addr, rueidislock.LockerOption{})
	other := dialRueidis(t, rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	ctx, free, err := l.WithContext(t.Context(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	defer free()
	keys, err := other.Do(t.Context(), other.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	other.Do(t.Context(), other.B().Del().Key(keys...).Build())
	eventually(t, "the holder hears", func() bool { return ctx.Err() != nil })
}

// TestRedsync is Redlock in Go, with three databases in the place of three servers.
func TestRedsync(t *testing.T) {
	addr := address(t)
	rs := redsync.New(redsyncgoredis.NewPool(goRedis(t, addr, 0)), redsyncgoredis.NewPool(goRedis(t, addr, 1)), redsyncgoredis.NewPool(goRedis(t, addr, 2)))
	m := rs.NewMutex("lock", redsync.WithExpiry(time.Hour))
	if err := m.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := rs.NewMutex("lock", redsync.WithTries(1)).Lock(); err == nil {
		t.Fatal("locked twice")
	}
	if ok, err := m.Extend(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := m.Unlock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var count int
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				m := rs.NewMutex("lock", redsync.WithExpiry(time.Hour), redsync.WithTries(100000), redsync.WithRetryDelay(time.Millisecond))
				if err := m.Lock(); err != nil {
					t.Error(err)
					return
				}
				count++
				if ok, err := m.Unlock(); !ok || err != nil {
					t.Error(ok, err)
				}
			}
		})
	}
	wg.Wait()
	if count != 20 {
		t.Errorf("%d times, want 20", count)
	}
}

// TestRedisRate is a rate limiter whose script returns numbers as text, and
// reads the time.
func TestRedisRate(t *testing.T) {
	l := redis_rate.NewLimiter(goRedis(t, address(t), 0))
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				r, err := l.Allow(t.Context(), "user", redis_rate.PerHour(10))
				if err != nil {
					t.Error(err)
					return
				}
				passed.Add(int64(r.Allowed))
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 10 {
		t.Errorf("%d of 40 passed, want 10", n)
	}
	r, err := l.AllowAtMost(t.Context(), "other", redis_rate.PerHour(10), 20)
	if err != nil || r.Allowed != 10 || r.Remaining != 0 {
		t.Error(r, err)
	}
}

func goRedis(t *testing.T, addr string, db int) *redis.Client {
	t.Helper()
	return dialGoRedis(t, &redis.Options{Addr: addr, DB: db})
}
