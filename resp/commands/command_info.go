package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
)

// described is what Redis says of a command; of a command that only we have it is
// what its row tells.
func described(s *command.Spec) *Reference {
	if r := references()[s.FullName()]; r != nil {
		return r
	}
	r := &Reference{
		Keys:  [3]int{s.Keys.First, s.Keys.Last, s.Keys.Step},
		Since: s.Since, Group: string(s.Group), Summary: s.Summary, Complexity: s.Complexity,
		Module: moduleOf(s), Tips: s.Tips, Categories: categories(s),
	}
	if !s.Keys.None() {
		r.Specs = []KeySpec{specOf(s)}
	}
	return r
}

// moduleOf names the module that has the command in Redis.
func moduleOf(s *command.Spec) string {
	switch s.Group {
	case command.GroupSearch, command.GroupSuggestion:
		return "search"
	case command.GroupModule:
		if s.Name[0] == 'v' {
			return "vectorset"
		}
		return "ReJSON"
	}
	return ""
}

// specOf says where a row's keys are, as far as a range of arguments can.
func specOf(s *command.Spec) KeySpec {
	k := KeySpec{Flags: keyFlags(s), Begin: "index", Find: "range", Index: s.Keys.First, LastKey: s.Keys.Last, KeyStep: s.Keys.Step}
	if s.Keys.Find != nil {
		return KeySpec{Flags: append(k.Flags, "incomplete"), Begin: "unknown", Find: "unknown"}
	}
	if k.LastKey >= 0 {
		k.LastKey -= k.Index
	}
	return k
}

// keyFlags say what the command does with its keys, as far as its row tells.
func keyFlags(s *command.Spec) []string {
	if s.Flags&command.Write != 0 {
		return []string{"RW", "access", "update"}
	}
	return []string{"RO", "access"}
}

func writeCommandInfo(w *resp.Writer, s *command.Spec) {
	d := described(s)
	w.Array(10)
	w.BulkString(s.Title())
	w.Int(int64(s.Arity))
	writeWords(w, s.Flags.Names())
	for _, n := range d.Keys {
		w.Int(int64(n))
	}
	writeWords(w, d.Categories)
	w.Set(len(d.Tips))
	for _, tip := range d.Tips {
		w.BulkString(tip)
	}
	w.Set(len(d.Specs))
	for i := range d.Specs {
		writeKeySpec(w, &d.Specs[i])
	}
	if len(s.Sub) == 0 {
		w.Set(0)
		return
	}
	w.Array(len(s.Sub))
	for _, sub := range s.Sub {
		writeCommandInfo(w, sub)
	}
}

// writeWords writes a set of flags.
func writeWords(w *resp.Writer, words []string) {
	w.Set(len(words))
	for _, s := range words {
		w.Status(s)
	}
}

func writeKeySpec(w *resp.Writer, k *KeySpec) {
	number := func(name string, n int) {
		w.BulkString(name)
		w.Int(int64(n))
	}
	text := func(name, v string) {
		w.BulkString(name)
		w.BulkString(v)
	}
	// search is a way to search: its kind and how many figures it has.
	search := func(name, kind string, n int) {
		w.BulkString(name)
		w.Map(2)
		text("type", kind)
		w.BulkString("spec")
		w.Map(n)
	}
	if k.Notes == "" {
		w.Map(3)
	} else {
		w.Map(4)
		text("notes", k.Notes)
	}
	w.BulkString("flags")
	writeWords(w, k.Flags)
	switch k.Begin {
	case "index":
		search("begin_search", k.Begin, 1)
		number("index", k.Index)
	case "keyword":
		search("begin_search", k.Begin, 2)
		text("keyword", k.Keyword)
		number("startfrom", k.StartFrom)
	default:
		search("begin_search", "unknown", 0)
	}
	switch k.Find {
	case "range":
		search("find_keys", k.Find, 3)
		number("lastkey", k.LastKey)
		number("keystep", k.KeyStep)
		number("limit", k.Limit)
	case "keynum":
		search("find_keys", k.Find, 3)
		number("keynumidx", k.KeyNumIdx)
		number("firstkey", k.FirstKey)
		number("keystep", k.KeyStep)
	default:
		search("find_keys", "unknown", 0)
	}
}
