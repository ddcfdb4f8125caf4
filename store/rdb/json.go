package rdb

import (
	"fmt"
	"slices"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/json"
)

// A module's value begins with the module's name, of nine letters of six bits,
// and its version; its parts are told by opcodes. RedisJSON writes a document as
// its text.
const (
	moduleLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

	moduleEnd      = 0
	moduleSigned   = 1
	moduleUnsigned = 2
	moduleFloat    = 3
	moduleDouble   = 4
	moduleString   = 5

	jsonName    = "ReJSON-RL"
	jsonVersion = 3
)

func moduleID(name string, version uint64) (id uint64) {
	for i := range len(name) {
		id = id<<6 | uint64(slices.Index([]byte(moduleLetters), name[i]))
	}
	return id<<10 | version
}

// errModule says that a value is of a module that is not here.
var errModule = fmt.Errorf("%w: a module that is not here", ErrFormat)

// module reads the value of a module by its ID. Of one that is not here it reads
// nothing.
func (r *Reader) module(id uint64) (o object.Object, err error) {
	switch id {
	case moduleID(jsonName, jsonVersion):
		o = r.json()
	case moduleID(vsetName, vsetVersion):
		o = r.vset()
	case moduleID(sugName, 0), moduleID(sugName, sugPayloads), moduleID(sugName, sugNumDocs):
		o = r.suggestions(id & (1<<10 - 1))
	default:
		return nil, errModule
	}
	if r.Length() != moduleEnd {
		r.fail()
	}
	return o, r.err
}

func (r *Reader) json() object.Object {
	text := r.moduleText()
	if r.err != nil {
		return nil
	}
	var d json.Doc
	if err := d.Parse(text); err != nil {
		r.fail()
		return nil
	}
	return json.New(&d)
}

func appendJSON(b []byte, v *json.Value, put form) []byte {
	b = appendLength(append(b, typeModule), moduleID(jsonName, jsonVersion))
	b = put(appendLength(b, moduleString), v.Root().Append(nil))
	return appendLength(b, moduleEnd)
}
