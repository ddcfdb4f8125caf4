// Package vfs is the little of a file system that durable parts need, so that a test can take it away.
//
// [OS] is the real one. [Mem] lives in memory and keeps, beside what a reader sees, what a disk would hold:
//
//	Write ──► visible bytes ──Sync──► disk bytes          (a file)
//	Create, Rename, Remove ──► visible names ──SyncDir──► disk names   (a folder)
//
// [Mem.CrashClone] gives the file system that a machine finds after a power cut: all that was synced, and any part of
// what was not, torn at sectors. [Mem.Inject] fails chosen operations. A failed Sync behaves as Linux does: the bytes
// it was to save are forgotten by the next Sync, which succeeds without them, and so no caller may simply try again.
//
// Both are safe for concurrent use; so are their files, except that two concurrent Writes to one file have no order.
//
// Caveats: Rename works within one folder. Mem knows no links, permissions or memory maps.
package vfs
