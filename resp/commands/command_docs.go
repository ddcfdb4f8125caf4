package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
)

func runCommandDocs(c *command.Ctx, names [][]byte) error {
	rows := c.Table.All()
	if len(names) > 0 {
		rows = nil
		for _, name := range names {
			if s := findCommand(c, name); s != nil {
				rows = append(rows, s)
			}
		}
	}
	c.W.Map(len(rows))
	for _, s := range rows {
		writeCommandDocs(c.W, s)
	}
	return nil
}

func writeCommandDocs(w *resp.Writer, s *command.Spec) {
	d := described(s)
	fields := []struct{ name, text string }{
		{"summary", d.Summary},
		{"since", d.Since},
		{"group", d.Group},
		{"complexity", d.Complexity},
		{"module", d.Module},
	}
	deprecated := []struct{ name, text string }{
		{"deprecated_since", d.DeprecatedSince},
		{"replaced_by", d.ReplacedBy},
	}
	n := count(len(d.DocFlags) > 0, len(d.History) > 0, len(s.Args) > 0, len(s.Sub) > 0)
	for _, f := range append(fields, deprecated...) {
		n += count(f.text != "")
	}
	w.BulkString(s.Title())
	w.Map(n)
	for _, f := range fields {
		writeText(w, f.name, f.text)
	}
	if len(d.DocFlags) > 0 {
		w.BulkString("doc_flags")
		writeWords(w, d.DocFlags)
	}
	for _, f := range deprecated {
		writeText(w, f.name, f.text)
	}
	if len(d.History) > 0 {
		w.BulkString("history")
		w.Set(len(d.History))
		for _, h := range d.History {
			w.Array(2)
			w.BulkString(h[0])
			w.BulkString(h[1])
		}
	}
	if len(s.Args) > 0 {
		w.BulkString("arguments")
		aw := argWriter{Writer: w, specs: len(d.Specs)}
		aw.writeAll(s.Args)
	}
	if len(s.Sub) > 0 {
		w.BulkString("subcommands")
		w.Map(len(s.Sub))
		for _, sub := range s.Sub {
			writeCommandDocs(w, sub)
		}
	}
}

// count counts what is true.
func count(of ...bool) (n int) {
	for _, is := range of {
		if is {
			n++
		}
	}
	return n
}

// writeText writes a field of a map, nothing where it is empty.
func writeText(w *resp.Writer, name, v string) {
	if v != "" {
		w.BulkString(name)
		w.BulkString(v)
	}
}

// argWriter writes the arguments of one command. The first key is about the
// command's first key spec, the second about the second, as far as there are any.
type argWriter struct {
	*resp.Writer
	specs, keys int
}

func (w *argWriter) writeAll(l []command.Arg) {
	w.Array(len(l))
	for i := range l {
		w.write(&l[i])
	}
}

func (w *argWriter) write(a *command.Arg) {
	var flags []string
	if a.Optional {
		flags = append(flags, "optional")
	}
	if a.Multiple {
		flags = append(flags, "multiple")
	}
	if a.MultipleToken {
		flags = append(flags, "multiple_token")
	}
	group := a.Type == "oneof" || a.Type == "block"
	shown := a.Shown
	if shown == "" && !group {
		shown = a.Name
	}
	spec := a.KeySpec
	if a.Type == "key" {
		spec = max(spec, min(w.keys, w.specs-1))
		w.keys++
	}
	keyed := a.Type == "key" || spec > 0
	token := a.Token != "" || a.Type == "pure-token" // MIGRATE has one that is empty
	w.Map(2 + count(shown != "", keyed, token, a.Summary != "", a.Since != "", a.DeprecatedSince != "", len(flags) > 0, group))
	writeText(w.Writer, "name", a.Name)
	writeText(w.Writer, "type", a.Type)
	writeText(w.Writer, "display_text", shown)
	if keyed {
		w.BulkString("key_spec_index")
		w.Int(int64(spec))
	}
	if token {
		w.BulkString("token")
		w.BulkString(a.Token)
	}
	writeText(w.Writer, "summary", a.Summary)
	writeText(w.Writer, "since", a.Since)
	writeText(w.Writer, "deprecated_since", a.DeprecatedSince)
	if len(flags) > 0 {
		w.BulkString("flags")
		writeWords(w.Writer, flags)
	}
	if group {
		w.BulkString("arguments")
		w.writeAll(a.Args)
	}
}
