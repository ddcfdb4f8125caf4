// Package search measures indexes over the wire. It is the command
//
//	nearcache bench search -nearcache [-out FILE]
//
// The documents are the texts of datasets/ with their 384 dimensions, a tag and a
// number each (load.go). A case (cases.go) is a kind of query: nearest neighbours
// with and without a filter, ranges, words, numbers, tags, aggregations and hybrid
// queries. Where there is a truth, a walk over all vectors, the share of it that is
// found stands beside the rate. A rate is that of some connections which each wait
// for their reply, or for as many as -pipeline says; the processor time is the server's own.
//
// Two more parts (run.go): filters that let few of very many documents pass, which
// have numbers and tags alone; and how long a query takes while documents are
// loaded in bulk.
package search
