// Package durable measures what it costs to keep data: `nearcache bench durable`.
//
//	snapshot   latencies of writes, and memory, while snapshots are taken one after the other, and without
//	load       how long a start takes until all keys are there, and the bytes on disk
//	vectors    how long a start takes until the first vector query is answered, what it finds, and recall against a scan
//	vectorset  the same for a vector set
//
// What appendfsync costs in throughput is measured by `nearcache bench load` with servers that are started with a
// log:
//
//	nearcache bench load -tests set -pipeline 16 -nearcache \
//	  -start 'everysec=…/nearcache --port {port} --dir {dir} --appendfsync everysec' -start 'redis=…'
//
// Each figure is of servers that this program starts, ours of this checkout and Redis, each alone.
package durable
