// Package observe is what a server knows of its own commands: how often each ran
// and how long it took, the slow ones, the spikes of latency, and the clients that
// watch all of them (MONITOR).
//
// # What it costs
//
// Nothing is locked for a command, and the clock is hardly read more often than
// without. A session's [Meter] reads it when a batch of commands begins, and then
// only
//
//   - behind the first command of the batch, which is the only one of a client
//     that waits for each reply;
//   - behind commands that may be slow: those that Redis does not call fast;
//   - around one of about sixteen others.
//
// The time of a command that is not measured is taken to be the mean of those that
// are, so the figures of long pipelines are estimates; how often commands ran is
// always exact. A quick command in the middle of a pipeline that takes long all
// the same, since it waits for another, may go unseen. Under a slowlog-log-slower-than
// below a millisecond, or a latency-monitor-threshold, everything is measured.
//
// Counts are collected in the Meter and added to shared ones, which are striped, at
// the end of a batch.
package observe
