package catalog

import (
	"unsafe"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/json"
)

// Document is a key as searches read it: a hash with its fields, or a JSON document
// with what lies at its paths. It is reused; what it gives is valid until the next
// Open, and at most while the key's shard is held.
type Document struct {
	Hash *hash.Value // of an index ON HASH
	JSON *json.Value // of an index ON JSON

	query json.Query
	path  json.Path
	text  []byte
}

// Loaded is a field of a document. Of a JSON document it is the first value that
// the path matches; All, from dialect 3 on, is the array of all of them.
type Loaded struct {
	Kind   Kind
	Text   []byte  // of Text
	Number float64 // of Number
	All    []byte  // nil, or a JSON array
}

// Kind is what a loaded field is.
type Kind uint8

// The kinds. A hash has Text only; a JSON document's truth values are numbers, and
// its arrays and objects are their JSON text.
const (
	Text Kind = iota
	Number
	Null
)

// manyFrom is the dialect that gives all values of a path.
const manyFrom = 3

// Open makes d the document of an entry; false where the entry is none of this index.
func (ix *Index) Open(d *Document, e *store.Entry) bool {
	d.Hash, d.JSON, d.text = nil, nil, d.text[:0]
	if e == nil {
		return false
	}
	if ix.JSON {
		d.JSON, _ = e.Value().(*json.Value)
	} else {
		d.Hash, _ = e.Value().(*hash.Value)
	}
	return d.Hash != nil || d.JSON != nil
}

// Field is a field by its identifier: a hash's name, or a JSONPath.
func (d *Document) Field(id string, dialect int) (Loaded, bool) {
	if d.Hash != nil {
		v, ok := d.Hash.GetString(id)
		return Loaded{Text: v}, ok
	}
	if d.path.Compile(unsafe.Slice(unsafe.StringData(id), len(id))) != nil {
		return Loaded{}, false
	}
	root := d.JSON.Root()
	if dialect < manyFrom && !d.path.Projection() {
		n, ok, err := d.query.First(&d.path, root)
		if err != nil || !ok {
			return Loaded{}, false
		}
		return d.loaded(n), true
	}
	if d.query.Find(&d.path, root) != nil || len(d.query.Nodes) == 0 {
		return Loaded{}, false
	}
	v := d.loaded(d.query.Nodes[0])
	if dialect >= manyFrom {
		from := len(d.text)
		d.text = append(d.text, '[')
		for i, n := range d.query.Nodes {
			if i > 0 {
				d.text = append(d.text, ',')
			}
			d.text = n.Append(d.text)
		}
		d.text = append(d.text, ']')
		v.All = d.text[from:len(d.text):len(d.text)]
	}
	return v, true
}

// Root is the whole of a JSON document.
func (d *Document) Root(dialect int) Loaded {
	v, _ := d.Field("$", dialect)
	return v
}

func (d *Document) loaded(n json.Node) Loaded {
	switch n.Kind() {
	case json.Null:
		return Loaded{Kind: Null}
	case json.Bool:
		if n.Bool() {
			return Loaded{Kind: Number, Number: 1}
		}
		return Loaded{Kind: Number}
	case json.Integer, json.Number:
		x, _ := n.Float()
		return Loaded{Kind: Number, Number: x}
	case json.String:
		return Loaded{Text: n.Bytes()}
	}
	from := len(d.text)
	d.text = n.Append(d.text)
	return Loaded{Text: d.text[from:len(d.text):len(d.text)]}
}

// maxKeptText is how much memory of texts a document keeps.
const maxKeptText = 64 << 10

// Release forgets the document and makes it small.
func (d *Document) Release() {
	d.Hash, d.JSON = nil, nil
	d.query.Release()
	d.path = json.Path{}
	if cap(d.text) > maxKeptText {
		d.text = nil
	}
}
