package searchtest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
)

// Generator draws schemas, documents and queries.
type Generator struct{ *rand.Rand }

// NewGenerator returns one that always draws the same from a seed.
func NewGenerator(seed, stream uint64) Generator {
	return Generator{rand.New(rand.NewPCG(seed, stream))}
}

// Words of one stem, of one sound (park, parc and parke, whose stem is park), and a stop word.
var vocabulary = strings.Fields("run running runs fast faster park parks parc parke the car cars kar blue bloo dog dogs jump jumping")

// Queries is how many are to be asked: NEARCACHE_ORACLE, or as many as usual.
func Queries(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("NEARCACHE_ORACLE")); err == nil {
		return n
	}
	return usual
}

// Seed is NEARCACHE_SEED, or 0.
func Seed() uint64 {
	n, _ := strconv.ParseUint(os.Getenv("NEARCACHE_SEED"), 10, 64)
	return n
}

// Word is a word of documents and queries.
func (g Generator) Word() string { return vocabulary[g.IntN(len(vocabulary))] }

func (g Generator) text(n int) string {
	var s []string
	for range g.IntN(n + 1) {
		s = append(s, g.Word())
	}
	return strings.Join(s, " ")
}

func (g Generator) of(l ...string) string { return l[g.IntN(len(l))] }

// Schema is what stands behind SCHEMA; every type of field occurs. In JSON the paths
// match an array, or each of its values.
func (g Generator) Schema(json bool) string {
	var s []string
	field := func(identifier, name string, options ...string) {
		if json {
			identifier = "$." + name
			switch name {
			case "area":
			case "v": // the path of an array is one vector
				identifier += "[*]"
			default:
				identifier += g.of("", "[*]")
			}
		}
		s = append(s, identifier, "AS", name, options[0])
		for _, o := range options[1:] {
			if g.IntN(2) == 0 {
				s = append(s, o)
			}
		}
	}
	field("t0", "t0", "TEXT", "WEIGHT 5", "WITHSUFFIXTRIE", "INDEXEMPTY", "INDEXMISSING", "PHONETIC dm:en")
	field("x", "t1", "TEXT NOSTEM", "WEIGHT 2.5", "INDEXEMPTY", "INDEXMISSING", "PHONETIC dm:en")
	field("g0", "g0", "TAG", "CASESENSITIVE", "WITHSUFFIXTRIE", "INDEXEMPTY", "INDEXMISSING")
	field("y", "g1", "TAG SEPARATOR ;", "WITHSUFFIXTRIE", "INDEXEMPTY", "INDEXMISSING", g.of("SORTABLE", "SORTABLE UNF"))
	field("n0", "n0", "NUMERIC", "SORTABLE", "INDEXMISSING")
	field("n1", "n1", "NUMERIC", "SORTABLE", "INDEXMISSING")
	field("loc", "loc", "GEO", "INDEXMISSING")
	field("area", "area", "GEOSHAPE FLAT", "INDEXMISSING")
	field("v", "v", "VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2", "INDEXMISSING")
	return strings.Join(s, " ")
}

// Doc draws a document. A vector, and with several every value but a shape, may have others beside it.
func (g Generator) Doc(several bool) Doc {
	d := Doc{}
	set := func(f string, several bool, value func() string) {
		if g.IntN(4) == 0 {
			return
		}
		d[f] = []string{value()}
		for several && g.IntN(2) == 0 {
			d[f] = append(d[f], value())
		}
	}
	set("t0", several, func() string { return g.text(9) })
	set("t1", several, func() string { return g.text(5) })
	set("g0", several, func() string {
		return g.of("", fmt.Sprint("G", g.IntN(3)), fmt.Sprintf("g%d,G%d", g.IntN(6), g.IntN(9)))
	})
	set("g1", several, func() string { return fmt.Sprintf("a b%d;%s c%d", g.IntN(3), g.of("", "", ";"), g.IntN(5)) })
	set("n0", several, func() string { return strconv.Itoa(g.IntN(12)) })
	set("n1", several, func() string { return strconv.FormatFloat(math.Round(g.NormFloat64()*100)/100, 'g', -1, 64) })
	set("loc", several, func() string { return fmt.Sprintf("%.3f,%.3f", g.Float64()*4, g.Float64()*4) })
	set("area", false, g.rect(0).String)
	set("v", true, func() string { return string(point(float32(g.IntN(9)), float32(g.IntN(9)))) })
	return d
}

func (g Generator) rect(shift float64) rect {
	x, y := float64(g.IntN(12))+shift, float64(g.IntN(12))+shift
	return rect{x, y, x + 1 + float64(g.IntN(6)), y + 1 + float64(g.IntN(6))}
}

// Value is what the document has in a field, as an index is given it.
func (d Doc) Value(f *search.Field) (v search.Value, ok bool) {
	l := d[f.Name]
	for i, s := range l {
		switch {
		case f.Type == search.TypeNumeric && len(l) > 1:
			x, _ := strconv.ParseFloat(s, 64)
			v.Numbers = append(v.Numbers, x)
		case i > 0:
			v.More = append(v.More, []byte(s))
		}
	}
	if len(l) > 0 {
		v.Data = []byte(l[0])
	}
	return v, len(l) > 0
}

// JSON is the document for paths of the schema. What is missing is so in one of the ways there are.
func (d Doc) JSON(g Generator, s *search.Schema) string {
	doc := map[string]any{}
	for i := range s.Fields {
		f := &s.Fields[i]
		var l []any
		for _, v := range d[f.Name] {
			switch f.Type {
			case search.TypeNumeric:
				l = append(l, json.Number(v))
			case search.TypeVector:
				x, y := pointOf(v)
				l = append(l, []float32{x, y})
			default:
				l = append(l, v)
			}
		}
		each := strings.HasSuffix(f.Identifier, "[*]")
		switch {
		case l == nil && each:
			doc[f.Name] = []any{[]any{}, nil, []any{nil}}[g.IntN(3)]
		case l == nil && g.IntN(2) == 0:
			doc[f.Name] = nil
		case l == nil:
		case each || len(l) > 1 || f.Type != search.TypeShape && g.IntN(2) == 0:
			doc[f.Name] = l
		default:
			doc[f.Name] = l[0]
		}
	}
	b, _ := json.Marshal(doc)
	return string(b)
}

// Params are what queries name: $b, a vector, and $s, a shape.
func (g Generator) Params() query.Params {
	return query.Params{[]byte("b"), point(float32(g.IntN(9)), float32(g.IntN(9))), []byte("s"), []byte(g.rect(0.5).String())}
}

func (g Generator) textNode(in bool) string {
	w := g.Word()
	switch g.IntN(11) {
	case 0:
		return `"` + w + " " + g.Word() + `"`
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
			return "@" + g.of("t0", "t1", "t0|t1") + ":(" + g.textNode(true) + g.of(" ", "|", " -") + g.textNode(true) + ")"
		}
	case 7:
		return `"` + w + `"`
	case 8:
		return "(" + w + ")=>{$phonetic: " + g.of("true", "false") + "}"
	}
	return w
}

// optional asks for a field that has INDEXEMPTY or INDEXMISSING to be empty or missing.
func (g Generator) optional(s *search.Schema) string {
	f := &s.Fields[g.IntN(len(s.Fields))]
	switch {
	case f.IndexMissing && g.IntN(2) == 0:
		return "ismissing(@" + f.Name + ")"
	case !f.IndexEmpty:
		return `""`
	case f.Type == search.TypeTag:
		return "@" + f.Name + `:{""}`
	}
	return "@" + f.Name + `:("")`
}

// Query draws a query of that depth, with ranges of vectors or not.
func (g Generator) Query(s *search.Schema, depth int, vectors bool) string {
	if depth > 0 {
		kid := func() string { return g.Query(s, depth-1, vectors) }
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
			return fmt.Sprintf("(%s %s %s)=>{$slop: %d; $inorder: %t}", g.Word(), g.Word()[:2]+"*", g.textNode(false), g.IntN(4), g.IntN(2) == 0)
		}
	}
	switch g.IntN(16) {
	case 0:
		return fmt.Sprintf("@g0:{g%d|G%d}", g.IntN(7), g.IntN(10))
	case 1:
		return fmt.Sprintf("@g1:{a b%d | c* | w'?%d'}=>{$weight: %d}", g.IntN(3), g.IntN(5), 1+g.IntN(2))
	case 2:
		return fmt.Sprintf("@g0:{g%d}=>{$weight: 2}", g.IntN(7))
	case 3:
		n := g.IntN(9) - 1
		return fmt.Sprintf("@n0:[(%d %d]", n, n+g.IntN(13-n))
	case 4:
		return fmt.Sprintf("@n1%s%.2f", g.of("==", "!=", "<", "<=", ">", ">="), g.NormFloat64())
	case 5:
		return fmt.Sprintf("@loc:[%.2f %.2f %d km]", g.Float64()*4, g.Float64()*4, 1+g.IntN(300))
	case 6:
		return "*"
	case 7:
		if vectors {
			return fmt.Sprintf("@v:[VECTOR_RANGE %d $b]", g.IntN(40))
		}
	case 8:
		return fmt.Sprintf("@area:[%s $s]", g.of("WITHIN", "CONTAINS", "INTERSECTS", "DISJOINT"))
	case 9:
		return fmt.Sprintf("@g0:{%s}", g.of("g*", "*1", "*g*", "w'g?'", "g1|*2|G*"))
	case 10, 11:
		return g.optional(s)
	}
	return g.textNode(false)
}
