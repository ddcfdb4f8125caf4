package search

import (
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
)

// Options refine a search. Num must be set: the zero value counts only.
type Options struct {
	Offset, Num int    // LIMIT; Num 0 counts only, Num < 0 returns all
	SortBy      string // a distance's name, a field's, or ""; see [Index.Search]
	Desc        bool
	Scorer      string  // "" is BM25STD
	WithScores  bool    // fill Row.Score even where the order does not need it
	Explain     bool    // fill Row.Explain; with WithScores
	Terms       bool    // fill Result.Terms
	Tanh        float64 // of BM25STD.TANH; 0 is RediSearch's 4
	Payload     []byte  // of HAMMING

	Verbatim bool          // words without their stems
	Language attr.Language // of the words
	Expander string        // how words are expanded: SBSTEM, SYNONYM, PHONETIC, or all of it
	InOrder  bool          // the words of the query in its order
	HasSlop  bool          // at most Slop other words between them
	Slop     int

	HasInKeys bool
	InKeys    []string // only these documents
	InFields  []string // TEXT fields of words without a field of their own
	Filters   []NumericFilter
	Around    []GeoFilter

	// Load returns a field of a document, by identifier. It is only used to sort
	// by a field of which the index holds no value, and without any lock of the index.
	Load    func(doc, identifier string) ([]byte, bool)
	Profile *Profile    // filled in, unless nil
	Now     int64       // Unix milliseconds; what expires at or before it does not exist
	Watch   *Watch      // told what was found; see [Index.OpenWatch]
	Stop    func() bool // asked now and then; true ends the search early

	// For Scan: not by score, and what matches is handed over instead of rows, mu locked.
	byWrite bool
	// For tests: weigh every match, see pruner.
	everyScore bool

	take func(e *exec, bits *index.Bitmap)
}

// NumericFilter is the FILTER option.
type NumericFilter struct {
	Field            string
	Min, Max         float64
	MinExcl, MaxExcl bool
}

// GeoFilter is the GEOFILTER option.
type GeoFilter struct {
	Field            string
	Lon, Lat, Radius float64
	Unit             string // m, km, mi or ft
}
