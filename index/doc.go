// Package index holds vectors and text and finds them again. It knows no key
// and no wire.
//
//	kernel    distance of one query to many rows, by element type and instruction set
//	flat      exact vector index       ┐ both implement [Index],
//	hnsw      approximate, a graph     ┘ both are rows of kinds.All
//	snapshot  the file that both are saved to, and opened from by mapping it
//	attr      TAG, NUMERIC and TEXT postings over dense document ids
//	query     the FT query language: text in, tree out
//	search    schema, planner, executor: a query in, document ids, scores and rows out
//
// Below search everything speaks of dense document ids ([Label]) and sets of
// them ([Bitmap]); search owns the mapping from a document's name to its id.
package index
