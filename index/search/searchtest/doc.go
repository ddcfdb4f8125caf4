// Package searchtest is the truth that searches are held against: an [Oracle], which
// evaluates a query by looking at every document, one node of the tree at a time, with
// nothing of the engine but its tokenizer, stemmer and distance on the globe; and a
// [Generator] of random schemas, documents and queries. What it draws holds every type
// of field and every option that decides what matches. A [Pipeline] is steps of an
// aggregation, drawn and evaluated likewise: all rows at a time.
//
// The tests of package search ask the engine, those of the server the commands.
package searchtest
