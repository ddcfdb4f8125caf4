// Package transfer moves data in and out: `nearcache import` and `nearcache export`.
//
//	dump.rdb · appendonly.aof · lines.jsonl · vectors.npy · coder/hnsw graph
//	    │ reader: one value at a time, checked as it is read
//	    ▼
//	  Sink ── RESTORE, HSET, VADD … in pipelines ──► a server: one that runs, or one
//	                                                 started here on a data folder
//	  Source ◄── SCAN, DUMP, PEXPIRETIME ──────────┘
//	    │
//	    ▼
//	dump.rdb · appendonly.aof · lines.jsonl, written beside, synced and renamed
//
// Everything goes over the wire, so that it works with any server of the protocol at
// either end, and does to a nearcache what clients may do to it. Memory is bounded by
// the largest value, and for an export by some bytes for each key, which keep a key
// that SCAN shows twice from being written twice.
//
// A file that is broken ends an import with the byte, or the line, where it is; what
// came before it has been entered. What could be read as something else than it is,
// as halves of UTF-16 pairs in JSON, is broken. What the server refuses is counted, and the first
// few are told; the import goes on.
//
// An export of a server that is written to has each key as it is when its turn comes,
// not all of them at one moment.
package transfer
