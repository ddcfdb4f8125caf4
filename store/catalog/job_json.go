package catalog

import (
	"fmt"

	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/index/space"
	"github.com/nearcache/nearcache/store/types/json"
)

// jsonErrors say what a field may not be, in RediSearch's words.
var jsonErrors = [...]error{
	json.Bool:    &search.Error{Msg: "Invalid JSON type: Boolean type can represent only TAG field"},
	json.Integer: &search.Error{Msg: "Invalid JSON type: Number type can represent only NUMERIC field"},
	json.Number:  &search.Error{Msg: "Invalid JSON type: Number type can represent only NUMERIC field"},
	json.String:  &search.Error{Msg: "Invalid JSON type: String type can represent only TEXT, TAG, GEO or GEOMETRY field"},
	json.Array:   &search.Error{Msg: "Invalid JSON type: Array type cannot represent this field"},
	json.Object:  &search.Error{Msg: "Invalid JSON type: Object type can represent only GEOMETRY field"},
}

// fromJSON copies what a document has at a field's path. Null is nothing.
//
// What a path matches several times, and an array that it matches once, are several
// values; a field that is not for them, or for one of them, cannot be indexed.
func (j *job) fromJSON(w *want, root json.Node) search.Value {
	if err := j.query.Find(w.path, root); err != nil {
		return search.Value{Err: &search.Error{Msg: err.Error()}}
	}
	nodes := j.query.Nodes
	switch {
	case len(nodes) == 0:
		return search.Value{}
	case w.field.Type == search.TypeVector:
		return j.vectors(w.field, nodes)
	case w.field.Type == search.TypeShape && (len(nodes) > 1 || nodes[0].Kind() == json.Array):
		return search.Value{Err: jsonErrors[json.Array]}
	case len(nodes) == 1 && nodes[0].Kind() == json.Array:
		a := nodes[0]
		return j.several(w.field, a.Len(), a.Elem)
	case len(nodes) == 1 && nodes[0].Kind() == json.Bool && w.field.Type == search.TypeTag:
		text := "false"
		if nodes[0].Bool() {
			text = "true"
		}
		return search.Value{Data: []byte(text)}
	}
	return j.several(w.field, len(nodes), func(i int) json.Node { return nodes[i] })
}

// several copies n values, less those that are null.
func (j *job) several(f *search.Field, n int, at func(i int) json.Node) search.Value {
	if f.Type == search.TypeNumeric {
		from := len(j.numbers)
		for i := range n {
			e := at(i)
			if e.Kind() == json.Null {
				continue
			}
			x, ok := e.Float()
			if !ok {
				return search.Value{Err: jsonErrors[e.Kind()]}
			}
			j.numbers = append(j.numbers, x)
		}
		if l := j.numbers[from:len(j.numbers):len(j.numbers)]; len(l) > 0 {
			return search.Value{Numbers: l}
		}
		return search.Value{}
	}
	var v search.Value
	from := len(j.texts)
	for i := range n {
		e := at(i)
		switch e.Kind() {
		case json.Null:
			continue
		case json.String:
		default:
			return search.Value{Err: jsonErrors[e.Kind()]}
		}
		var text []byte
		j.buf, text = add(j.buf, e.Bytes())
		if v.Data == nil {
			v.Data = text
		} else {
			j.texts = append(j.texts, text)
		}
	}
	v.More = j.texts[from:len(j.texts):len(j.texts)]
	return v
}

// vectors are arrays of numbers, less those that are null: the document is where the nearest is.
func (j *job) vectors(f *search.Field, nodes []json.Node) (v search.Value) {
	from := len(j.texts)
	for _, n := range nodes {
		one := j.vector(f, n)
		switch {
		case one.Err != nil:
			return one
		case one.Data == nil:
		case v.Data == nil:
			v = one
		default:
			j.texts = append(j.texts, one.Data)
		}
	}
	v.More = j.texts[from:len(j.texts):len(j.texts)]
	return v
}

// vector is an array of numbers as the blob of a vector.
func (j *job) vector(f *search.Field, n json.Node) search.Value {
	bad := func(format string, args ...any) search.Value {
		return search.Value{Err: &search.Error{Msg: fmt.Sprintf(format, args...)}}
	}
	switch n.Kind() {
	case json.Null:
		return search.Value{}
	case json.Array:
	default:
		return search.Value{Err: jsonErrors[n.Kind()]}
	}
	if n.Len() != f.Vector.Dim {
		return bad("Invalid vector length. Expected %d, got %d", f.Vector.Dim, n.Len())
	}
	from := len(j.buf)
	for i := range n.Len() {
		x, ok := n.Elem(i).Float()
		if ok {
			j.buf, ok = space.AppendElement(j.buf, f.Vector.Element, x)
		}
		if !ok {
			return bad("Invalid vector element: %s is no %s", n.Elem(i).Kind(), f.Vector.Element)
		}
	}
	return search.Value{Data: j.buf[from:len(j.buf):len(j.buf)]}
}
