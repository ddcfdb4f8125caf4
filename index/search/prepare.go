package search

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/nearcache/nearcache/index/attr"
)

// prepared is a document's content, read and checked before any lock is taken.
type prepared struct {
	values  [][]byte // by field; nil: the document has none
	numbers []float64
	places  []attr.Place
	others  map[int]others // of fields with several values: those behind the first; and shapes
	words   attr.TextDoc
	hashes  []uint64 // by vector
	extra   Extra
	long    bool // more words and tags than are put at once
	err     error
	bad     int // the field that err speaks of
}

// others are values of a field behind its first.
type others struct {
	values  [][]byte
	numbers []float64
	places  []attr.Place
	shape   *attr.Shape // which is the first
}

var preparedPool = sync.Pool{New: func() any { return new(prepared) }}

// release gives the memory back, except for what is large or the caller's.
func (p *prepared) release() {
	clear(p.values)
	p.others, p.extra = nil, Extra{}
	if p.long {
		p.words = attr.TextDoc{}
	}
	preparedPool.Put(p)
}

var present = []byte{}

func (ix *Index) prepare(value func(field int) (Value, bool)) *prepared {
	p := preparedPool.Get().(*prepared)
	n := len(ix.fields)
	p.values = append(p.values[:0], make([][]byte, n)...)
	p.numbers = append(p.numbers[:0], make([]float64, n)...)
	p.places = append(p.places[:0], make([]attr.Place, n)...)
	p.hashes = append(p.hashes[:0], make([]uint64, len(ix.vecs))...)
	p.words.Reset()
	p.err, p.bad = nil, -1
	tags := 0
	for i, a := range ix.fields {
		v, ok := value(i)
		if !ok {
			continue
		}
		if v.Data == nil {
			v.Data = present
		}
		if err := p.field(ix, a, i, &v); err != nil {
			p.err, p.bad = err, i
			break
		}
		p.values[i] = v.Data
		if a.tags != nil && len(v.Data) > longDoc {
			tags += 1 + bytes.Count(v.Data, []byte{a.Separator})
		}
		for _, more := range v.More {
			if a.tags == nil {
				break
			}
			tags += 1 + bytes.Count(more, []byte{a.Separator})
		}
	}
	p.long = p.words.Len()+tags > longDoc
	return p
}

func (p *prepared) field(ix *Index, a *attribute, i int, v *Value) (err error) {
	if v.Err != nil {
		return v.Err
	}
	var more others
	switch a.Type {
	case TypeText:
		if a.NoIndex {
			break
		}
		p.text(ix, a, v.Data)
		for _, d := range v.More {
			p.text(ix, a, d)
		}
	case TypeTag:
		more.values = v.More
	case TypeNumeric:
		if v.Numbers == nil {
			p.numbers[i], err = parseNumber(v.Data)
			break
		}
		p.numbers[i], more.numbers = v.Numbers[0], v.Numbers[1:]
	case TypeGeo:
		if p.places[i], err = parsePlace(v.Data); err != nil {
			return err
		}
		for _, d := range v.More {
			at, err := parsePlace(d)
			if err != nil {
				return err
			}
			more.places = append(more.places, at)
		}
	case TypeShape:
		if len(v.More) > 0 {
			return errorf("A GEOSHAPE field has one shape")
		}
		if more.shape, err = attr.ParseShape(v.Data, !a.Flat); err != nil {
			return errorf("Error indexing geoshape: %s", err)
		}
	case TypeVector:
		hash := ix.key
		for i := -1; i < len(v.More); i++ {
			d := v.Data
			if i >= 0 {
				d = v.More[i]
			}
			if want := a.Vector.Dim * a.Vector.Element.Size(); len(d) != want {
				return errorf("Could not add vector with blob size %d (expected size %d)", len(d), want)
			}
			hash = xxh3.HashSeed(d, hash)
		}
		p.hashes[a.vec], more.values = hash|1, v.More
	}
	if more.shape != nil || len(more.values)+len(more.numbers)+len(more.places) > 0 {
		if p.others == nil {
			p.others = map[int]others{}
		}
		p.others[i] = more
	}
	return err
}

// text adds the words of a value.
func (p *prepared) text(ix *Index, a *attribute, v []byte) {
	if a.IndexEmpty && len(v) == 0 {
		p.words.AddEmpty(a.text)
		return
	}
	p.words.Add(a.text, v, ix.stop)
}

func parsePlace(v []byte) (attr.Place, error) {
	lon, lat, ok := bytes.Cut(v, []byte{','})
	if !ok {
		lon, lat, ok = bytes.Cut(v, []byte{' '})
	}
	x, err1 := parseNumber(bytes.TrimSpace(lon))
	y, err2 := parseNumber(bytes.TrimSpace(lat))
	if !ok || err1 != nil || err2 != nil || math.Abs(x) > 180 || math.Abs(y) > 85.05112878 {
		return attr.Place{}, errorf("Invalid geo string")
	}
	return attr.Place{Lon: x, Lat: y}, nil
}

func parseNumber(v []byte) (float64, error) {
	if len(v) > 0 && len(v) <= 400 && bytes.IndexByte(v, '_') < 0 {
		x, err := strconv.ParseFloat(string(v), 64)
		if (err == nil || math.IsInf(x, 0)) && !math.IsNaN(x) {
			return x, nil
		}
	}
	if len(v) > 64 {
		v = v[:64]
	}
	return 0, errorf("Invalid numeric value: '%s'", v)
}

// sortValue is a value as SORTBY compares it: without UNF in lower case.
func (a *attribute) sortValue(v []byte) string {
	if a.UNF {
		return string(v)
	}
	return strings.ToLower(string(v))
}
