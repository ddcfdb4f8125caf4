// Package evict measures eviction: how many requests find their key, by policy,
// beside Redis and beside the best that could be done.
//
//	trace.go texts.go     requests: Zipf with scans and shifts, news, loops, sizes and costs; texts of datasets/
//	redis.go              the algorithms of Redis, as evict.c has them
//	nearcache.go          store/evict in 256 shards, as the keyspace uses it
//	optimum.go            Belady; for unequal sizes and costs a bound
//	wire.go               the same traces over the wire: real Redis and nearcache under maxmemory
//	rss.go                memory of the process under churn at maxmemory
//	run.go report.go      nearcache bench evict; table, JSON, plots
//
// A cache here is cache-aside: what is not found is put in. The first fifth of a
// trace fills the cache and is not counted. Time goes by with the requests, at
// [Rate] of them a second, for the policies that look at the clock.
package evict
