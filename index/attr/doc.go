// Package attr holds the postings of a document's attributes over dense
// document ids:
//
//	Numeric   value ↔ ids: sorted blocks of (value, id), and the value of each id
//	Tags      tag → Set of ids, and the tags of each id
//	Geo       places, Shapes shapes: a query looks at all of them
//	Text      term × field → Set of ids, and the terms of each id in order
//
// Each remembers what it holds of a document (a forward index), so that a
// document is removed by its id alone and cheaply, and so that phrases,
// scores and sorting need no positions, frequencies or values elsewhere.
//
// A [Set] of few ids is a sorted slice, of many a roaring bitmap: most terms
// and tags stand in one document.
//
// Nothing here locks. The caller (package search) holds its lock for writing
// during Put and Remove, for reading during everything else; reading methods
// write nothing.
package attr
