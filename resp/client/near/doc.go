// Package near is a client with a near cache: what it has read is answered
// from this process until the server says that it has changed.
//
//	c, err := near.Open(ctx, "127.0.0.1:6379", near.Options{MaxBytes: 64 << 20})
//	v, found, err := c.Get(ctx, "price:42")                    the second time, no round trip
//	h, err := c.Read(ctx, "HGETALL", "user:7")                 any read of one key
//	r, err := c.Search(ctx, "docs", "@user:{u1}")              a search, until a write makes it another one
//	a, err := c.Semantic("shop", …).Cached(ctx, near.Prompt{Text: q}, compute)   the answer to what means the same
//	v, err := c.Cached(ctx, "page:1", time.Minute, render, near.LoadOptions{Stale: 10 * time.Second})
//
// # How copies stay true
//
//	callers ──► mux: one connection ──► server (CLIENT TRACKING ON)
//	   ▲          │ reader: replies and invalidations, in the order of the wire
//	   └── local ◄┘ copies: key → replies, least recently used go first
//
// One goroutine reads the connection all the time, also while nobody asks. It
// enters a copy when it meets the reply, and drops it when it meets the
// invalidation, so a copy lives exactly as long as the server's promise. Who
// asks for a key that is being fetched waits for that one reply. A command that
// is no cached read drops the copies of every key it names when its reply
// comes, so that a client reads its own writes.
//
// A copy also ends when its key's time to live does: it is asked for together
// with the value. When the connection ends, all copies go before anything else
// happens; until the next one stands, nothing is answered from here. A
// connection that is silent is asked for a sign of life ([Options.Ping]): a
// copy can be stale for twice that long if the network loses the server without a
// word.
//
// # Concurrency
//
// A Client is for many goroutines. local's shards each have a mutex, held for a
// map look-up; the mux has one for its queue. Neither is held across I/O. Two
// goroutines belong to a client, the reader and the writer; Close ends both.
package near
