// Package aggregate is the pipeline of FT.AGGREGATE and the last part of
// FT.HYBRID: documents in, one after the other, rows out. It knows no key and no
// wire; where documents come from and how their fields are read it is told.
//
//	[Plan] → [New] → [Pipeline.Next]
//
//	[Source] → load → apply → filter → sort, page → group → apply → …
//
// A plan's steps are what a client wrote. New finds out which properties a row has
// at each step and gives each a slot; a name that no step provides is an error, or
// a field of the schema that is loaded just before it is needed (GROUPBY, SORTBY;
// APPLY and FILTER if it is SORTABLE), as RediSearch does. Without its name being
// given to LOAD a SORTABLE text is what it is sorted by: in lower case unless UNF.
//
// # Memory
//
// Rows are pulled through the steps one at a time. Only SORTBY holds rows, as many
// as it may hand on, and GROUPBY holds groups; a budget counts what they hold and
// ends the query beyond it. The texts of a row live in a buffer that the next row
// takes over, so what is held is cloned.
//
// # Concurrency
//
// A pipeline belongs to one goroutine at a time, and takes no lock. [Cursors] may be
// used by all at once.
package aggregate
