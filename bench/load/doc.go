// Command load measures servers that speak the Redis protocol, several in
// turn on the same machine in one run.
//
//	go run ./bench/load --nearcache --redis redis-server --tests get,set --pipeline 1,16,64
//	go run ./bench/load --peer a=127.0.0.1:6379 --peer b=127.0.0.1:6380 --tests get-set --keys-dist zipf
//
// For each test every peer is filled once; then rounds follow, in each of
// which every peer is measured once, so that what disturbs the machine
// disturbs all of them (A B A B …). The report holds the medians, and the
// ratio to the last peer from the paired rounds with its spread. It goes to
// bench/results as JSON, Markdown and SVG; progress goes to standard error.
// bench/METHOD.md tells how it measures and why one may believe it.
//
//	options.go    flags                        peers.go     start, fill and question servers
//	workload.go   the tests, one row each      conn.go      one connection: batches out, replies in
//	keys.go       uniform and Zipf keys        epoll_linux.go  one thread drives many connections
//	histogram.go  latencies                    net.go       the same with a goroutine each, elsewhere
//	run.go        rounds and medians           report.go    Markdown, JSON; plot.go: SVG
//
// A worker owns its connections, their buffers and its statistics; nothing is
// shared while a window is measured, and the loop allocates nothing.
package main
