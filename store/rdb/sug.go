package rdb

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/sug"
)

// Suggestions are RediSearch's trie: how many there are, then of each its text, its
// score and its payload, the strings with a zero byte behind. Version 0 has no payloads,
// version 2 a number of documents behind each; version 1 is read by all that are in use.
const (
	sugName     = "trietype0"
	sugPayloads = 1
	sugNumDocs  = 2
)

func (r *Reader) suggestions(version uint64) object.Object {
	v := sug.New()
	for n := r.unsigned(); n > 0 && r.err == nil; n-- {
		text := bytes.Clone(r.zeroText()) // what is read next may lie where it lay
		score := r.moduleDouble()
		var payload []byte
		if version >= sugPayloads {
			payload = r.zeroText()
		}
		if version >= sugNumDocs {
			r.unsigned()
		}
		if r.err == nil && (!sug.Takes(text) || math.IsNaN(score)) {
			r.fail()
		}
		if r.err == nil {
			v.Add(text, score, false, payload)
		}
	}
	if v.Len() == 0 { // a key holds something
		r.fail()
	}
	return v
}

// zeroText reads a string of a module without the zero byte at its end.
func (r *Reader) zeroText() []byte {
	b := r.moduleText()
	if len(b) == 0 || b[len(b)-1] != 0 {
		r.fail()
		return nil
	}
	return b[:len(b)-1]
}

func (r *Reader) moduleDouble() float64 {
	if r.Length() != moduleDouble {
		r.fail()
		return 0
	}
	return r.Double()
}

func appendSuggestions(b []byte, v *sug.Value, put form) []byte {
	b = appendLength(append(b, typeModule), moduleID(sugName, sugPayloads))
	b = appendLength(appendLength(b, moduleUnsigned), uint64(v.Len()))
	var room []byte
	text := func(s string) {
		room = append(append(room[:0], s...), 0)
		b = put(appendLength(b, moduleString), room)
	}
	v.Each(func(s string, score float32, payload string) {
		text(s)
		b = binary.LittleEndian.AppendUint64(appendLength(b, moduleDouble), math.Float64bits(float64(score)))
		text(payload)
	})
	return appendLength(b, moduleEnd)
}
