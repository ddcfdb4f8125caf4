package catalog

import (
	"errors"
	"math"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/expr"
	"github.com/nearcache/nearcache/index/search"
)

// rule is what an index reads of a document beside its fields: whether it belongs to
// the index, its score, its payload, its language.
type rule struct {
	filter         *expr.Expr
	names          []string // by the filter's properties: identifiers; "" is the key
	score, payload string
	language       string
	any            bool
}

func ruleOf(def *Definition, s *search.Schema) (rule, error) {
	r := rule{score: def.ScoreField, payload: def.PayloadField, language: def.LanguageField}
	if def.Filter != "" {
		e, err := expr.Parse(def.Filter)
		if text := (*expr.Error)(nil); errors.As(err, &text) {
			return r, &search.Error{Msg: text.Msg}
		}
		if err != nil {
			return r, err
		}
		r.filter = e
		for _, name := range e.Names() {
			id := name
			if f := s.Field(name); f != nil {
				id = f.Identifier
			} else if name == keyName {
				id = ""
			}
			r.names = append(r.names, id)
		}
	}
	r.any = r.filter != nil || r.score != "" || r.payload != "" || r.language != ""
	return r, nil
}

// keyName is the property that is a document's key.
const keyName = "__key"

// apply reads the open document for the job; false where it is none of the index.
// Of a filter that cannot be evaluated it is none.
func (r *rule) apply(j *job, d *Document) bool {
	if r.filter != nil {
		j.row = j.row[:0]
		for _, id := range r.names {
			j.row = append(j.row, r.property(j, d, id))
		}
		j.eval.Row = j.row
		v, err := r.filter.Eval(&j.eval)
		clear(j.row)
		if err != nil || !v.True() {
			return false
		}
	}
	if r.score != "" {
		if v, ok := d.Field(r.score, 0); ok {
			x := v.Number
			if v.Kind == Text {
				x, ok = expr.ParseNumber(string(v.Text))
			}
			if ok && v.Kind != Null && !math.IsNaN(x) && !math.IsInf(x, 0) {
				j.extra.HasScore, j.extra.Score = true, x
			}
		}
	}
	if r.payload != "" {
		if v, ok := d.Field(r.payload, 0); ok && v.Kind == Text {
			j.buf, j.extra.Payload = add(j.buf, v.Text)
		}
	}
	if r.language != "" {
		if v, ok := d.Field(r.language, 0); ok && v.Kind == Text {
			if l, known := attr.ParseLanguage(string(v.Text)); known { // otherwise the index's own
				j.extra.Language = l
			}
		}
	}
	return true
}

func (r *rule) property(j *job, d *Document, id string) expr.Value {
	if id == "" {
		return expr.Str(j.key)
	}
	v, ok := d.Field(id, 0)
	switch {
	case !ok:
		return expr.Value{}
	case v.Kind == Null:
		return expr.Nil()
	case v.Kind == Number:
		return expr.Num(v.Number)
	}
	return expr.Str(string(v.Text))
}
