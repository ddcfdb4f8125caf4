package search

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// The oracle evaluates a query by looking at every document, one node of the tree
// at a time, with nothing of the engine but its tokenizer, stemmer and distance on
// the globe. Random schemas, documents and queries must give the same matches,
// scores, orders and pages:
//
//	NEARCACHE_ORACLE=100000 go test ./index/search -run Oracle -timeout 1h
//
// runs that many queries instead of the few of every run.

func oracleQueries(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("NEARCACHE_ORACLE")); err == nil {
		return n
	}
	return usual
}

type oracle struct {
	schema *Schema
	stem   attr.Stemmer
	docs   map[string]map[string]string

	inFields []string // INFIELDS; nil for all
	verbatim bool     // VERBATIM

	df  map[string]int // documents by field type and term: for scores
	len map[string]float64
	avg float64
}

// words are those of one field of a document.
func (o *oracle) words(d map[string]string, f *Field) []string {
	v, ok := d[f.Identifier]
	if !ok {
		return nil
	}
	return words(v)
}

// asks reports whether the node asks a TEXT field.
func (o *oracle) asks(n *query.Node, f *Field) bool {
	fields := n.Fields
	if fields == nil {
		fields = o.inFields
	}
	return f.Type == TypeText && (fields == nil || slices.Contains(fields, f.Name))
}

// texts calls fn with each TEXT field that the node asks.
func (o *oracle) texts(n *query.Node, fn func(f *Field)) {
	for i := range o.schema.Fields {
		if f := &o.schema.Fields[i]; o.asks(n, f) {
			fn(f)
		}
	}
}

func (o *oracle) tags(d map[string]string, f *Field) (out []string) {
	v, ok := d[f.Identifier]
	if !ok {
		return nil
	}
	for _, t := range strings.Split(v, string(f.Separator)) {
		if t = strings.TrimSpace(t); t != "" {
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

// count notes what scores need to know of all documents.
func (o *oracle) count() {
	o.df, o.len, o.avg = map[string]int{}, map[string]float64{}, 0
	for name, d := range o.docs {
		seen := map[string]bool{}
		for i := range o.schema.Fields {
			f := &o.schema.Fields[i]
			switch f.Type {
			case TypeText:
				for _, w := range o.words(d, f) {
					seen["t"+w] = true
					if s := o.stem(w); !f.NoStem && s != w {
						seen["t+"+s] = true
					}
					o.len[name] += max(1, math.Floor(f.Weight))
				}
			case TypeTag:
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
	o.avg /= float64(max(1, len(o.docs)))
}

// term is BM25STD of a term.
func (o *oracle) term(doc, key string, freq float64) float64 {
	n, df := float64(len(o.docs)), float64(o.df[key])
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

// spelled is the weight of one spelling ("run" or "+run") in a document; 0 if it
// stands in none of the fields asked.
func (o *oracle) spelled(n *query.Node, doc, spelling string, exact bool) float64 {
	d, freq, in := o.docs[doc], 0.0, false
	for i := range o.schema.Fields {
		f := &o.schema.Fields[i]
		if f.Type != TypeText {
			continue
		}
		for _, w := range o.words(d, f) {
			weight := max(1, math.Floor(f.Weight))
			if strings.HasPrefix(spelling, "+") {
				if f.NoStem || o.stem(w) == w || "+"+o.stem(w) != spelling {
					continue
				}
				weight = max(1, math.Floor(f.Weight*0.2))
			} else if w != spelling {
				continue
			}
			freq += weight
			in = in || o.asks(n, f) && (exact || !f.NoStem)
		}
	}
	if !in {
		return 0
	}
	return o.term(doc, "t"+spelling, freq)
}

// node is whether a document matches, and its weight.
func (o *oracle) node(n *query.Node, doc string) (w float64, ok bool) {
	d, weight := o.docs[doc], n.Weight()
	switch n.Kind {
	case query.All:
		return weight * o.term(doc, "*", 1), true
	case query.And:
		for _, c := range n.Children {
			x, hit := o.node(c, doc)
			if !hit {
				return 0, false
			}
			w += x
		}
		return weight * w, n.Attrs == nil || o.close(n, d)
	case query.Or:
		for _, c := range n.Children {
			if x, hit := o.node(c, doc); hit {
				w, ok = w+x, true
			}
		}
		return weight * w, ok
	case query.Not:
		_, hit := o.node(n.Children[0], doc)
		return 0, !hit
	case query.Optional:
		if x, hit := o.node(n.Children[0], doc); hit {
			w = x
		}
		return weight * w, true
	case query.Numeric:
		v, has := d[o.schema.Field(n.Field).Identifier]
		x, err := strconv.ParseFloat(v, 64)
		return 0, has && err == nil && n.InRange(x)
	case query.Geo:
		v, has := d[o.schema.Field(n.Field).Identifier]
		var lon, lat float64
		_, err := fmt.Sscanf(v, "%f,%f", &lon, &lat)
		g := attr.Geo{}
		if has && err == nil {
			g.Put(0, attr.Place{Lon: lon, Lat: lat})
		}
		return 0, g.Near(0, n.Lon, n.Lat, metres(n))
	case query.Shape:
		v, has := d[o.schema.Field(n.Field).Identifier]
		return 0, has && stands(n.Predicate, rectOf(v), rectOf(string(n.Blob)))
	case query.Missing:
		_, has := d[o.schema.Field(n.Field).Identifier]
		return 0, !has
	case query.Range:
		v, has := d[o.schema.Field(n.Field).Identifier]
		return 0, has && nearest(v, n.Blob) <= n.Radius
	case query.Tag:
		return o.tag(n, doc)
	case query.Phrase:
		o.texts(n, func(f *Field) {
			ok = ok || strings.Contains(" "+strings.Join(o.words(d, f), " ")+" ", " "+strings.Join(n.Words, " ")+" ")
		})
		for _, x := range n.Words {
			w += o.spelled(n, doc, x, true)
		}
		if !ok {
			w = 0
		}
		return weight * w, ok
	case query.Term:
		w = weight * o.spelled(n, doc, n.Text, true)
		ok = w != 0
		if s := o.stem(n.Text); !n.Verbatim && !o.verbatim {
			x := o.spelled(n, doc, "+"+s, false)
			if s != n.Text {
				x += o.spelled(n, doc, s, false)
			}
			w, ok = w+x, ok || x != 0
		}
		return w, ok
	}
	// Patterns: the first word that fits counts.
	var fits []string
	o.texts(n, func(f *Field) {
		for _, x := range o.words(d, f) {
			if o.fits(n.Kind, n.Text, n.Edits, x) {
				fits = append(fits, x)
			}
		}
	})
	if len(fits) == 0 {
		return 0, false
	}
	return weight * o.spelled(n, doc, slices.Min(fits), true), true
}

func (o *oracle) fits(kind query.Kind, pattern string, edits int, w string) bool {
	switch kind {
	case query.Prefix:
		return strings.HasPrefix(w, pattern)
	case query.Suffix:
		return strings.HasSuffix(w, pattern)
	case query.Infix:
		return strings.Contains(w, pattern)
	case query.Fuzzy:
		return editsBetween(pattern, w) <= edits
	case query.Wildcard:
		if pattern == "" {
			return w == ""
		}
		if pattern[0] == '*' {
			return o.fits(kind, pattern[1:], 0, w) || w != "" && o.fits(kind, pattern, 0, w[1:])
		}
		return w != "" && (pattern[0] == '?' || pattern[0] == w[0]) && o.fits(kind, pattern[1:], 0, w[1:])
	}
	return w == pattern
}

// editsBetween is the table of the textbook.
func editsBetween(a, b string) int {
	row := make([][]int, len(a)+1)
	for i := range row {
		row[i] = make([]int, len(b)+1)
		for j := range row[i] {
			switch {
			case i == 0 || j == 0:
				row[i][j] = i + j
			case a[i-1] == b[j-1]:
				row[i][j] = row[i-1][j-1]
			default:
				row[i][j] = 1 + min(row[i-1][j-1], row[i-1][j], row[i][j-1])
			}
		}
	}
	return row[len(a)][len(b)]
}

func (o *oracle) tag(n *query.Node, doc string) (w float64, ok bool) {
	f := o.schema.Field(n.Field)
	have := o.tags(o.docs[doc], f)
	slices.Sort(have)
	found := map[string]bool{} // by value, what fits of the tags of all documents
	for i, v := range n.Values {
		text := v.Text
		if !f.CaseSensitive {
			text = strings.ToLower(text)
		}
		for k := range o.df {
			if t, is := strings.CutPrefix(k, "g"+f.Name+" "); is && o.fits(v.Kind, text, 0, t) {
				found[strconv.Itoa(i)+k] = true
			}
		}
		for _, t := range have {
			if o.fits(v.Kind, text, 0, t) {
				w, ok = w+o.term(doc, "g"+f.Name+" "+t, 1), true
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

// close is whether the words of an And stand close together in one of its fields.
func (o *oracle) close(n *query.Node, d map[string]string) bool {
	if !n.Attrs.HasSlop && !n.Attrs.InOrder {
		return true
	}
	var parts []*query.Node
	for _, c := range n.Children {
		switch c.Kind {
		case query.Term, query.Prefix, query.Suffix, query.Infix, query.Wildcard, query.Fuzzy:
			parts = append(parts, c)
		}
	}
	if len(parts) < 2 {
		return true
	}
	slop := -1
	if n.Attrs.HasSlop {
		slop = n.Attrs.Slop
	}
	for i := range o.schema.Fields {
		f := &o.schema.Fields[i]
		if f.Type != TypeText || slices.ContainsFunc(parts, func(p *query.Node) bool { return !o.asks(p, f) }) {
			continue
		}
		var at [][]int
		for _, p := range parts {
			var l []int
			for pos, w := range o.words(d, f) {
				if p.Kind == query.Term && (w == p.Text || !p.Verbatim && !o.verbatim && !f.NoStem && (o.stem(w) == o.stem(p.Text) || w == o.stem(p.Text))) ||
					p.Kind != query.Term && o.fits(p.Kind, p.Text, p.Edits, w) {
					l = append(l, pos)
				}
			}
			at = append(at, l)
		}
		if within2(at, nil, slop, n.Attrs.InOrder) {
			return true
		}
	}
	return false
}

// within2 tries every choice of positions.
func within2(at [][]int, chosen []int, slop int, ordered bool) bool {
	if len(chosen) == len(at) {
		if ordered && !slices.IsSortedFunc(chosen, func(a, b int) int { return cmp.Compare(a, b+boolInt(a == b)) }) {
			return false
		}
		return slop < 0 || slices.Max(chosen)-slices.Min(chosen)-(len(at)-1) <= slop
	}
	for _, p := range at[len(chosen)] {
		if ordered && len(chosen) > 0 && p <= chosen[len(chosen)-1] {
			continue
		}
		if within2(at, append(chosen[:len(chosen):len(chosen)], p), slop, ordered) {
			return true
		}
	}
	return false
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// schemaOf writes a random schema; every type of field occurs.
func (g generator) schemaOf() string {
	option := func(s string) string {
		if g.IntN(2) == 0 {
			return " " + s
		}
		return ""
	}
	s := "t0 TEXT" + option("WEIGHT 5") + option("WITHSUFFIXTRIE")
	s += " x AS t1 TEXT NOSTEM" + option("WEIGHT 2.5")
	s += " g0 TAG" + option("CASESENSITIVE") + option("WITHSUFFIXTRIE") + " y AS g1 TAG SEPARATOR ;" + option("WITHSUFFIXTRIE") + option("SORTABLE UNF")
	s += " n0 NUMERIC" + option("SORTABLE") + option("INDEXMISSING") + " n1 NUMERIC INDEXMISSING"
	s += " loc GEO m TAG INDEXMISSING area GEOSHAPE FLAT"
	return s + " v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2"
}

func (g generator) docOf() map[string]string {
	d := map[string]string{}
	set := func(f string, v string) {
		if g.IntN(4) > 0 {
			d[f] = v
		}
	}
	set("t0", g.text(9))
	set("x", g.text(5))
	set("g0", fmt.Sprintf("g%d,G%d", g.IntN(6), g.IntN(9)))
	set("y", fmt.Sprintf("a b%d; c%d", g.IntN(3), g.IntN(5)))
	set("n0", strconv.Itoa(g.IntN(12)))
	set("n1", strconv.FormatFloat(math.Round(g.NormFloat64()*100)/100, 'g', -1, 64))
	set("loc", fmt.Sprintf("%.3f,%.3f", g.Float64()*4, g.Float64()*4))
	set("m", "x")
	set("area", g.rectOf(0).String())
	v := ""
	for range 1 + g.IntN(4)*g.IntN(2) { // mostly one, otherwise several
		v += string(blob(float32(g.IntN(9)), float32(g.IntN(9))))
	}
	set("v", v)
	return d
}

// rect is a rectangle on the plane. Those of documents have whole numbers, those of queries
// none, so no two touch.
type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) String() string {
	return fmt.Sprintf("POLYGON((%[1]g %[2]g, %[3]g %[2]g, %[3]g %[4]g, %[1]g %[4]g, %[1]g %[2]g))", r.x0, r.y0, r.x1, r.y1)
}

func rectOf(wkt string) (r rect) {
	var at float64
	_, _ = fmt.Sscanf(wkt, "POLYGON((%f %f, %f %f, %f %f", &r.x0, &r.y0, &r.x1, &at, &at, &r.y1)
	return r
}

func (g generator) rectOf(shift float64) rect {
	x, y := float64(g.IntN(12))+shift, float64(g.IntN(12))+shift
	return rect{x, y, x + 1 + float64(g.IntN(6)), y + 1 + float64(g.IntN(6))}
}

func stands(predicate string, doc, q rect) bool {
	within := func(a, b rect) bool { return a.x0 > b.x0 && a.x1 < b.x1 && a.y0 > b.y0 && a.y1 < b.y1 }
	meet := doc.x0 < q.x1 && q.x0 < doc.x1 && doc.y0 < q.y1 && q.y0 < doc.y1
	switch predicate {
	case "WITHIN":
		return within(doc, q)
	case "CONTAINS":
		return within(q, doc)
	case "INTERSECTS":
		return meet
	}
	return !meet
}

// nearest is the distance of the nearest of a document's vectors, each of two dimensions.
func nearest(v string, q []byte) float64 {
	d := math.Inf(1)
	for c := range slices.Chunk([]byte(v), 8) {
		d = min(d, l2(floats(c), floats(q)))
	}
	return d
}

// putDoc indexes a document of docOf.
func putDoc(ix *Index, name string, version uint64, expireAt int64, d map[string]string) error {
	return ix.PutValues(name, version, expireAt, Extra{}, func(i int) (Value, bool) {
		f := ix.fields[i].Identifier
		v, ok := d[f]
		if f != "v" || !ok {
			return Value{Data: []byte(v)}, ok
		}
		l := slices.Collect(slices.Chunk([]byte(v), 8))
		return Value{Data: l[0], More: l[1:]}, true
	})
}

func (g generator) textNode(in bool) string {
	w := g.word()
	switch g.IntN(9) {
	case 0:
		return `"` + w + " " + g.word() + `"`
	case 1:
		return w[:2] + "*"
	case 2:
		return "*" + w[1:]
	case 3:
		return "*" + w[1:2] + "*"
	case 4:
		return "%" + w + "%"
	case 5:
		return "w'" + w[:1] + "?*'"
	case 6:
		if !in {
			return "@" + []string{"t0", "t1", "t0|t1"}[g.IntN(3)] + ":(" + g.textNode(true) + []string{" ", "|", " -"}[g.IntN(3)] + g.textNode(true) + ")"
		}
	case 7:
		return `"` + w + `"`
	}
	return w
}

func (g generator) queryOf(depth int, vectors bool) string {
	if depth > 0 {
		kid := func() string { return g.queryOf(depth-1, vectors) }
		switch g.IntN(8) {
		case 0, 1:
			return "(" + kid() + " " + kid() + ")"
		case 2:
			return "(" + kid() + " | " + kid() + " | " + kid() + ")"
		case 3:
			return "-" + kid()
		case 4:
			return "(~" + kid() + " " + kid() + ")"
		case 5:
			return fmt.Sprintf("(%s %s)=>{$weight: %d}", kid(), kid(), 1+g.IntN(3))
		case 6:
			return fmt.Sprintf("(%s %s %s)=>{$slop: %d; $inorder: %t}", g.word(), g.word()[:2]+"*", g.textNode(false), g.IntN(4), g.IntN(2) == 0)
		}
	}
	switch g.IntN(14) {
	case 8:
		return fmt.Sprintf("@area:[%s $s]", []string{"WITHIN", "CONTAINS", "INTERSECTS", "DISJOINT"}[g.IntN(4)])
	case 9:
		return fmt.Sprintf("@g0:{%s}", []string{"g*", "*1", "*g*", "w'g?'", "g1|*2|G*"}[g.IntN(5)])
	case 0:
		return fmt.Sprintf("@g0:{g%d|G%d}", g.IntN(7), g.IntN(10))
	case 1:
		return fmt.Sprintf("@g1:{a b%d | c* | w'?%d'}=>{$weight: %d}", g.IntN(3), g.IntN(5), 1+g.IntN(2))
	case 2:
		return fmt.Sprintf("@g0:{g%d}=>{$weight: 2}", g.IntN(7))
	case 3:
		return fmt.Sprintf("@n0:[(%d %d]", g.IntN(9)-1, g.IntN(13))
	case 4:
		return fmt.Sprintf("@n1%s%.2f", []string{"==", "!=", "<", "<=", ">", ">="}[g.IntN(6)], g.NormFloat64())
	case 5:
		return fmt.Sprintf("@loc:[%.2f %.2f %d km]", g.Float64()*4, g.Float64()*4, 1+g.IntN(300))
	case 6:
		return []string{"ismissing(@n1)", "ismissing(@m)", "*"}[g.IntN(3)]
	case 7:
		if vectors {
			return fmt.Sprintf("@v:[VECTOR_RANGE %d $b]", g.IntN(40))
		}
	}
	return g.textNode(false)
}

func TestOracle(t *testing.T) {
	seeds := 3
	n := oracleQueries(2400) / seeds
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			g := generator{rand.New(rand.NewPCG(uint64(seed), 8))}
			for done := 0; done < n; done += 100 {
				testOracle(t, g, min(100, n-done))
				if t.Failed() {
					return
				}
			}
		})
	}
}

func testOracle(t *testing.T, g generator, queries int) {
	x := newTester(t, g.schemaOf())
	stem, _ := attr.NewStemmer("english")
	o := &oracle{schema: x.ix.Schema(), stem: stem, docs: map[string]map[string]string{}}
	versions := map[string]uint64{}
	expires := map[string]int64{}
	now := int64(1000)
	for range queries {
		now += int64(g.IntN(2))
		for range g.IntN(4) {
			name := fmt.Sprint("k", g.IntN(60))
			x.version++
			if g.IntN(5) == 0 {
				x.ix.Delete(name, x.version)
				delete(o.docs, name)
				continue
			}
			d := g.docOf()
			if old := o.docs[name]; old != nil && g.IntN(2) == 0 { // keep the vector
				delete(d, "v")
				if v, ok := old["v"]; ok {
					d["v"] = v
				}
			}
			expires[name] = 0
			if g.IntN(3) == 0 {
				expires[name] = now + int64(g.IntN(9))
			}
			if err := putDoc(x.ix, name, x.version, expires[name], d); err != nil {
				t.Fatal(err)
			}
			o.docs[name], versions[name] = d, x.version
			if g.IntN(6) == 0 { // EXPIRE, PERSIST
				x.version++
				expires[name] = (now + int64(g.IntN(5))) * int64(g.IntN(2))
				if !x.ix.Expire(name, x.version, expires[name]) {
					t.Fatalf("%s is not known", name)
				}
			}
		}
		o.count()
		vectors := g.IntN(4) == 0
		text := g.queryOf(g.IntN(4), vectors)
		params := query.Params{[]byte("b"), blob(float32(g.IntN(9)), float32(g.IntN(9))), []byte("s"), []byte(g.rectOf(0.5).String())}
		k := 0
		if g.IntN(5) == 0 {
			k = 1 + g.IntN(15)
			text = fmt.Sprintf("(%s)=>[KNN %d @v $b AS d]", text, k)
		}
		q, err := query.Parse([]byte(text), query.Options{Params: params, StopWord: x.ix.Schema().StopWord})
		if err != nil {
			t.Fatal(text, err)
		}
		score := map[string]float64{}
		var want []string
		options := Options{Num: -1, WithScores: true, Now: now}
		passes := g.narrow(o, &options)
		for name, d := range o.docs {
			if q.Root == nil {
				break
			}
			if at := expires[name]; at > 0 && at <= now || !passes(name) {
				continue
			}
			w, ok := o.node(q.Root, name)
			if _, has := d["v"]; ok && (k == 0 || has) {
				want, score[name] = append(want, name), w
			}
		}
		o := checkOrder{oracle: o, score: score, versions: versions, q: q, options: options}
		if k == 0 {
			o.options.SortBy = []string{"", "", "n0", "g1", "__key"}[g.IntN(5)]
			o.options.Desc = o.options.SortBy != "" && g.IntN(2) == 0
		}
		if g.IntN(2) == 0 {
			o.options.Offset, o.options.Num = g.IntN(10), 1+g.IntN(12)
		}
		o.options.Load = func(doc, id string) ([]byte, bool) { v, ok := o.docs[doc][id]; return []byte(v), ok }
		res, err := x.ix.Search(q, o.options)
		if err != nil {
			t.Fatal(text, err)
		}
		if err := o.check(res, want, k); err != nil {
			t.Fatalf("%s %+v\nof %d documents: %v", text, o.options, len(o.docs), err)
		}
		res.Release()
	}
}

// narrow draws what options add to a query, and returns which documents pass those.
func (g generator) narrow(o *oracle, to *Options) func(name string) bool {
	o.inFields, o.verbatim = nil, false
	var nodes []*query.Node
	switch g.IntN(12) {
	case 0:
		to.Verbatim, o.verbatim = true, true
	case 1:
		o.inFields = []string{"t0", "t1"}[g.IntN(2):][:1]
		to.InFields = o.inFields
	case 2:
		to.HasInKeys = true
		for range g.IntN(40) {
			to.InKeys = append(to.InKeys, fmt.Sprint("k", g.IntN(60)))
		}
	case 3:
		f := NumericFilter{Field: "n0", Min: float64(g.IntN(6)), Max: float64(6 + g.IntN(6)), MinExcl: g.IntN(2) == 0, MaxExcl: g.IntN(2) == 0}
		to.Filters = []NumericFilter{f}
		nodes = append(nodes, &query.Node{Kind: query.Numeric, Field: "n0", Min: f.Min, Max: f.Max, MinExcl: f.MinExcl, MaxExcl: f.MaxExcl})
	case 4:
		f := GeoFilter{Field: "loc", Lon: g.Float64() * 4, Lat: g.Float64() * 4, Radius: float64(1 + g.IntN(300)), Unit: "km"}
		to.Around = []GeoFilter{f}
		nodes = append(nodes, &query.Node{Kind: query.Geo, Field: "loc", Lon: f.Lon, Lat: f.Lat, Radius: f.Radius, Unit: "km"})
	}
	return func(name string) bool {
		for _, n := range nodes {
			if _, ok := o.node(n, name); !ok {
				return false
			}
		}
		return !to.HasInKeys || slices.Contains(to.InKeys, name)
	}
}

// checkOrder compares a result with what the oracle found.
type checkOrder struct {
	*oracle
	score    map[string]float64
	versions map[string]uint64
	q        *query.Query
	options  Options
}

func (o *checkOrder) check(res *Result, want []string, k int) error {
	dist := func(name string) float64 { return nearest(o.docs[name]["v"], o.q.KNN.Blob) }
	less := func(a, b string) int {
		c := 0
		key := func(field string) (string, string, bool, bool) {
			x, okX := o.docs[a][o.schema.Field(field).Identifier]
			y, okY := o.docs[b][o.schema.Field(field).Identifier]
			return x, y, okX, okY
		}
		switch o.options.SortBy {
		case "__key":
			c = cmp.Compare(a, b)
		case "n0", "g1":
			x, y, okX, okY := key(o.options.SortBy)
			switch {
			case okX != okY && okX:
				return -1
			case okX != okY:
				return 1
			case !okX:
			case o.options.SortBy == "n0":
				p, _ := strconv.Atoi(x)
				q, _ := strconv.Atoi(y)
				c = cmp.Compare(p, q)
			default:
				if f := o.schema.Field("g1"); !f.UNF {
					x, y = strings.ToLower(x), strings.ToLower(y)
				}
				c = cmp.Compare(x, y)
			}
		default:
			if k > 0 {
				c = cmp.Compare(dist(a), dist(b))
			} else if d := o.score[a] - o.score[b]; math.Abs(d) > 1e-9 {
				c = -cmp.Compare(d, 0)
			}
		}
		if c == 0 {
			c = cmp.Compare(o.versions[a], o.versions[b])
		}
		if o.options.Desc {
			c = -c
		}
		return c
	}
	slices.SortFunc(want, less)
	if k > 0 {
		want = want[:min(k, len(want))]
	}
	if res.Total != len(want) {
		var got []string
		for _, r := range res.Rows {
			got = append(got, r.Name)
		}
		return fmt.Errorf("total %d, want %d: %v, want %v", res.Total, len(want), got, want)
	}
	page := want[min(o.options.Offset, len(want)):]
	if o.options.Num >= 0 {
		page = page[:min(o.options.Num, len(page))]
	}
	if len(page) != len(res.Rows) {
		return fmt.Errorf("%d rows, want %d", len(res.Rows), len(page))
	}
	for i, r := range res.Rows {
		if _, ok := o.score[r.Name]; !ok {
			return fmt.Errorf("row %d: %s does not match", i, r.Name)
		}
		if math.Abs(r.Score-o.score[r.Name]) > 1e-9 {
			return fmt.Errorf("row %d: %s scores %v, want %v", i, r.Name, r.Score, o.score[r.Name])
		}
		// Of equal distance any may be among the k; of scores that differ only in
		// the order of a sum, either may come first.
		if r.Name != page[i] && !(k > 0 && dist(r.Name) == dist(page[i])) && !(o.options.SortBy == "" && k == 0 && math.Abs(o.score[r.Name]-o.score[page[i]]) < 1e-9) {
			return fmt.Errorf("row %d is %s, want %s", i, r.Name, page[i])
		}
	}
	return nil
}

// history is what a document has been since the last search began: of the states
// from seen on any may be what a search finds that begins now.
type history struct {
	sync.Mutex
	states []state
	seen   int
}

type state struct {
	d        map[string]string // nil: there is none
	expireAt int64
}

// TestOracleWhileWriting holds that a search finds every document that matches in
// all states it may have seen, and none that matches in none of them, whatever is
// written, deleted and expires meanwhile.
func TestOracleWhileWriting(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 9))}
	x := newIndex(t, g.schemaOf())
	stem, _ := attr.NewStemmer("english")
	const docs, writers = 90, 3
	var all [docs]history
	var version atomic.Uint64
	var now atomic.Int64
	now.Store(1000)
	for i := range all {
		all[i].states = []state{{}}
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			g := generator{rand.New(rand.NewPCG(uint64(w), 10))}
			for !stop.Load() {
				i := g.IntN(docs/writers)*writers + w
				h, name, v := &all[i], fmt.Sprint("k", i), version.Add(1)
				next := state{}
				h.Lock()
				last := h.states[len(h.states)-1] // nobody else writes it
				h.Unlock()
				expiry := last.d != nil && g.IntN(5) == 0
				if expiry {
					next = state{last.d, now.Load() + int64(g.IntN(4))}
				} else if g.IntN(4) > 0 {
					next.d = g.docOf()
					if g.IntN(3) == 0 {
						next.expireAt = now.Load() + int64(g.IntN(4))
					}
				}
				h.Lock()
				h.states = append(h.states, next)
				h.Unlock()
				switch {
				case expiry:
					x.Expire(name, v, next.expireAt)
				case next.d == nil:
					x.Delete(name, v)
				default:
					if err := putDoc(x, name, v, next.expireAt, next.d); err != nil {
						t.Error(err)
						return
					}
				}
				h.Lock()
				h.seen = len(h.states) - 1
				h.Unlock()
			}
		})
	}
	deadline := time.Now().Add(2 * time.Second) // only bounds the work
	n := oracleQueries(1500)
	for range n {
		if os.Getenv("NEARCACHE_ORACLE") == "" && time.Now().After(deadline) {
			break
		}
		text := g.queryOf(g.IntN(3), g.IntN(3) == 0)
		q, err := query.Parse([]byte(text), query.Options{Params: query.Params{[]byte("b"), blob(float32(g.IntN(9)), 4), []byte("s"), []byte(g.rectOf(0.5).String())}, StopWord: x.Schema().StopWord})
		if err != nil {
			t.Fatal(text, err)
		}
		if q.Root == nil {
			continue
		}
		for i := range all {
			h := &all[i]
			h.Lock()
			h.states, h.seen = slices.Clone(h.states[h.seen:]), 0 // what is past is forgotten
			h.Unlock()
		}
		at := now.Add(int64(g.IntN(2)))
		res, err := x.Search(q, Options{Num: -1, Now: at, SortBy: "__key"})
		if err != nil {
			t.Fatal(text, err)
		}
		found := map[string]bool{}
		for _, r := range res.Rows {
			found[r.Name] = true
		}
		if len(found) != len(res.Rows) || res.Total != len(res.Rows) {
			t.Fatalf("%s: total %d of %d rows, %d different", text, res.Total, len(res.Rows), len(found))
		}
		res.Release()
		for i := range all {
			name := fmt.Sprint("k", i)
			h := &all[i]
			h.Lock()
			states := slices.Clone(h.states)
			h.Unlock()
			yes, no := 0, 0
			for _, s := range states {
				o := &oracle{schema: x.Schema(), stem: stem, docs: map[string]map[string]string{name: s.d}}
				if s.d == nil || s.expireAt > 0 && s.expireAt <= at {
					no++
					continue
				}
				o.count()
				if _, ok := o.node(q.Root, name); ok {
					yes++
				} else {
					no++
				}
			}
			if found[name] && yes == 0 || !found[name] && no == 0 {
				t.Fatalf("%s at %d: %s found: %t, of %d states %d match: %v", text, at, name, found[name], len(states), yes, states)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
}
