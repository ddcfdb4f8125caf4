package search

import (
	"bytes"
	"hash/maphash"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/nearcache/nearcache/index/attr"
)

// prepared is a document's content, read and checked before any lock is taken.
type prepared struct {
	values  [][]byte // by field; nil: the document has none
	numbers []float64
	lats    []float64
	words   attr.TextDoc
	hashes  []uint64 // by vector
	long    bool     // more words and tags than are put at once
	err     error
	bad     int // the field that err speaks of
}

var preparedPool = sync.Pool{New: func() any { return new(prepared) }}

// release gives the memory back, except for what is large or the caller's.
func (p *prepared) release() {
	clear(p.values)
	if p.long {
		p.words = attr.TextDoc{}
	}
	preparedPool.Put(p)
}

var present = []byte{}

func (ix *Index) prepare(field func(string) ([]byte, bool)) *prepared {
	p := preparedPool.Get().(*prepared)
	n := len(ix.fields)
	p.values = append(p.values[:0], make([][]byte, n)...)
	p.numbers = append(p.numbers[:0], make([]float64, n)...)
	p.lats = append(p.lats[:0], make([]float64, n)...)
	p.hashes = append(p.hashes[:0], make([]uint64, len(ix.vecs))...)
	p.words.Reset()
	p.err, p.bad = nil, -1
	tags := 0
	for i := range ix.fields {
		a := &ix.fields[i]
		v, ok := field(a.Identifier)
		if !ok {
			continue
		}
		if v == nil {
			v = present
		}
		if err := p.field(ix, a, i, v); err != nil {
			p.err, p.bad = err, i
			break
		}
		p.values[i] = v
		if a.tags != nil && len(v) > longDoc {
			tags += 1 + bytes.Count(v, []byte{a.Separator})
		}
	}
	p.long = p.words.Len()+tags > longDoc
	return p
}

func (p *prepared) field(ix *Index, a *attribute, i int, v []byte) (err error) {
	switch a.Type {
	case TypeText:
		if !a.NoIndex {
			p.words.Add(a.text, v, ix.stop)
		}
	case TypeNumeric:
		p.numbers[i], err = parseNumber(v)
	case TypeGeo:
		lon, lat, ok := bytes.Cut(v, []byte{','})
		if !ok {
			lon, lat, ok = bytes.Cut(v, []byte{' '})
		}
		x, err1 := parseNumber(bytes.TrimSpace(lon))
		y, err2 := parseNumber(bytes.TrimSpace(lat))
		if !ok || err1 != nil || err2 != nil || math.Abs(x) > 180 || math.Abs(y) > 85.05112878 {
			return errorf("Invalid geo string")
		}
		p.numbers[i], p.lats[i] = x, y
	case TypeVector:
		if want := a.Vector.Dim * a.Vector.Element.Size(); len(v) != want {
			return errorf("Could not add vector with blob size %d (expected size %d)", len(v), want)
		}
		p.hashes[a.vec] = maphash.Bytes(ix.seed, v) | 1
	}
	return err
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
