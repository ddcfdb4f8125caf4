package search

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// Limits of a schema, RediSearch's.
const (
	MaxFields     = 1024
	MaxTextFields = attr.MaxTextFields
)

// maxInitialBytes bounds INITIAL_CAP, which is a hint and never allocated: a
// number beyond it is a mistake.
const maxInitialBytes = 1 << 40

// Error is a mistake in a schema or a request; its text goes on the wire as it is.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// FieldType is the type of a field.
type FieldType uint8

// The types of fields.
const (
	TypeText FieldType = iota
	TypeTag
	TypeNumeric
	TypeGeo
	TypeVector
	TypeShape
)

var typeNames = [...]string{"TEXT", "TAG", "NUMERIC", "GEO", "VECTOR", "GEOSHAPE"}

// String is the type's name in FT.CREATE.
func (t FieldType) String() string { return typeNames[t] }

// Field is one field of a schema.
type Field struct {
	Identifier string // the hash field, or the JSONPath
	Name       string // what queries call it: AS, or the identifier
	Type       FieldType

	Sortable, UNF, NoIndex   bool
	IndexMissing, IndexEmpty bool
	NoStem, SuffixTrie       bool    // TEXT; TAG: SuffixTrie
	Weight                   float64 // TEXT
	Phonetic                 string  // TEXT: "dm:en" and the like, "" for none; all are the same
	Separator                byte    // TAG; 0: none
	CaseSensitive            bool    // TAG
	Flat                     bool    // GEOSHAPE: on the plane, otherwise on the globe

	Algorithm string       // VECTOR: as FT.CREATE names it
	Vector    index.Params // VECTOR
	SVS       SVS          // VECTOR SVS-VAMANA: what is only told by FT.INFO
}

// SVS are parameters of SVS-VAMANA that say nothing to the index that it is here.
type SVS struct {
	Compression       string // "" is none
	TrainingThreshold int
	Reduce            int
}

// kind is the name of the [index.Kind] that the field's vectors are in.
func (f *Field) kind() string {
	if f.Algorithm == svsVamana {
		return "HNSW"
	}
	return f.Algorithm
}

const svsVamana = "SVS-VAMANA"

// compressions are those of SVS-VAMANA and what comes next to them here: how many bits
// a component has while the graph is walked. The vectors themselves are kept as well,
// so the second level, and the fewer dimensions of LeanVec, are not needed.
var compressions = []struct {
	name  string
	quant index.Quant
}{
	{"LVQ8", index.QuantSQ8},
	{"LVQ4", index.QuantSQ4},
	{"LVQ4x4", index.QuantSQ4},
	{"LVQ4x8", index.QuantSQ4},
	{"LeanVec4x8", index.QuantSQ4},
	{"LeanVec8x8", index.QuantSQ8},
}

// Defaults and limits of SVS-VAMANA, RediSearch's.
const (
	svsDegree       = 32
	svsConstruction = 200
	svsSearch       = 10
	svsTraining     = 10 * 1024
	svsMinTraining  = 1024
	svsMaxTraining  = 100 * 1024
)

// svs checks and completes the parameters of SVS-VAMANA.
func (f *Field) svs(seen map[string]bool) error {
	if e := f.Vector.Element; e != index.Float32 && e != index.Float16 {
		return errorf("Not supported data type is given. Expected: FLOAT16, FLOAT32")
	}
	lean := strings.HasPrefix(f.SVS.Compression, "LeanVec")
	switch {
	case seen["TRAINING_THRESHOLD"] && f.SVS.Compression == "":
		return errorf("TRAINING_THRESHOLD is irrelevant when compression was not requested")
	case seen["REDUCE"] && !lean:
		return errorf("REDUCE is irrelevant when compression is not of type LeanVec")
	case f.SVS.Reduce > f.Vector.Dim:
		return errorf("REDUCE (%d) must be at most DIM (%d)", f.SVS.Reduce, f.Vector.Dim)
	}
	if lean && f.SVS.Reduce == 0 {
		f.SVS.Reduce = max(1, f.Vector.Dim/2)
	}
	return nil
}

// Schema says what is indexed of a document, and how.
type Schema struct {
	JSON         bool // of JSON documents: identifiers are paths
	Fields       []Field
	StopWords    []string // used if HasStopWords; otherwise the default list
	HasStopWords bool
	Language     string  // of the stemmer; "" is english
	Score        float64 // of documents that say nothing else; 0 is 1

	// Kept for FT.INFO. Leaving things out of the postings is not imitated.
	NoOffsets, NoHL, NoFields, NoFreqs, MaxTextFields bool
}

// Field finds a field by its name; nil if there is none.
func (s *Schema) Field(name string) *Field {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i]
		}
	}
	return nil
}

// StopWord reports whether queries and documents leave the word out.
func (s *Schema) StopWord(word string) bool {
	if s.HasStopWords {
		return slices.Contains(s.StopWords, word)
	}
	return slices.Contains(attr.DefaultStopWords, word)
}

// Append returns a schema with the fields of add behind its own (FT.ALTER).
func (s *Schema) Append(add *Schema) (*Schema, error) {
	n := *s
	n.Fields = slices.Concat(s.Fields, add.Fields)
	return &n, n.check()
}

func (s *Schema) check() error {
	texts := 0
	seen := make(map[string]struct{}, len(s.Fields))
	for i := range s.Fields {
		f := &s.Fields[i]
		if _, ok := seen[f.Name]; ok {
			return errorf("Duplicate field in schema - %s", f.Name)
		}
		seen[f.Name] = struct{}{}
		if f.Type == TypeText {
			texts++
		}
	}
	if len(s.Fields) > MaxFields {
		return errorf("Schema is limited to %d fields", MaxFields)
	}
	if texts > MaxTextFields {
		return errorf("Schema is limited to %d TEXT fields", MaxTextFields)
	}
	return nil
}

// ParseSchema reads what stands behind SCHEMA in FT.CREATE. The error's text is RediSearch's.
func ParseSchema(args [][]byte) (*Schema, error) { return parseSchema(args, false) }

// ParseJSONSchema is ParseSchema for an index of JSON documents.
func ParseJSONSchema(args [][]byte) (*Schema, error) { return parseSchema(args, true) }

func parseSchema(args [][]byte, json bool) (*Schema, error) {
	p := schemaParser{args: args, separator: ','}
	if json {
		p.separator = 0 // a string is one tag, arrays are there for several
	}
	if len(args) == 0 {
		return nil, errorf("Fields arguments are missing")
	}
	s := &Schema{JSON: json}
	for p.more() {
		if len(s.Fields) > MaxFields {
			break
		}
		f, err := p.field()
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, f)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

type schemaParser struct {
	args      [][]byte
	i         int
	separator byte // of TAG, where none is given
}

func (p *schemaParser) more() bool { return p.i < len(p.args) }

func (p *schemaParser) take() string {
	p.i++
	return string(p.args[p.i-1])
}

func (p *schemaParser) accept(word string) bool {
	if p.more() && len(p.args[p.i]) == len(word) && strings.EqualFold(string(p.args[p.i]), word) {
		p.i++
		return true
	}
	return false
}

func (p *schemaParser) field() (Field, error) {
	f := Field{Identifier: p.take(), Weight: 1, Separator: p.separator}
	f.Name = f.Identifier
	if p.accept("AS") {
		if !p.more() {
			return f, errorf("AS requires an argument")
		}
		f.Name = p.take()
	}
	if !p.more() {
		return f, errorf("Field `%s` does not have a type", f.Name)
	}
	kind := strings.ToUpper(p.take())
	t := slices.Index(typeNames[:], kind)
	if t < 0 {
		return f, errorf("Invalid field type for field `%s`", f.Name)
	}
	f.Type = FieldType(t)
	if f.Type == TypeVector {
		if err := p.vector(&f); err != nil {
			return f, err
		}
	}
	if f.Type == TypeShape {
		if f.Flat = p.accept("FLAT"); !f.Flat {
			p.accept("SPHERICAL")
		}
	}
	for p.more() {
		switch text, tag := f.Type == TypeText, f.Type == TypeTag; {
		case p.accept("SORTABLE"):
			if f.Type == TypeVector {
				return f, errorf("Vector field cannot be sortable")
			}
			if f.Type == TypeShape {
				return f, errorf("Geoshape field cannot be sortable")
			}
			f.Sortable = true
			f.UNF = p.accept("UNF") || f.Type == TypeNumeric || f.Type == TypeGeo || f.CaseSensitive // as in RediSearch
		case p.accept("NOINDEX"):
			f.NoIndex = true
		case p.accept("INDEXMISSING"):
			f.IndexMissing = true
		case (text || tag) && p.accept("INDEXEMPTY"):
			f.IndexEmpty = true
		case (text || tag) && p.accept("WITHSUFFIXTRIE"):
			f.SuffixTrie = true
		case text && p.accept("NOSTEM"):
			f.NoStem = true
		case text && p.accept("WEIGHT"):
			w, err := p.float()
			if err != nil || !(w >= 0) || math.IsInf(w, 0) {
				return f, errorf("Bad arguments for weight: %s", reason(err))
			}
			f.Weight = w
		case text && p.accept("PHONETIC"):
			if !p.more() {
				return f, errorf("PHONETIC requires an argument")
			}
			f.Phonetic = strings.ToLower(p.take())
			if !slices.Contains([]string{"dm:en", "dm:fr", "dm:pt", "dm:es"}, f.Phonetic) {
				return f, errorf("Matcher Format: <2 chars algorithm>:<2 chars language>. Support algorithms: double metaphone (dm). Supported languages: English (en), French (fr), Portuguese (pt) and Spanish (es)")
			}
		case tag && p.accept("SEPARATOR"):
			if !p.more() {
				return f, errorf("SEPARATOR requires an argument")
			}
			sep := p.take()
			if len(sep) != 1 {
				return f, errorf("Tag separator must be a single character. Got `%s`", sep)
			}
			f.Separator = sep[0]
		case tag && p.accept("CASESENSITIVE"):
			f.CaseSensitive = true
			f.UNF = f.Sortable
		default:
			return f, nil
		}
	}
	return f, nil
}

// The reasons of RediSearch's argument reader.
const (
	errNoArg   = "Expected an argument, but none provided"
	errParse   = "Could not convert argument to expected type"
	errBounds  = "Value is outside acceptable bounds"
	errUnknown = "Unknown argument"
)

func reason(err error) string {
	if err != nil {
		return err.Error()
	}
	return errBounds
}

func (p *schemaParser) float() (float64, error) {
	if !p.more() {
		return 0, errorf(errNoArg)
	}
	x, err := strconv.ParseFloat(p.take(), 64)
	if err != nil {
		return 0, errorf(errParse)
	}
	return x, nil
}

// choice reads the name of one of the values, in any case.
func choice[T fmt.Stringer](p *schemaParser, values ...T) (T, error) {
	var none T
	if !p.more() {
		return none, errorf(errNoArg)
	}
	word := p.take()
	for _, v := range values {
		if strings.EqualFold(word, v.String()) {
			return v, nil
		}
	}
	return none, errorf(errUnknown)
}

// limited reads a number as integer does; the error names the limits, which
// RediSearch's text does not.
func (p *schemaParser) limited(minimum, maximum int) (int, error) {
	x, err := p.integer(minimum, maximum)
	if err != nil && err.Error() == errBounds {
		err = errorf("%s (%d to %d)", errBounds, minimum, maximum)
	}
	return x, err
}

// integer reads a number from min to max.
func (p *schemaParser) integer(minimum, maximum int) (int, error) {
	if !p.more() {
		return 0, errorf(errNoArg)
	}
	x, err := strconv.Atoi(p.take())
	if err != nil {
		return 0, errorf(errParse)
	}
	if x < minimum || x > maximum {
		return 0, errorf(errBounds)
	}
	return x, nil
}

// vector reads ALGORITHM count {name value}. The texts are those of RediSearch 8.2.
func (p *schemaParser) vector(f *Field) error {
	if !p.more() {
		return errorf("Bad arguments for vector similarity algorithm: %s", errNoArg)
	}
	f.Algorithm = strings.ToUpper(p.take())
	v := &f.Vector
	switch f.Algorithm {
	case "HNSW":
		v.M, v.EFConstruction, v.EFRuntime, v.Epsilon = 16, 200, 10, 0.01
	case svsVamana:
		v.M, v.EFConstruction, v.EFRuntime, v.Epsilon = svsDegree/2, svsConstruction, svsSearch, 0.01
		f.SVS.TrainingThreshold = svsTraining
	case "FLAT":
	default:
		return errorf("Bad arguments for vector similarity algorithm: %s", errUnknown)
	}
	n, err := p.integer(0, math.MaxInt32)
	if err != nil {
		return errorf("Bad arguments for vector similarity number of parameters: %s", err)
	}
	if n%2 != 0 {
		return errorf("Bad number of arguments for vector similarity index: got %d but expected even number (as algorithm parameters should be submitted as named arguments)", n)
	}
	seen := map[string]bool{}
	for end := p.i + n; p.i < end; {
		if !p.more() {
			return errorf("Expected %d parameters but got %d", n, n-(end-p.i))
		}
		param := strings.ToUpper(p.take())
		if seen[param] {
			return errorf("Bad arguments for algorithm %s: %s was given twice", f.Algorithm, param)
		}
		seen[param] = true
		known, err := p.parameter(f, param)
		if !known {
			return errorf("Bad arguments for algorithm %s: %s", f.Algorithm, param)
		}
		if err != nil {
			return errorf("Bad arguments for vector similarity %s index `%s`: %s", f.Algorithm, param, err)
		}
	}
	for _, must := range []string{"TYPE", "DIM", "DISTANCE_METRIC"} {
		if !seen[must] {
			return errorf("Missing mandatory parameter: cannot create %s index without specifying %s argument", f.Algorithm, must)
		}
	}
	if f.Algorithm == svsVamana {
		if err := f.svs(seen); err != nil {
			return err
		}
	}
	if v.Quant > index.QuantNone && (v.Element == index.Int8 || v.Element == index.Uint8) {
		return errorf("COMPRESSION %s is not supported for %s", v.Quant, v.Element)
	}
	if limit := maxInitialBytes / (v.Dim * v.Element.Size()); v.InitialCap > limit {
		return errorf("Vector index initial capacity %d exceeded server limit (%d with the given parameters)", v.InitialCap, limit)
	}
	return nil
}

// parameter reads the value of one parameter of an algorithm.
func (p *schemaParser) parameter(f *Field, param string) (known bool, err error) {
	v := &f.Vector
	hnsw, svs, flat := f.Algorithm == "HNSW", f.Algorithm == svsVamana, f.Algorithm == "FLAT"
	switch {
	case param == "TYPE":
		v.Element, err = choice(p, index.Float32, index.Float64, index.Float16, index.BFloat16, index.Int8, index.Uint8)
	case param == "DIM":
		v.Dim, err = p.limited(1, index.MaxDim)
	case param == "DISTANCE_METRIC":
		v.Metric, err = choice(p, index.L2, index.IP, index.Cosine)
	case param == "INITIAL_CAP":
		v.InitialCap, err = p.integer(0, math.MaxInt)
	case hnsw && param == "M":
		v.M, err = p.limited(2, index.MaxM)
	case hnsw && param == "EF_CONSTRUCTION":
		v.EFConstruction, err = p.limited(1, query.MaxEF)
	case hnsw && param == "EF_RUNTIME":
		v.EFRuntime, err = p.limited(1, query.MaxEF)
	case (hnsw || svs) && param == "EPSILON":
		v.Epsilon, err = p.float()
		if err == nil && !(v.Epsilon >= 0 && v.Epsilon < math.Inf(1)) {
			err = errorf("%s (0 or more)", errBounds)
		}
	case hnsw && param == "COMPRESSION": // ours; RediSearch has SQ8 under this name
		v.Quant, err = choice(p, index.QuantNone, index.QuantSQ4, index.QuantSQ8, index.QuantSQ8Only, index.QuantBinary)
		if err != nil {
			err = errorf("%s: it is NONE, SQ4, SQ8, SQ8ONLY or BINARY", err)
		}
	case svs && param == "GRAPH_MAX_DEGREE": // level 0 has twice as many links as M says
		v.M, err = p.limited(1, 2*index.MaxM)
		v.M = max(2, (v.M+1)/2)
	case svs && param == "CONSTRUCTION_WINDOW_SIZE":
		v.EFConstruction, err = p.limited(1, query.MaxEF)
	case svs && param == "SEARCH_WINDOW_SIZE":
		v.EFRuntime, err = p.limited(1, query.MaxEF)
	case svs && param == "TRAINING_THRESHOLD":
		f.SVS.TrainingThreshold, err = p.limited(svsMinTraining, svsMaxTraining)
	case svs && param == "REDUCE":
		f.SVS.Reduce, err = p.limited(1, index.MaxDim)
	case svs && param == "COMPRESSION":
		if !p.more() {
			return true, errorf(errNoArg)
		}
		word := p.take()
		for _, c := range compressions {
			if strings.EqualFold(c.name, word) {
				f.SVS.Compression, v.Quant = c.name, c.quant
				return true, nil
			}
		}
		return true, errorf(errUnknown)
	case flat && param == "BLOCK_SIZE":
		v.BlockSize, err = p.limited(1, math.MaxInt32)
	default:
		return false, nil
	}
	return true, err
}
