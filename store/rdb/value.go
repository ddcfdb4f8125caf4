package rdb

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/json"
	"github.com/nearcache/nearcache/store/types/list"
	"github.com/nearcache/nearcache/store/types/set"
	"github.com/nearcache/nearcache/store/types/str"
	"github.com/nearcache/nearcache/store/types/stream"
	"github.com/nearcache/nearcache/store/types/sug"
	"github.com/nearcache/nearcache/store/types/vset"
	"github.com/nearcache/nearcache/store/types/zset"
)

// The types of values, with the version that brought each since Redis 7.0.
const (
	typeString         = 0
	typeList           = 1
	typeSet            = 2
	typeZSet           = 3
	typeHash           = 4
	typeZSet2          = 5
	typeModule         = 7
	typeHashZipmap     = 9
	typeListZiplist    = 10
	typeSetIntset      = 11
	typeZSetZiplist    = 12
	typeHashZiplist    = 13
	typeListQuicklist  = 14
	typeStream         = 15
	typeHashListpack   = 16 // 10
	typeZSetListpack   = 17 // 10
	typeListQuicklist2 = 18 // 10
	typeStream2        = 19 // 10
	typeSetListpack    = 20 // 11
	typeStream3        = 21 // 11
	typeHashTTLOld     = 22 // Redis 7.4 before its release; in Valkey 9 a hash of names, values and times
	typeHashPackOld    = 23 // Redis 7.4 before its release
	typeHashTTL        = 24 // 12
	typeHashPackTTL    = 25 // 12
	typeStream4        = 26 // 13
	typeStream5        = 27 // 14
	typeArray          = 28 // 14
	typeHashTemplateLP = 29 // 15, and the following
	typeHashTemplateID = 30
	typeHashTemplate   = 31
	typeHashTemplateIA = 32
)

// Versions.
const (
	// Version is the newest version of Redis that is read.
	Version = 15

	version70 = 10
	version72 = 11
	version74 = 12
	version86 = 13
	version88 = 14

	versionValkey    = 80 // Valkey 9; Redis will not come there soon
	versionValkeyMax = 89
)

// ErrEmpty is what Value returns for a value without elements: no key may have it.
// The reader stands behind it and can go on.
var ErrEmpty = fmt.Errorf("%w: no elements", ErrFormat)

// errType says that a type of value is not known.
var errType = fmt.Errorf("%w: a type of value that is not known", ErrFormat)

// ErrUnsupported is what Append returns for a value that has no form in an RDB.
var ErrUnsupported = errors.New("rdb: no form of this type of value")

// Value reads a value of a type.
func (r *Reader) Value(typ byte) (object.Object, error) {
	var o object.Object
	switch typ {
	case typeString:
		o = str.Copy(r.String())
	case typeList, typeListZiplist, typeListQuicklist, typeListQuicklist2:
		o = r.list(typ)
	case typeSet, typeSetIntset, typeSetListpack:
		o = r.set(typ)
	case typeZSet, typeZSet2, typeZSetZiplist, typeZSetListpack:
		o = r.zset(typ)
	case typeHash, typeHashZipmap, typeHashZiplist, typeHashListpack, typeHashTTLOld, typeHashPackOld, typeHashTTL, typeHashPackTTL,
		typeHashTemplateLP, typeHashTemplateID, typeHashTemplate, typeHashTemplateIA:
		o = r.hash(typ)
	case typeStream, typeStream2, typeStream3, typeStream4, typeStream5:
		o = r.stream(typ)
	case typeModule:
		id := r.Length()
		if r.err == nil {
			o, r.err = r.module(id)
		}
	default:
		if r.err == nil {
			r.err = errType
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if empty(o) {
		return nil, ErrEmpty
	}
	return o, nil
}

func empty(o object.Object) bool {
	c, ok := o.(interface{ Len() int })
	return ok && c.Len() == 0
}

// Append appends the type of a value and the value. It returns the version that
// a reader must know.
func Append(b []byte, o object.Object) (_ []byte, version int, err error) {
	return AppendFor(b, o, Version)
}

// AppendFor is Append for a reader of a version, from 10 on.
func AppendFor(b []byte, o object.Object, newest int) (_ []byte, version int, err error) {
	return appendAs(b, o, newest, AppendString)
}

// form is how strings are appended: AppendString, or appendUnpacked.
type form func(b, s []byte) []byte

func appendAs(b []byte, o object.Object, newest int, put form) (_ []byte, version int, err error) {
	from := len(b)
	switch v := o.(type) {
	case *str.Value:
		return put(append(b, typeString), v.B), version70, nil
	case *list.Value:
		return appendList(b, v, put), version70, nil
	case *set.Value:
		b, version = appendSet(b, v, newest, put)
	case *zset.Value:
		return appendZSet(b, v, put), version70, nil
	case *hash.Value:
		b, version = appendHash(b, v, put)
	case *stream.Value:
		b, version = appendStream(b, v, newest, put)
	case *json.Value:
		return appendJSON(b, v, put), version70, nil
	case *sug.Value:
		return appendSuggestions(b, v, put), version70, nil
	case *vset.Value:
		b, err = appendVSet(b, v, put)
		return b, version70, err
	default:
		return b, 0, fmt.Errorf("%w: %s", ErrUnsupported, o.Type().Name)
	}
	if version > newest {
		return b[:from], version, fmt.Errorf("%w in version %d: this %s needs version %d", ErrUnsupported, newest, o.Type().Name, version)
	}
	return b, version, nil
}

// ---- lists

func (r *Reader) list(typ byte) object.Object {
	var l list.Loader
	add := func(w elements) {
		var room [24]byte
		for e, ok := w.read(); ok; e, ok = w.read() {
			l.Add(e.bytes(&room))
		}
		if !w.done() {
			r.fail()
		}
	}
	switch typ {
	case typeList:
		for n := r.count(); n > 0 && r.err == nil; n-- {
			if s := r.String(); r.err == nil {
				l.Add(s)
			}
		}
	case typeListZiplist:
		if s := r.String(); r.err == nil {
			add(ziplist(s))
		}
	default:
		for n := r.count(); n > 0 && r.err == nil; n-- {
			l.EndNode()
			kind := uint64(nodePacked)
			if typ == typeListQuicklist2 {
				kind = r.Length()
			}
			switch s := r.String(); {
			case r.err != nil:
			case len(s) == 0 || kind != nodePlain && kind != nodePacked:
				r.fail()
			case kind == nodePlain:
				l.AddPlain(s)
			case typ == typeListQuicklist:
				add(ziplist(s))
			default:
				add(listpack(s))
			}
		}
	}
	return l.End()
}

// The kinds of the nodes of a list.
const (
	nodePlain  = 1
	nodePacked = 2
)

func appendList(b []byte, v *list.Value, put form) []byte {
	nodes := 0
	v.EachNode(func([]byte, int, bool) { nodes++ })
	b = appendLength(append(b, typeListQuicklist2), uint64(nodes))
	var w listpackWriter
	v.EachNode(func(entries []byte, n int, plain bool) {
		if plain {
			b = put(appendLength(b, nodePlain), entries)
			return
		}
		w = newListpack(w.b[:0])
		w.b, w.n = append(w.b, entries...), n
		b = put(appendLength(b, nodePacked), w.end())
	})
	return b
}

// ---- sets

func (r *Reader) set(typ byte) object.Object {
	v := new(set.Value)
	add := func(s []byte) {
		if !v.Add(s) {
			r.fail() // twice
		}
	}
	all := func(w elements) {
		var room [24]byte
		for e, ok := w.read(); ok && r.err == nil; e, ok = w.read() {
			add(e.bytes(&room))
		}
		if !w.done() {
			r.fail()
		}
	}
	switch typ {
	case typeSet:
		n := r.count()
		v.Expect(n)
		for ; n > 0 && r.err == nil; n-- {
			if s := r.String(); r.err == nil {
				add(s)
			}
		}
	case typeSetIntset:
		if s := r.String(); r.err == nil {
			all(intset(s))
		}
	default:
		v = set.NewListpack()
		if s := r.String(); r.err == nil {
			all(listpack(s))
		}
	}
	return v
}

func appendSet(b []byte, v *set.Value, newest int, put form) ([]byte, int) {
	switch e := v.Encoding(); {
	case e == "intset":
		return put(append(b, typeSetIntset), appendIntset(nil, v)), version70
	case e == "listpack" && newest >= version72:
		w := newListpack(nil)
		v.Each(func(m []byte) bool {
			w.add(m)
			return true
		})
		return put(append(b, typeSetListpack), w.end()), version72
	}
	b = appendLength(append(b, typeSet), uint64(v.Len()))
	v.Each(func(m []byte) bool {
		b = put(b, m)
		return true
	})
	return b, version70
}

// ---- sorted sets

func (r *Reader) zset(typ byte) object.Object {
	v := zset.New(0, 0)
	add := func(member []byte, score float64) {
		if math.IsNaN(score) {
			r.fail()
		} else if added, _ := v.Set(member, score); !added {
			r.fail() // twice
		}
	}
	switch typ {
	case typeZSet, typeZSet2:
		// A skiplist until all is there, as in Redis: it alone knows -0.
		n := r.count()
		v = zset.New(n, math.MaxInt)
		var member []byte
		for ; n > 0 && r.err == nil; n-- {
			member = append(member[:0], r.String()...)
			score := 0.0
			if typ == typeZSet {
				score = r.oldDouble()
			} else {
				score = r.Double()
			}
			if r.err == nil {
				add(member, score)
			}
		}
		v.Settle()
	default:
		s := r.String()
		if r.err != nil {
			return v
		}
		w := listpack(s)
		if typ == typeZSetZiplist {
			w = ziplist(s)
		}
		var room [24]byte
		for m, ok := w.read(); ok && r.err == nil; m, ok = w.read() {
			e, more := w.read()
			score, isScore := scoreOf(e)
			if !more || !isScore {
				r.fail()
				break
			}
			add(m.bytes(&room), score)
		}
		if !w.done() {
			r.fail()
		}
	}
	return v
}

// scoreOf reads a score in its printed form.
func scoreOf(e element) (float64, bool) {
	if e.isInt {
		return float64(e.n), true
	}
	if len(e.b) > 128 {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(e.b), 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

func appendZSet(b []byte, v *zset.Value, put form) []byte {
	if v.Encoding() == "listpack" {
		w := newListpack(nil)
		var text [32]byte
		for it := v.From(0, false); it.Next(); {
			w.add(it.Member())
			w.add(appendScore(text[:0], it.Score()))
		}
		return put(append(b, typeZSetListpack), w.end())
	}
	b = appendLength(append(b, typeZSet2), uint64(v.Len()))
	for it := v.From(v.Len()-1, true); it.Next(); { // the greatest first, as Redis does
		b = appendDouble(put(b, it.Member()), it.Score())
	}
	return b
}

// appendScore appends a score so that Redis reads the same one back.
func appendScore(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		if f == 0 && math.Signbit(f) {
			return append(b, "-0"...)
		}
		return strconv.AppendInt(b, int64(f), 10)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}
