// Package members holds the members of a large set or sorted set, and the fields
// of a hash: bytes with a head of fixed size (a score) or a tail (a value), found by
// their hash.
//
//	arena: pages of records [head | length, mark | member | length, tail]
//	         ▲ Ref
//	index: hash of member → Ref, in tables that split
//
// A [Table] holds no Go pointer per member: pages and tables are numbers and
// bytes, of which the collector sees one pointer for some hundreds of members. It
// grows a table at a time, so that no single Add takes long.
//
// The mark is a bit beside the member: equal bytes with different marks are
// different members, but in a table with tails. A Table is guarded by its key's shard.
package members
