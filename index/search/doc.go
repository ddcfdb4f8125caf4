// Package search answers FT.SEARCH: a [Schema], documents in, ranked names out.
// It knows no wire, and of the keyspace only what [Index.Put] is given.
//
//	Put → prepare (cut words, parse numbers; no lock)
//	    → vectors into their indexes (document's stripe locked; parallel)
//	    → postings and the document's record (mu locked, briefly): visible now
//	Search → filter over postings (mu read-locked) → vector search (no lock) → rows (mu read-locked)
//
// # Labels
//
// A document has a dense label, which all postings and vector indexes share.
// A document whose vectors stay the same keeps its label when it is replaced:
// its postings change in one step. If a vector changes, the new content is
// built under a new label and one step makes the new one visible and the old
// one dead, so a search sees all of the old content or all of the new.
//
// # Concurrency
//
// All methods may be called at once. Locks, taken in this order:
//
//   - life: held for reading by every call, and exclusively while the index gets fields
//     (Extend) or ends (Close). Whoever holds shards of the keyspace may wait for it, since
//     nobody waits for shards, or for a file, with it: a search gives it up while it reads
//     what to sort by from the documents.
//   - stripe.mu: a document's versions; held while its vectors are inserted,
//     so writes of one document are in order and others go on.
//   - Index.mu: postings and records. Never held during a vector insert, a
//     vector search, or a callback.
//
// A dead label may still be in the hands of a search that began before. It is
// taken out of the vector indexes and used again only when all of those have
// ended: each search enters an epoch, and a label retired in epoch e is free in
// epoch e+2, which cannot begin while a search of e runs.
//
// A vector search runs unlocked and may therefore meet labels that are not
// visible yet, or not any more. Each result is checked against the moment at
// which the search began; a KNN that lost results by that is asked again with
// the set of visible documents.
//
// A document of very many words or tags is put into the postings in parts, so
// that nobody waits for all of it; while one is (Index.mu.partly), what a filter
// found is intersected with what is visible.
//
// # Differences from RediSearch
//
//   - A replaced document whose vectors are the same keeps its place; in
//     results of equal rank the order is that of the last write either way.
//   - BM25STD of an index without text fields is 0, where RediSearch divides 0 by 0.
//   - A weight of a pattern counts even if the pattern stands for one word only.
//   - Patterns find all words that fit, not the first 200; a score counts the
//     first of those 200 that a document holds, as in RediSearch.
//   - A phrase stands in one field, not across the end of one and the beginning of the next.
//   - A pattern may have one letter; SUMMARIZE leaves fields that are not TEXT as they are.
//   - A KNN without SORTBY is in the order of distance.
//   - PHONETIC compares by the English rules of Double Metaphone in every language.
//   - Chinese is not cut into words by a dictionary: what stands between spaces and
//     punctuation is one, which *…* finds a part of.
//   - HIGHLIGHT and SUMMARIZE stem by the language of the query, not of the document.
//   - WITHSUFFIXTRIE lists the endings of words up to 128 bytes, of TEXT those of all
//     fields together. Without it, and for what very many words hold, all are looked at.
//   - NOOFFSETS, NOFREQS, NOFIELDS are accepted and change nothing.
//   - SVS-VAMANA is our HNSW. Its compressions choose how many bits a component has
//     while the graph is walked; the vectors are kept as well and compared at the end.
//   - Synonyms are looked for by queries. Documents from before FT.SYNUPDATE are found
//     with them at once, whatever SKIPINITIALSCAN says.
//   - A GEOSHAPE is a POINT or a POLYGON of up to 10,000 corners. On the globe edges are
//     great circles on a sphere, there on an ellipsoid, and of a polygon the smaller
//     side is its inside. GeoJSON objects cannot be indexed.
//   - FT.ALTER puts documents anew, in the order in which they were put first.
package search
