package searchtest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
)

// Doc is a document: its values by the name of the field. A hash has one of each; a
// field that is not there is missing.
type Doc map[string][]string

// Oracle knows all documents. Count must be called when they have changed.
type Oracle struct {
	Schema   *search.Schema
	Docs     map[string]Doc
	Synonyms map[string][]string // by group

	InFields []string // INFIELDS; nil for all
	Verbatim bool     // VERBATIM

	stem  attr.Stemmer
	codes map[string]string // of words, by sound
	df    map[string]int    // documents by field type and term: for scores
	len   map[string]float64
	avg   float64
}

// New returns an oracle without documents.
func New(s *search.Schema) *Oracle {
	stem, _ := attr.NewStemmer("english")
	return &Oracle{Schema: s, Docs: map[string]Doc{}, Synonyms: map[string][]string{}, stem: stem, codes: map[string]string{}}
}

// Match is whether a document matches, and its weight by BM25STD.
func (o *Oracle) Match(n *query.Node, doc string) (w float64, ok bool) {
	d, weight := o.Docs[doc], n.Weight()
	// one reports whether one of the field's values is such.
	one := func(is func(v string) bool) bool { return slices.ContainsFunc(d[n.Field], is) }
	switch n.Kind {
	case query.All:
		return weight * o.bm25(doc, "*", 1), true
	case query.And:
		for _, c := range n.Children {
			x, hit := o.Match(c, doc)
			if !hit {
				return 0, false
			}
			w += x
		}
		return weight * w, n.Attrs == nil || o.close(n, d)
	case query.Or:
		for _, c := range n.Children {
			if x, hit := o.Match(c, doc); hit {
				w, ok = w+x, true
			}
		}
		return weight * w, ok
	case query.Not:
		_, hit := o.Match(n.Children[0], doc)
		return 0, !hit
	case query.Optional:
		if x, hit := o.Match(n.Children[0], doc); hit {
			w = x
		}
		return weight * w, true
	case query.Numeric:
		return 0, one(func(v string) bool {
			x, err := strconv.ParseFloat(v, 64)
			return err == nil && n.InRange(x)
		})
	case query.Geo:
		return 0, one(func(v string) bool { return near(v, n) })
	case query.Shape:
		return 0, one(func(v string) bool { return stands(n.Predicate, rectOf(v), rectOf(string(n.Blob))) })
	case query.Missing:
		return 0, d[n.Field] == nil
	case query.Range:
		return 0, Nearest(d[n.Field], n.Blob) <= n.Radius
	case query.Tag:
		return o.tag(n, doc)
	}
	return o.text(n, doc)
}

func near(v string, n *query.Node) bool {
	var at attr.Place
	if _, err := fmt.Sscanf(v, "%f,%f", &at.Lon, &at.Lat); err != nil {
		return false
	}
	g := attr.Geo{}
	g.Put(0, at)
	return g.Near(0, n.Lon, n.Lat, n.Radius*map[string]float64{"m": 1, "km": 1000}[n.Unit])
}

// Matching are the documents that match, of those of these names and in their order. nil matches none.
func (o *Oracle) Matching(n *query.Node, order []string) (docs []Doc, names []string) {
	if n == nil {
		return nil, nil
	}
	for _, name := range order {
		if _, ok := o.Match(n, name); ok {
			docs, names = append(docs, o.Docs[name]), append(names, name)
		}
	}
	return docs, names
}

// tags are those of a field of a document.
func (o *Oracle) tags(d Doc, f *search.Field) (out []string) {
	for _, v := range d[f.Name] {
		l := []string{v}
		if f.Separator != 0 {
			l = strings.Split(v, string(f.Separator))
		}
		for _, t := range l {
			if t = strings.TrimSpace(t); t == "" && !f.IndexEmpty {
				continue
			}
			if !f.CaseSensitive {
				t = strings.ToLower(t)
			}
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

func (o *Oracle) tag(n *query.Node, doc string) (w float64, ok bool) {
	f := o.Schema.Field(n.Field)
	have := o.tags(o.Docs[doc], f)
	slices.Sort(have)
	found := map[string]bool{} // by value, what fits of the tags of all documents
	for i, v := range n.Values {
		text := v.Text
		if !f.CaseSensitive {
			text = strings.ToLower(text)
		}
		for k := range o.df {
			if t, is := strings.CutPrefix(k, "g"+f.Name+" "); is && fits(v.Kind, text, 0, t) {
				found[strconv.Itoa(i)+k] = true
			}
		}
		for _, t := range have {
			if fits(v.Kind, text, 0, t) {
				w, ok = w+o.bm25(doc, "g"+f.Name+" "+t, 1), true
				break
			}
		}
	}
	weight := n.Weight()
	if len(found) > 1 && !(len(n.Values) == 1 && n.Values[0].Kind != query.Term) {
		weight *= weight // the union has it, and each tag of it
	}
	return weight * w, ok
}

// Count notes what scores need to know of all documents.
func (o *Oracle) Count() {
	o.df, o.len, o.avg = map[string]int{}, map[string]float64{}, 0
	for name, d := range o.Docs {
		seen := map[string]bool{}
		for i := range o.Schema.Fields {
			f := &o.Schema.Fields[i]
			switch f.Type {
			case search.TypeText:
				for _, w := range slices.Concat(o.words(d, f)...) {
					seen["t"+w] = true
					if s := o.stem(w); !f.NoStem && s != w {
						seen["t+"+s] = true
					}
					o.len[name] += max(1, math.Floor(f.Weight))
				}
			case search.TypeTag:
				for _, t := range o.tags(d, f) {
					seen["g"+f.Name+" "+t] = true
				}
			}
		}
		for k := range seen {
			o.df[k]++
		}
		o.avg += o.len[name]
	}
	o.avg /= float64(max(1, len(o.Docs)))
}

// bm25 is BM25STD of a term.
func (o *Oracle) bm25(doc, key string, freq float64) float64 {
	n, df := float64(len(o.Docs)), float64(o.df[key])
	idf := math.Log(1 + (n-df+0.5)/(df+0.5))
	if key == "*" {
		idf = 1
	}
	if o.avg == 0 {
		return 0
	}
	k1 := float64(float32(1.2))
	return idf * freq * (k1 + 1) / (freq + k1*(0.25+0.75*o.len[doc]/o.avg))
}
