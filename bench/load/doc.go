// Package load measures servers that speak the Redis protocol, several in
// turn on the same machine in one run: the command `nearcache bench load`.
//
//	nearcache bench load -nearcache -redis redis-server -server-cpu 0 -client-cpu 1 -tests get,set -pipeline 1,16,64 -at 0.8
//	nearcache bench load -peer a=127.0.0.1:6379 -peer b=127.0.0.1:6380 -tests get:8+set:1+expire:1 -keys-dist zipf -scan-share 0.1
//
// For each test every peer is filled once; then rounds follow, in each of
// which every peer is measured once, so that what disturbs the machine
// disturbs all of them (A B A B …). The report holds the medians, and the
// ratios to the last peer from the paired rounds with their spread. It goes to
// bench/results as JSON, Markdown and SVG; progress goes to standard error.
// bench/METHOD.md tells how it measures and why one may believe it.
//
//	options.go    flags                        fill.go      what servers are filled with
//	ops.go        commands, a row each         workload.go  tests: commands and mixes of them
//	sampler.go    which key is next            sizes.go     how long values are
//	conn.go       one connection: batches out, replies in, copies held
//	pace.go       the clock of an open loop    epoll_linux.go  one thread drives many connections
//	histogram.go  latencies                    net.go       the same with a goroutine each, elsewhere
//	run.go        rounds and medians           measure.go   one peer in one window
//	report.go     Markdown, JSON; plots.go: SVG
//
// A worker owns its connections, their buffers and its statistics; nothing is
// shared while a window is measured, and the loop allocates nothing.
package load
