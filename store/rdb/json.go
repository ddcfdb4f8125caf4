package rdb

import (
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
	moduleUnsigned = 2
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

func (r *Reader) module() object.Object {
	var o object.Object
	switch r.Length() {
	case moduleID(jsonName, jsonVersion):
		o = r.json()
	case moduleID(vsetName, vsetVersion):
		o = r.vset()
	default:
		r.fail()
	}
	if r.Length() != moduleEnd {
		r.fail()
	}
	return o
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

func appendJSON(b []byte, v *json.Value) []byte {
	b = appendLength(append(b, typeModule), moduleID(jsonName, jsonVersion))
	b = AppendString(appendLength(b, moduleString), v.Root().Append(nil))
	return appendLength(b, moduleEnd)
}
