// Package client is a small client of the Redis protocol, version 2 or 3, for
// the tools of this project.
//
//	c, err := client.Dial(ctx, "127.0.0.1:6379", client.Options{OnPush: seen})
//	v, err := c.Do("SET", "k", 1, "PX", 1000)      one command, one round trip
//	p := c.Pipeline()                              many commands, one round trip
//	p.Add("HSET", "doc:1", "v", []float32{…})      a vector goes as little-endian float32
//	replies, err := p.Run()
//
// [Scanner] finds where a reply ends without reading its contents, for load
// generators and proxies; [Parse] makes a [Value] of it. Both stand firm
// against a hostile server: lengths are checked before memory is taken for
// them, and nesting is bounded.
//
// A [Conn] is for one goroutine at a time. Pushes (client-side caching,
// subscriptions) are handed to Options.OnPush, in that goroutine, while it
// waits for a reply: as the server sends an invalidation before the
// reply of whatever is asked later, a PING is a barrier after which all
// earlier invalidations have been handed over.
package client
