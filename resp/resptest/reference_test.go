package resptest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/commands"
	"github.com/nearcache/nearcache/resp/resptest"
)

const referenceFile = "../commands/redis8.jsonl"

// TestReferenceIsRedis holds that the record of Redis' commands is what the real
// Redis says. With -rewrite it is written.
func TestReferenceIsRedis(t *testing.T) {
	c := dial(t, redisAddr(t), 3)
	var b bytes.Buffer
	for _, r := range recordCommands(t, c) {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if *rewrite {
		if err := os.WriteFile(referenceFile, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Error("the record is not what Redis says: write it with -rewrite, and read the difference")
	}
}

// field is the value of a key in a map, the zero Value where there is none.
func field(v resptest.Value, key string) resptest.Value {
	for i := 0; i+1 < len(v.Elems); i += 2 {
		if v.Elems[i].Text == key {
			return v.Elems[i+1]
		}
	}
	return resptest.Value{}
}

func texts(v resptest.Value) []string {
	var l []string
	for _, e := range v.Elems {
		l = append(l, e.Text)
	}
	return l
}

func number(v resptest.Value) int {
	n, _ := strconv.Atoi(v.Text)
	return n
}

func recordCommands(t *testing.T, c *resptest.Conn) []commands.Reference {
	var l []commands.Reference
	docs := map[string]resptest.Value{}
	var note func(v resptest.Value)
	note = func(v resptest.Value) {
		for i := 0; i+1 < len(v.Elems); i += 2 {
			docs[v.Elems[i].Text] = v.Elems[i+1]
			note(field(v.Elems[i+1], "subcommands"))
		}
	}
	note(c.Do("COMMAND", "DOCS"))
	var add func(v resptest.Value)
	add = func(v resptest.Value) {
		e := v.Elems
		name := e[0].Text
		d, ok := docs[name]
		if !ok {
			t.Fatal(name)
		}
		r := commands.Reference{
			Name: name, Arity: number(e[1]), Flags: texts(e[2]), Keys: [3]int{number(e[3]), number(e[4]), number(e[5])},
			Categories: texts(e[6]), Tips: texts(e[7]),
			Since: field(d, "since").Text, Group: field(d, "group").Text, Summary: field(d, "summary").Text,
			Complexity: field(d, "complexity").Text, DocFlags: texts(field(d, "doc_flags")),
			DeprecatedSince: field(d, "deprecated_since").Text, ReplacedBy: field(d, "replaced_by").Text,
			Module: field(d, "module").Text,
		}
		for _, h := range field(d, "history").Elems {
			r.History = append(r.History, [2]string{h.Elems[0].Text, h.Elems[1].Text})
		}
		for _, s := range e[8].Elems {
			begin, find := field(s, "begin_search"), field(s, "find_keys")
			b, f := field(begin, "spec"), field(find, "spec")
			r.Specs = append(r.Specs, commands.KeySpec{
				Notes: field(s, "notes").Text, Flags: texts(field(s, "flags")),
				Begin: field(begin, "type").Text, Index: number(field(b, "index")), Keyword: field(b, "keyword").Text, StartFrom: number(field(b, "startfrom")),
				Find: field(find, "type").Text, LastKey: number(field(f, "lastkey")), KeyStep: number(field(f, "keystep")), Limit: number(field(f, "limit")),
				KeyNumIdx: number(field(f, "keynumidx")), FirstKey: number(field(f, "firstkey")),
			})
		}
		l = append(l, r)
		for _, sub := range e[9].Elems {
			add(sub)
		}
	}
	all := c.Do("COMMAND")
	for _, v := range all.Elems {
		add(v)
	}
	slices.SortFunc(l, func(a, b commands.Reference) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return l
}
