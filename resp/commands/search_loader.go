package commands

import (
	"math"
	"strings"
	"unsafe"

	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/expr"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
)

// ftLoader reads documents for a pipeline, each under its shard's lock. It is an
// [agg.Loader].
type ftLoader struct {
	c       *command.Ctx // of the command that reads now
	ix      *catalog.Index
	dialect int

	key   []byte
	doc   catalog.Document
	found bool
	wants []agg.Want
	row   []expr.Value
	set   func(field string, v expr.Value) // instead of wants: all fields
	texts []byte                           // of the row

	visit func(*store.Tx)
}

func (l *ftLoader) init(ix *catalog.Index, dialect int) {
	l.ix, l.dialect, l.visit = ix, dialect, l.visited
}

// maxTexts is how much memory of texts is kept for the next row.
const maxTexts = 1 << 20

// Begin implements [agg.Loader].
func (l *ftLoader) Begin() {
	if l.texts = l.texts[:0]; cap(l.texts) > maxTexts {
		l.texts = nil
	}
}

// Load implements [agg.Loader].
func (l *ftLoader) Load(name string, wants []agg.Want, row []expr.Value) bool {
	l.wants, l.row = wants, row
	return l.open(name)
}

// LoadAll implements [agg.Loader].
func (l *ftLoader) LoadAll(name string, set func(field string, v expr.Value)) bool {
	l.set = set
	defer func() { l.set = nil }()
	return l.open(name)
}

// open calls visited while the shard of the document is held.
func (l *ftLoader) open(name string) bool {
	l.key, l.found = unsafe.Slice(unsafe.StringData(name), len(name)), false // only read
	visitDocument(l.c, l.key, l.visit)
	return l.found
}

func (l *ftLoader) visited(tx *store.Tx) {
	if l.found = l.ix.Open(&l.doc, tx.Peek(l.key)); !l.found {
		return
	}
	switch {
	case l.set == nil:
		for i := range l.wants {
			w := &l.wants[i]
			if v, ok := l.doc.Field(w.Identifier, l.dialect); ok {
				l.row[w.Slot] = l.value(w, v)
			} else if w.Identifier == "__key" {
				l.row[w.Slot] = l.text(l.key)
			}
		}
	case l.doc.Hash != nil:
		l.doc.Hash.Each(func(name string, value []byte) bool {
			l.set(name, l.text(value))
			return true
		})
	default:
		l.set("$", l.value(&agg.Want{}, l.doc.Root(l.dialect)))
	}
}

// value is a field's content as the pipeline has it.
func (l *ftLoader) value(w *agg.Want, f catalog.Loaded) (v expr.Value) {
	switch f.Kind {
	case catalog.Number:
		v = expr.Num(f.Number)
	case catalog.Null:
		v = expr.Nil()
	default:
		if x, ok := expr.ParseNumber(viewOf(f.Text)); w.Numeric && ok && !math.IsNaN(x) {
			v = expr.Num(x)
			break
		}
		v = l.text(f.Text)
		if w.Fold {
			s, _ := v.Text()
			v = expr.Str(strings.ToLower(s))
		}
	}
	if f.All != nil {
		all := l.text(f.All)
		s, _ := all.Text()
		v = expr.Shown(v, s)
	}
	return v
}

// text copies bytes to where they stay until the next row.
func (l *ftLoader) text(v []byte) expr.Value {
	from := len(l.texts)
	l.texts = append(l.texts, v...)
	return expr.Str(viewOf(l.texts[from:]))
}
