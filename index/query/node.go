package query

import (
	"math"
	"strconv"
)

// Kind says what a [Node] is.
type Kind uint8

// The kinds of nodes.
const (
	All      Kind = iota // every document
	Term                 // Text, with its stems unless Verbatim
	Phrase               // Words, one after the other
	Prefix               // Text*
	Suffix               // *Text
	Infix                // *Text*
	Wildcard             // w'Text' with * and ?
	Fuzzy                // Text within Edits edits
	And                  // all Children
	Or                   // one of Children
	Not                  // not Children[0]
	Optional             // Children[0] need not match, it only raises the score
	Tag                  // Field holds one of Values
	Numeric              // Field in Min..Max
	Geo                  // Field within Radius Unit of Lon, Lat
	Missing              // the document has no Field
	Range                // Field's vector within Radius of Blob
	Shape                // Field's shape stands to the one of Blob as Predicate says
)

// Node is a part of the filter. Which members mean something depends on Kind.
type Node struct {
	Kind     Kind
	Verbatim bool     // Term: quoted, so without stems
	Edits    int      // Fuzzy: 1 to 3
	Children []*Node  // And, Or, Not, Optional
	Text     string   // Term, Prefix, Suffix, Infix, Wildcard, Fuzzy: lower case, unescaped
	Words    []string // Phrase
	Fields   []string // the text fields asked, of what stands in a field modifier; nil for all
	Field    string   // Tag, Numeric, Geo, Missing, Range, Shape
	Offset   int      // byte offset of the field or word in the query, for messages
	Values   []Value  // Tag

	Min, Max         float64 // Numeric
	MinExcl, MaxExcl bool
	Lon, Lat         float64 // Geo
	Radius           float64 // Geo, Range
	Unit             string  // Geo: m km mi ft
	Blob             []byte  // Range, Shape: aliases the parameter
	BlobParam        string  // Range, Shape: the parameter's name
	Predicate        string  // Shape: WITHIN, CONTAINS, DISJOINT or INTERSECTS

	Attrs *Attrs // nil when there are none
}

// Value is one alternative of a tag filter.
type Value struct {
	Kind Kind // Term, Prefix, Suffix, Infix or Wildcard
	Text string
}

// Attrs are the attributes of =>{...}. HasSlop and the like tell a zero from absence.
type Attrs struct {
	Weight          float64 // 1 by default
	Slop            int
	HasSlop         bool
	InOrder         bool
	Phonetic        Phonetic
	YieldDistanceAs string
	Tuning
}

// Tuning is how a KNN or a range goes through its index.
type Tuning struct {
	EF      int     // EF_RUNTIME of HNSW; 0: the index's own
	Window  int     // SEARCH_WINDOW_SIZE, which is that of SVS-VAMANA
	History string  // USE_SEARCH_HISTORY of SVS-VAMANA: "", ON, OFF or AUTO; accepted, there is none
	Buffer  int     // SEARCH_BUFFER_CAPACITY of SVS-VAMANA; accepted, the index chooses by itself
	Epsilon float64 // of a range; 0: the index's own
}

// Beam is how many vectors the search keeps in view; 0: the index's own.
func (t *Tuning) Beam() int { return max(t.EF, t.Window) }

// Each calls f for all that is given.
func (t *Tuning) Each(f func(name, value string)) {
	for _, x := range [...]struct {
		name string
		n    int
	}{{"EF_RUNTIME", t.EF}, {"SEARCH_WINDOW_SIZE", t.Window}, {"SEARCH_BUFFER_CAPACITY", t.Buffer}} {
		if x.n != 0 {
			f(x.name, strconv.Itoa(x.n))
		}
	}
	if t.History != "" {
		f("USE_SEARCH_HISTORY", t.History)
	}
	if t.Epsilon != 0 {
		f("EPSILON", strconv.FormatFloat(t.Epsilon, 'g', -1, 64))
	}
}

// Phonetic says whether words that sound alike match too.
type Phonetic uint8

// What $phonetic asks for.
const (
	PhoneticDefault Phonetic = iota // in fields that are indexed so
	PhoneticOn
	PhoneticOff
)

// Weight is the node's weight in the score.
func (n *Node) Weight() float64 {
	if n.Attrs == nil {
		return 1
	}
	return n.Attrs.Weight
}

// KNN is the vector part of filter=>[KNN ...].
type KNN struct {
	Field     string
	Offset    int
	K         int
	Blob      []byte // aliases the parameter
	BlobParam string
	As        string // name of the distance; __<field>_score by default
	Tuning
	Policy    string // HYBRID_POLICY: "", BATCHES or ADHOC_BF; accepted, the index chooses by itself
	BatchSize int
}

// Query is a parsed query.
type Query struct {
	Root *Node // the filter; nil matches nothing: an empty query, or nothing but stop words
	KNN  *KNN  // nil unless the query ends in =>[KNN ...]
}

// HasVector reports whether a vector range stands in the tree.
func (n *Node) HasVector() bool {
	if n == nil {
		return false
	}
	if n.Kind == Range {
		return true
	}
	for _, c := range n.Children {
		if c.HasVector() {
			return true
		}
	}
	return false
}

// Weighted reports whether a part of the tree has a weight of its own.
func (n *Node) Weighted() bool {
	if n == nil {
		return false
	}
	if n.Weight() != 1 {
		return true
	}
	for _, c := range n.Children {
		if c.Weighted() {
			return true
		}
	}
	return false
}

// HasText reports whether a leaf of text stands in the tree.
func (n *Node) HasText() bool {
	if n == nil {
		return false
	}
	switch n.Kind {
	case Term, Phrase, Prefix, Suffix, Infix, Wildcard, Fuzzy:
		return true
	}
	for _, c := range n.Children {
		if c.HasText() {
			return true
		}
	}
	return false
}

// InRange reports whether x lies in the node's numeric range.
func (n *Node) InRange(x float64) bool {
	if math.IsNaN(x) || x < n.Min || x > n.Max {
		return false
	}
	return !(n.MinExcl && x == n.Min) && !(n.MaxExcl && x == n.Max)
}
