package near

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// LoadOptions of [Client.Cached]. The zero value works.
type LoadOptions struct {
	// Stale is for how long a value may be served after its time to live, while
	// one client loads the next one in the background. All who load a key have to
	// agree on it.
	Stale time.Duration
	// Lease is how long a load may take until another client may begin one; 0
	// means 10 seconds.
	Lease time.Duration
}

// loads are the loads of this process: one a key at a time.
type loads struct {
	mu struct {
		sync.Mutex
		running map[string]*load
		closed  bool
	}
	wg           sync.WaitGroup // of those in the background
	loads, waits atomic.Int64
}

func (l *loads) close() {
	l.mu.Lock()
	l.mu.closed = true
	l.mu.Unlock()
}

type load struct {
	done  chan struct{}
	value string
	ok    bool // there is a value
	err   error
}

// Cached is look-aside with care: it returns the string under key, and where
// there is none has one caller load it, in all processes, and stores the result
// for ttl. The others wait for it. That caller holds a lease, the key
// lease:{key}. Should load fail, all who wait in this process get its error; of
// those in others one takes over.
//
// load runs in the caller's goroutine, or in one of its own where a stale value
// was served. Its context ends with the lease.
func (c *Client) Cached(ctx context.Context, key string, ttl time.Duration, load func(context.Context) (string, error), o LoadOptions) (string, error) {
	if o.Lease <= 0 {
		o.Lease = 10 * time.Second
	}
	for {
		v, end, err := c.read(ctx, "", key, nil)
		if err != nil {
			return "", err
		}
		if !v.IsNull() {
			if o.Stale > 0 && end.key != 0 && end.key-c.millis() <= o.Stale.Milliseconds() {
				c.refresh(key, ttl, load, o)
			}
			return v.Str, nil
		}
		value, done, err := c.loadOnce(ctx, key, ttl, load, o)
		if done || err != nil {
			return value, err
		}
	}
}

// loadOnce joins the load of this process, or makes it. done is false where
// another client has the lease and has ended, one way or the other.
func (c *Client) loadOnce(ctx context.Context, key string, ttl time.Duration, f func(context.Context) (string, error), o LoadOptions) (string, bool, error) {
	c.loads.mu.Lock()
	l := c.loads.mu.running[key]
	if l != nil {
		c.loads.mu.Unlock()
		c.loads.waits.Add(1)
		select {
		case <-l.done:
			if errors.Is(l.err, context.Canceled) || errors.Is(l.err, context.DeadlineExceeded) {
				return "", false, nil // the other caller has given up, this one has not
			}
			return l.value, l.ok, l.err
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
	}
	l = c.beginLocked(key)
	c.loads.mu.Unlock()
	defer c.finish(key, l)
	token, err := c.lease(ctx, key, o.Lease)
	if err != nil {
		l.err = err
		return "", false, err
	}
	if token == "" {
		c.loads.waits.Add(1)
		return "", false, c.awaitLease(ctx, key)
	}
	l.err = errPanicked // unless run returns
	l.value, l.err = c.run(ctx, key, token, ttl, f, o)
	l.ok = l.err == nil
	return l.value, l.ok, l.err
}

var errPanicked = errors.New("near: the function that loads has panicked")

func (c *Client) beginLocked(key string) *load {
	if c.loads.mu.running == nil {
		c.loads.mu.running = map[string]*load{}
	}
	l := &load{done: make(chan struct{})}
	c.loads.mu.running[key] = l
	return l
}

func (c *Client) finish(key string, l *load) {
	c.loads.mu.Lock()
	delete(c.loads.mu.running, key)
	c.loads.mu.Unlock()
	close(l.done)
}

// refresh loads in the background, unless somebody does already.
func (c *Client) refresh(key string, ttl time.Duration, f func(context.Context) (string, error), o LoadOptions) {
	c.loads.mu.Lock()
	defer c.loads.mu.Unlock()
	if c.loads.mu.running[key] != nil || c.loads.mu.closed {
		return
	}
	l := c.beginLocked(key)
	c.loads.wg.Go(func() {
		defer c.finish(key, l)
		token, err := c.lease(c.mux.ctx, key, o.Lease)
		if token == "" {
			l.err = err
			return
		}
		l.value, l.err = c.run(c.mux.ctx, key, token, ttl, f, o)
		l.ok = l.err == nil
	})
}

// run loads, stores, and gives the lease back.
func (c *Client) run(ctx context.Context, key, token string, ttl time.Duration, f func(context.Context) (string, error), o LoadOptions) (string, error) {
	stored := false
	defer func() {
		if !stored { // also where f has panicked
			out, _ := client.AppendCommand(nil, "DELEX", leaseKey(key), "IFEQ", token)
			_ = c.mux.send(c.mux.ctx, out, call{replies: 1, reply: func(int, client.Value, error) {}})
		}
	}()
	c.loads.loads.Add(1)
	within, cancel := context.WithTimeout(ctx, o.Lease)
	defer cancel()
	v, err := f(within)
	if err != nil {
		return "", err
	}
	out, _ := client.AppendCommand(nil, "SET", key, v, "PX", (ttl + o.Stale).Milliseconds())
	out, _ = client.AppendCommand(out, "DELEX", leaseKey(key), "IFEQ", token)
	l, err := c.do(ctx, out, 2, []string{key, leaseKey(key)})
	if err != nil {
		return "", err
	}
	stored = true
	return v, l[0].Err()
}

func leaseKey(key string) string { return "lease:{" + key + "}" }

// lease returns the token of a lease, "" where another client has it.
func (c *Client) lease(ctx context.Context, key string, d time.Duration) (string, error) {
	token := rand.Text()
	v, err := c.Do(ctx, "SET", leaseKey(key), token, "NX", "PX", d.Milliseconds())
	if err != nil || v.IsNull() {
		return "", err
	}
	return token, nil
}

// awaitLease waits until the key is there or its lease has ended. Both are read,
// so that the server tells when they change.
func (c *Client) awaitLease(ctx context.Context, key string) error {
	var changed [2]chan struct{}
	for i, k := range []string{key, leaseKey(key)} {
		missing := i == 0
		v, _, err := c.read(ctx, "", k, nil)
		if err != nil {
			return err
		}
		ch, ok := c.local.watch(k, missing)
		if v.IsNull() != missing || !ok {
			return nil
		}
		changed[i] = ch
	}
	select {
	case <-changed[0]:
	case <-changed[1]:
	case <-ctx.Done():
	}
	return ctx.Err()
}
