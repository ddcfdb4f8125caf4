// Package filter is the language of VSIM's FILTER: expressions over the
// attributes of an element, which are a JSON object.
//
//	.year >= 1980 and .rating*2 > 15 and .genre in ["drama", "comedy"]
//
//	text → tokens → program in postfix order → Match(attributes)
//
// [Compile] and [Program.Match] do as Redis' expr.c does, its mistakes
// included: "!!.x" is an error, "a-1" subtracts but "(-1" is a number, a
// selector that is not there makes the whole expression false, and of an
// attribute's value no nested object is read.
//
// A Program holds no state of a run. It may be used by any number of goroutines.
package filter
