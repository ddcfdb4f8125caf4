// Package persist is the log of effects: what makes a key survive the process.
//
//	session ── Append(record) ──► chunks in memory ── writer ──► segment ── sync ──► disk
//	   └────── Wait(lsn) ◄───────────────── durable ─────────────────────────────────┘
//
// A [Record] is one commit: the commands that repeat it exactly. [Open] replays what a folder holds and starts the
// [Log]; [Log.Append] adds a record in memory, under the caller's locks; [Log.Wait] lets a reply leave when it may;
// [Log.Rewrite] replaces history by state. The files are described in FORMAT.md.
//
// # What is promised
//
// Under [Always], what Wait returned nil for is there after a power cut. Under [Everysec] a power cut costs about a
// second, under [No] what the machine had not yet written; the death of the process alone costs 2 ms or so of what was
// appended and not waited for. In every case what is loaded is a prefix of what was appended, whole records, in order.
//
// The end of the last segment may be torn by a power cut, with holes even: it is cut, and kept beside. The log knows
// how far it had been synced, because it writes marks about that; a bad record before such a mark, or in an older
// segment, is damage, and refused ([CorruptError]).
//
// A write or a sync that fails ends its file: Linux forgets what a failed fsync was to save. Under Always all that is
// not on disk is still in memory, and goes to a new segment; until that works [Log.Err] tells why not, and it is tried
// again with growing pauses. Under Everysec so it is, where no more than 4 MB wait for the sync; where more do, and
// under No, a sync that fails leaves a gap, and nothing is written until a rewrite has closed it: [ErrNeedsRewrite]. A
// write that fails does not: what was written before it is synced first.
//
// # Threads
//
// One goroutine, the writer, owns all files and decides everything; see writer.go. Others talk to it through three
// leaf locks, none held for I/O: mu (chunks to write, free chunks), waiters (to sleep and be woken), stats. Callers of
// Append hold shard locks, and so mu is held for the copy of at most 64 kB; greater records are encoded before it is
// taken. LSN are given under mu, and so the file's order is theirs, and for any key it is the order of its commits.
//
// Races that were thought of: a policy that changes while sessions wait (they are woken and look again); a sync beside
// the writer while its segment fails (the writer takes its result first); a rewrite while the segment that it began
// fails (the tail of that one holds no older record, since a cut syncs first); a rewrite while the log is lost (its
// segments are in no manifest before it has ended); Close while a rewrite runs (it ends at its next record, before the
// folder is unlocked).
//
// Caveats: one commit is limited to [MaxRecord]; what Open gives to replay is valid during the call only; records above
// 4 kB are compressed by the writer, never under a lock.
package persist
