// Package tracking measures CLIENT TRACKING: the command `nearcache bench
// tracking`. It starts a server of this checkout, or takes one by its address,
// and goes through the parts:
//
//	soak     clients with near caches against writers, expiry, eviction, flushes, MULTI, kills, slow readers and a
//	         small table: copies that are older, behind a barrier, than a write acknowledged before it
//	order    pipelined replies while keys change: pushes lost, before the value they kill, or inside a reply
//	latency  from a write's acknowledgement to the push on the sockets of many tracking clients
//	churn    what is left in the table five seconds after thousands of clients have come and gone
//	memory   bytes of a tracked key with one client, and of each further client
//
// A soak or an order that finds anything is an error. The throughput of reads
// with tracking on is `nearcache bench load -tracking default`.
package tracking
