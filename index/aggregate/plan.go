package aggregate

import (
	"fmt"

	"github.com/nearcache/nearcache/index/expr"
)

// Plan is the steps of a pipeline in their order.
type Plan struct {
	Steps []Step
	Count bool // LIMIT 0 0: no rows, only how many there would be

	Prefixed bool // what reducers read must be named with its @, as in FT.HYBRID
}

// Step is one step. Which of the members counts is told by which is set.
type Step struct {
	Load    *Load
	Apply   *Apply
	Filter  *Filter
	Group   *Group
	Arrange *Arrange
}

// Load reads fields of the documents.
type Load struct {
	All    bool
	Fields []LoadField
}

// LoadField is a field to load: its name in the schema, or else that of a hash's
// field or a JSONPath.
type LoadField struct{ Path, As string }

// Apply adds the value of an expression.
type Apply struct{ Expr, As string }

// Filter keeps rows for which an expression is true.
type Filter struct{ Expr string }

// Group makes one row of all that have the same values.
type Group struct {
	By      []string
	Reduces []Reduce
}

// Reduce is REDUCE with its arguments.
type Reduce struct {
	Name string
	Args []string
	As   string
}

// Arrange is SORTBY and LIMIT.
type Arrange struct {
	Keys    []SortKey
	Offset  int
	Limit   int // 0: none was given
	Limited bool
}

// SortKey is a property to sort by.
type SortKey struct {
	Name string
	Desc bool
}

// MaxKeys is how many properties SORTBY may have.
const MaxKeys = 8

// Arrange is the step that SORTBY and LIMIT belong to: the last one since the last
// GROUPBY, wherever it stands, as in RediSearch; otherwise a new one.
func (p *Plan) Arrange() *Arrange {
	for i := len(p.Steps) - 1; i >= 0; i-- {
		switch s := &p.Steps[i]; {
		case s.Group != nil:
			i = 0
		case s.Arrange != nil:
			return s.Arrange
		}
	}
	a := new(Arrange)
	p.Steps = append(p.Steps, Step{Arrange: a})
	return a
}

// Error is a mistake in a plan or in what a row holds; its text goes on the wire.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Field is what a pipeline needs to know of a field of the schema.
type Field struct {
	Identifier string // of the hash's field, or the JSONPath
	Numeric    bool
	Sortable   bool
	Fold       bool // sorted by in lower case: a SORTABLE text or tag without UNF
}

// Want is a field that is to be loaded.
type Want struct {
	Identifier string
	Slot       int
	Numeric    bool
	Fold       bool
}

// Doc is a document on its way through the pipeline.
type Doc struct {
	Name  string
	Score float64
}

// Source gives the documents.
type Source interface {
	// Next fills in the next document, and what Options.Metrics names: NaN for a
	// document that has none of it. False at the end.
	Next(d *Doc, metrics []float64) bool
	// Total is how many there are, known before the first Next.
	Total() int
	// Terms are the words of the query that the document has, at most so many.
	Terms(d *Doc, most int) []string
}

// Loader reads documents.
type Loader interface {
	// Begin is called for each row before its documents are read: the texts that
	// were given before it are of no use any more.
	Begin()
	// Load puts the wanted fields into their slots of the row. False: the document
	// is gone.
	Load(name string, wants []Want, row []expr.Value) bool
	// LoadAll calls set for each field of the document.
	LoadAll(name string, set func(field string, v expr.Value)) bool
}

// Options are what a pipeline runs with.
type Options struct {
	Schema  func(name string) (Field, bool)
	Metrics []string // the names of distances and the like, which the source gives
	ScoreAs string   // the property that holds the score; "" for none
	Score   string   // the property that LOAD makes of the score; "" for none
	Source  Source
	Exact   bool            // Total counts what FILTER drops even behind LIMIT
	Stop    func() bool     // asked now and then; true ends the query early
	Budget  int             // bytes that may be held; 0: DefaultBudget
	Profile *Profile        // filled in, unless nil
	Random  func(n int) int // below n; nil: a generator of the pipeline's own
}

// DefaultBudget is how much memory the rows and groups of a query may take.
const DefaultBudget = 512 << 20
