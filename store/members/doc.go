// Package members holds the members of a large set or sorted set: bytes with a
// head of fixed size (a score), found by their hash.
//
//	arena: pages of records [head | length, mark | member]
//	         ▲ Ref
//	index: hash of member → Ref, in tables that split
//
// A [Table] holds no Go pointer per member: pages and tables are numbers and
// bytes, of which the collector sees one pointer for some hundreds of members. It
// grows a table at a time, so that no single Add takes long.
//
// The mark is a bit beside the member: equal bytes with different marks are
// different members. A Table is guarded by its key's shard.
package members
