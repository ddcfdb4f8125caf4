package near

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// Options of a client. The zero value works.
type Options struct {
	Username string        // empty: the default user
	Password string        // empty: no AUTH
	Name     string        // CLIENT SETNAME
	DB       int           // SELECT
	MaxBytes int64         // of the copies, with what it takes to find them; 0 means 64 MB
	MaxTTL   time.Duration // a copy is kept for this long at most; 0: as long as its key lives
	Timeout  time.Duration // of connecting and of a write; 0 means 5 seconds
	Ping     time.Duration // a connection silent for this long is asked for a sign of life; 0 means 5 seconds
}

// Client is a connection to a server and a near cache. It is for many goroutines.
type Client struct {
	o     Options
	local *local
	mux   mux
	start time.Time
	loads loads
}

// Open connects to addr, a host:port or the path of a unix socket. The server
// must speak RESP3 and know CLIENT TRACKING.
func Open(ctx context.Context, addr string, o Options) (*Client, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Ping == 0 {
		o.Ping = 5 * time.Second
	}
	c := &Client{o: o, local: newLocal(o.MaxBytes), start: time.Now()}
	c.mux = mux{o: &c.o, addr: addr, push: c.push, report: c.local.report}
	c.mux.opened = func(*conn) { c.local.live.Store(true) }
	c.mux.closed = func() {
		c.local.live.Store(false)
		c.local.flush()
	}
	if err := c.mux.start(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return c, nil
}

// Close ends the connection, and waits for what Cached has begun in the background.
// Calls that wait fail.
func (c *Client) Close() error {
	c.loads.close()
	c.mux.stop()
	c.loads.wg.Wait()
	return nil
}

// push handles what the server says of its own accord.
func (c *Client) push(v client.Value) {
	if len(v.Elems) != 2 || v.Elems[0].Str != "invalidate" {
		return
	}
	if v.Elems[1].IsNull() {
		c.local.flush()
		return
	}
	for i := range v.Elems[1].Elems {
		if c.local.drop(v.Elems[1].Elems[i].Str) {
			c.local.stats.invalidations.Add(1)
		}
	}
}

// Get returns the string under key. found is false where there is none, which is
// remembered as well.
func (c *Client) Get(ctx context.Context, key string) (value string, found bool, err error) {
	v, _, err := c.read(ctx, "", key, nil)
	if err != nil || v.IsNull() {
		return "", false, err
	}
	return v.Str, true, nil
}

// Read runs a command that reads one key and nothing else: HGETALL, HGET,
// JSON.GET, ZRANGE … key, further arguments. Its reply is remembered for as long
// as the key does not change; it is shared, and must not be changed.
func (c *Client) Read(ctx context.Context, name, key string, args ...string) (client.Value, error) {
	cmd := strings.ToUpper(name)
	for _, a := range args {
		cmd += "\x00" + a
	}
	if cmd == "GET" {
		cmd = ""
	}
	v, _, err := c.read(ctx, cmd, key, args)
	return v, err
}

// millis is the client's clock, in ms since it was opened and a bit: 0 means
// never. Reading it costs half of what the time of day does.
func (c *Client) millis() int64 { return 1 + time.Since(c.start).Milliseconds() }

// Search runs FT.SEARCH with these arguments, from the index's name on, as in
// [client.Conn.Do]. Where the server tracks searches (its setting
// search-tracking) the reply is remembered until a write makes it another one; it
// is shared, and must not be changed.
func (c *Client) Search(ctx context.Context, args ...any) (client.Value, error) {
	out, err := client.AppendCommand(nil, append([]any{"FT.SEARCH"}, args...)...)
	if err != nil {
		return client.Value{}, err
	}
	key := string(out) // is no key of the server's: those who name it here mean this search
	if v, _, ok := c.local.get(key, "", c.millis); ok {
		return v, nil
	}
	v, _, err := c.share(ctx, key, out, func(v client.Value, _ int64) (string, life) {
		name, _ := v.Get("tracking")
		return name.Str, life{}
	})
	return v, err
}

// share sends a command whose answer is kept under key, unless it is under way already:
// then mine is false, and the answer is that of the one who has sent it. kept says under which
// name of the server's the answer is, and for how long; sent is when it was asked for.
func (c *Client) share(ctx context.Context, key string, out []byte, kept func(v client.Value, sent int64) (name string, end life)) (v client.Value, mine bool, err error) {
	f, mine, err := c.fly(ctx, key, "", func(f *flight) error {
		sent := c.millis()
		return c.mux.send(ctx, out, call{replies: 1, reply: func(_ int, v client.Value, err error) {
			if err == nil {
				err = v.Err()
			}
			if err != nil {
				c.local.fail(key, "", f, err)
				return
			}
			name, end := kept(v, sent)
			c.local.landUnder(key, f, v, name, end)
		}})
	})
	if err != nil {
		return client.Value{}, mine, err
	}
	return f.value, mine, nil
}

// errLeft ends the flight of who has gone before the question was sent: another has to ask.
var errLeft = errors.New("near: who was to ask has gone")

// fly waits for a flight, which it sends unless that was done already; then mine is false.
func (c *Client) fly(ctx context.Context, key, cmd string, send func(f *flight) error) (f *flight, mine bool, err error) {
	for {
		f, mine = c.local.begin(key, cmd, c.millis)
		if mine {
			if err := send(f); err != nil {
				told := err
				if ctx.Err() != nil {
					told = errLeft
				}
				c.local.fail(key, cmd, f, told)
				return f, mine, err
			}
		}
		select {
		case <-f.done:
			if f.err != errLeft {
				return f, mine, f.err
			}
		case <-ctx.Done():
			return f, mine, ctx.Err()
		}
	}
}

// read returns the reply to a command on one key, from here or from the server,
// and how long it lasts.
func (c *Client) read(ctx context.Context, cmd, key string, args []string) (client.Value, life, error) {
	if v, end, ok := c.local.get(key, cmd, c.millis); ok {
		return v, end, nil
	}
	f, _, err := c.fly(ctx, key, cmd, func(f *flight) error { return c.fetch(ctx, cmd, key, args, f) })
	if err != nil {
		return client.Value{}, life{}, err
	}
	return f.value, f.life, nil
}

// fetch asks the server for the value and then for its time to live: a change
// between the two is announced between the two replies, so that the copy is
// gone before it gets a wrong end.
func (c *Client) fetch(ctx context.Context, cmd, key string, args []string, f *flight) error {
	name, _, _ := strings.Cut(cmd, "\x00")
	if name == "" {
		name = "GET"
	}
	argv := make([]any, 0, 2+len(args))
	argv = append(argv, name, key)
	for _, a := range args {
		argv = append(argv, a)
	}
	out, err := client.AppendCommand(nil, argv...)
	if err != nil {
		return err
	}
	out, _ = client.AppendCommand(out, "PTTL", key)
	sent := c.millis() // the server's answer holds for a later moment: the copy ends early, not late
	return c.mux.send(ctx, out, call{replies: 2, reply: func(i int, v client.Value, err error) {
		switch {
		case err != nil && i == 0:
			c.local.fail(key, cmd, f, err)
		case i == 0 && v.Err() != nil:
			c.local.fail(key, cmd, f, v.Err())
		case i == 0:
			c.local.land(key, cmd, f, v)
		case f.err == nil:
			c.local.expire(key, cmd, f, c.endOf(v, sent))
		}
	}})
}

// endOf is how long a copy lasts that was asked for at sent, with this reply of
// PTTL.
func (c *Client) endOf(pttl client.Value, sent int64) (end life) {
	if pttl.Kind == client.Int && pttl.Int >= 0 {
		end.key = sent + pttl.Int
		end.copy = end.key
	}
	if most := c.o.MaxTTL.Milliseconds(); most > 0 && (end.copy == 0 || end.copy > sent+most) {
		end.copy = sent + most
	}
	return end
}

// Do runs any command and remembers nothing. Copies of the keys that it names
// are dropped when its reply comes. Blocking commands and those that change the
// state of the connection (SELECT, SUBSCRIBE, MULTI …) do not belong here: the
// connection is shared. Arguments are as in [client.Conn.Do].
func (c *Client) Do(ctx context.Context, args ...any) (client.Value, error) {
	out, err := client.AppendCommand(nil, args...)
	if err != nil {
		return client.Value{}, err
	}
	l, err := c.do(ctx, out, 1, names(args[1:]))
	if err != nil {
		return client.Value{}, err
	}
	return l[0], l[0].Err()
}

// do sends commands and waits for their replies.
func (c *Client) do(ctx context.Context, commands []byte, n int, named []string) ([]client.Value, error) {
	type result struct {
		l   []client.Value
		err error
	}
	done := make(chan result, 1)
	l := make([]client.Value, 0, n)
	err := c.mux.send(ctx, commands, call{replies: n, reply: func(i int, v client.Value, err error) {
		if l = append(l, v); len(l) < n && err == nil {
			return
		}
		for _, k := range named {
			c.local.drop(k)
		}
		select {
		case done <- result{l, err}:
		default: // of a connection that has ended: the first error is enough
		}
	}})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-done:
		return r.l, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// names are the arguments that may be keys.
func names(args []any) (l []string) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			l = append(l, a)
		case []byte:
			l = append(l, string(a))
		}
	}
	return l
}

// Stats are a client's figures since it was opened.
type Stats struct {
	Hits          int64 // answered from here
	Misses        int64 // asked of the server
	Shared        int64 // waited for somebody else's question
	Invalidations int64 // copies dropped because the server said so
	Flushes       int64 // all copies dropped: FLUSHALL, or the connection ended
	Evictions     int64 // copies dropped for room
	Keys          int   // held
	Bytes         int64 // held
	Loads         int64 // Cached has called its function
	Waits         int64 // Cached has waited for another client's
}

// Stats returns the figures.
func (c *Client) Stats() Stats {
	n := &c.local.stats
	s := Stats{
		Hits: n.hits.Load(), Misses: n.misses.Load(), Shared: n.shared.Load(), Invalidations: n.invalidations.Load(),
		Flushes: n.flushes.Load(), Evictions: n.evictions.Load(), Loads: c.loads.loads.Load(), Waits: c.loads.waits.Load(),
	}
	s.Keys, s.Bytes = c.local.size()
	return s
}
