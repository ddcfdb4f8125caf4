package search

import (
	"math"
	"sync"
)

// Row is a document found.
type Row struct {
	Name    string
	Score   float64
	Explain *Explain // nil unless it was asked for

	// The value it was sorted by, if SortBy was given and the document has one.
	HasKey bool
	Number bool // the key is Key, otherwise KeyText
	Key    float64
	Text   string

	Payload string // "" is none
}

// Result is what a search found. Its memory is used again after Release.
type Result struct {
	Total    int // all matches, of which Rows is a page
	Rows     []Row
	Yields   []string // names of the distances, see Distance
	Terms    *Terms   // nil unless they were asked for, or there are no rows
	TimedOut bool     // Stop ended the search: Total and Rows may be incomplete

	dist []float64 // by row and yield; NaN for none
}

var resultPool = sync.Pool{New: func() any { return new(Result) }}

// Release gives the result's memory back. Nothing of it may be used afterwards.
func (r *Result) Release() {
	clear(r.Rows)
	*r = Result{Rows: r.Rows[:0], Yields: r.Yields[:0], dist: r.dist[:0]}
	resultPool.Put(r)
}

// Distance is a row's distance, by the position of its name in Yields. False:
// the row was found by a part of the query that yields none.
func (r *Result) Distance(row, yield int) (float64, bool) {
	d := r.dist[row*len(r.Yields)+yield]
	return d, !math.IsNaN(d)
}
