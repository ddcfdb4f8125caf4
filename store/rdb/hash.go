package rdb

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/hash"
)

// hashReader collects a hash.
type hashReader struct {
	*Reader
	v    *hash.Value
	name []byte // room for a name while its value is read
	text [2][24]byte
}

// set adds a field, which dies at a Unix time in ms, 0 for never.
func (r *hashReader) set(name, value []byte, at int64) {
	if r.err != nil {
		return
	}
	if !r.v.Set(name, value) {
		r.fail() // twice
	}
	if at != 0 {
		r.v.SetExpiry(name, at)
	}
}

// pair reads a name and a value and adds them.
func (r *hashReader) pair(at int64) {
	r.name = append(r.name[:0], r.String()...)
	if value := r.String(); r.err == nil {
		r.set(r.name, value, at)
	}
}

// packed adds what stands in one string: names and values in turn, with times
// where there are three elements a field.
func (r *hashReader) packed(w elements, perField int) {
	for e, ok := w.read(); ok && r.err == nil; e, ok = w.read() {
		value, more := w.read()
		at := int64(0)
		if perField == 3 {
			var t element
			var isTime bool
			t, more = w.read()
			if at, isTime = t.int(); !isTime || at < 0 || at > maxFieldTime {
				r.fail()
			}
		}
		if !more {
			r.fail()
		}
		r.set(e.bytes(&r.text[0]), value.bytes(&r.text[1]), at)
	}
	if !w.done() {
		r.fail()
	}
}

// maxFieldTime is the last moment that a field may die at.
const maxFieldTime = 1<<48 - 1

func (r *Reader) hash(typ byte) object.Object {
	h := hashReader{Reader: r, v: hash.New()}
	h.read(typ)
	return h.v
}

func (r *hashReader) read(typ byte) {
	switch typ {
	case typeHash:
		n := r.count()
		for r.v.Expect(n); n > 0 && r.err == nil; n-- {
			r.pair(0)
		}
	case typeHashTTLOld, typeHashTTL:
		r.timed(typ)
	case typeHashZipmap:
		if s := r.String(); r.err == nil {
			r.packed(zipmap(s), 2)
		}
	case typeHashZiplist:
		if s := r.String(); r.err == nil {
			r.packed(ziplist(s), 2)
		}
	case typeHashListpack:
		if s := r.String(); r.err == nil {
			r.packed(listpack(s), 2)
		}
	case typeHashPackTTL, typeHashPackOld:
		if typ == typeHashPackTTL {
			r.Millis() // when the first field dies
		}
		if s := r.String(); r.err == nil {
			r.v.Time()
			r.packed(listpack(s), 3)
		}
	default:
		r.template(typ)
	}
}

// timed reads a hash of which each field has a time.
func (r *hashReader) timed(typ byte) {
	valkey := typ == typeHashTTLOld && r.Version >= versionValkey
	first := int64(0)
	if typ == typeHashTTL {
		if first = r.Millis(); first < 0 || first > maxFieldTime {
			r.fail()
		}
	}
	r.v.Time()
	n := r.count()
	for r.v.Expect(n); n > 0 && r.err == nil; n-- {
		if valkey { // the time comes last, -1 for none
			r.name = append(r.name[:0], r.String()...)
			value := slices.Clone(r.String())
			at := r.Millis()
			if at < -1 || at > maxFieldTime {
				r.fail()
			}
			r.set(r.name, value, max(at, 0))
			continue
		}
		at := r.Length()
		if at != 0 && typ == typeHashTTL { // counted from the first one, which is 1
			at += uint64(first) - 1
		}
		if at > maxFieldTime {
			r.fail()
		}
		r.pair(int64(at))
	}
}

// template reads a hash whose names stand by themselves: before the values, or
// for all hashes that have them at the file's beginning.
func (r *hashReader) template(typ byte) {
	var names [][]byte
	switch typ {
	case typeHashTemplateLP, typeHashTemplate:
		names = r.names()
	case typeHashTemplateIA:
		names = r.Templates[r.Length()]
	}
	if typ == typeHashTemplate || typ == typeHashTemplateIA {
		if len(names) == 0 {
			r.fail()
		}
		for _, name := range names {
			if value := r.String(); r.err == nil {
				r.set(name, value, 0)
			}
		}
		return
	}
	s := r.String()
	if r.err != nil {
		return
	}
	w := listpack(s)
	e, _ := w.read() // the number of the template
	id, isInt := e.int()
	if typ == typeHashTemplateID {
		names = r.Templates[uint64(id)]
	}
	if !isInt || id < 0 || len(names) == 0 {
		r.fail()
		return
	}
	for _, name := range names {
		value, ok := w.read()
		if !ok {
			r.fail()
			return
		}
		r.set(name, value.bytes(&r.text[1]), 0)
	}
	if !w.done() {
		r.fail()
	}
}

// names reads the names of a template, which must ascend.
func (r *hashReader) names() (names [][]byte) {
	switch r.Length() {
	case 0:
		s := r.String()
		if r.err != nil {
			return nil
		}
		w := listpack(s)
		for e, ok := w.read(); ok; e, ok = w.read() {
			names = append(names, slices.Clone(e.bytes(&r.text[0])))
		}
		if !w.done() {
			r.fail()
		}
	case 1:
		for n := r.count(); n > 0 && r.err == nil; n-- {
			names = append(names, slices.Clone(r.String()))
		}
	default:
		r.fail()
	}
	if !ascend(names) {
		r.fail()
	}
	return names
}

func ascend(names [][]byte) bool {
	for i := 1; i < len(names); i++ {
		if c := cmp.Compare(len(names[i-1]), len(names[i])); c > 0 || c == 0 && bytes.Compare(names[i-1], names[i]) >= 0 {
			return false
		}
	}
	return len(names) > 0
}

// Template reads the names of one of Templates, as an RDB file lists them: the
// number, how many names, the names.
func (r *Reader) Template() {
	id := r.Length()
	var names [][]byte
	for n := r.count(); n > 0 && r.err == nil; n-- {
		names = append(names, slices.Clone(r.String()))
	}
	if _, twice := r.Templates[id]; twice || id > math.MaxInt64 || !ascend(names) {
		r.fail()
		return
	}
	if r.Templates == nil {
		r.Templates = map[uint64][][]byte{}
	}
	r.Templates[id] = names
}

func appendHash(b []byte, v *hash.Value, put form) ([]byte, int) {
	first := v.NextExpiry()
	when := func(name string) int64 {
		at, _ := v.Expiry([]byte(name))
		return at
	}
	if v.Encoding() != "hashtable" {
		timed := v.Encoding() == "listpackex"
		w := newListpack(nil)
		v.Each(func(name string, value []byte) bool {
			w.add([]byte(name))
			w.add(value)
			if timed {
				w.int(when(name))
			}
			return true
		})
		if timed {
			return put(appendMillis(append(b, typeHashPackTTL), first), w.end()), version74
		}
		return put(append(b, typeHashListpack), w.end()), version70
	}
	version := version70
	if first == 0 {
		b = append(b, typeHash)
	} else {
		b, version = appendMillis(append(b, typeHashTTL), first), version74
	}
	b = appendLength(b, uint64(v.Len()))
	v.Each(func(name string, value []byte) bool {
		if first != 0 {
			at := when(name)
			if at != 0 {
				at -= first - 1
			}
			b = appendLength(b, uint64(at))
		}
		b = put(put(b, []byte(name)), value)
		return true
	})
	return b, version
}
