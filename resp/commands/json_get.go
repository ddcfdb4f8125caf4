package commands

import (
	"bytes"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/types/json"
)

var jsonGetCommand = &command.Spec{
	Name: "json.get", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary: "Get JSON value at path",
	Args: []command.Arg{
		keyArg, textArg("indent", "INDENT"), textArg("newline", "NEWLINE"), textArg("space", "SPACE"), jsonExpandArg,
		{Name: "path", Type: "string", Optional: true, Multiple: true},
	},
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONGet, runJSONGet),
}

func textArg(name, token string) command.Arg {
	return command.Arg{Name: name, Type: "block", Token: token, Optional: true, Args: []command.Arg{{Name: name, Type: "string"}}}
}

type jsonGetArgs struct {
	key    []byte
	path   []byte   // the first
	paths  [][]byte // all, where there are several
	format json.Format
	expand jsonExpand
	// early is the error of a FORMAT before the first path, which RESP2 does not have.
	early error
}

// jsonExpand says how far RESP3 takes a document apart.
type jsonExpand uint8

const (
	expandNone jsonExpand = iota // it is a text
	expandOne                    // numbers, truth values and null are themselves
	expandAll
)

// expansion reads the name of a reply format; name is that of the text.
func expansion(word []byte, name string) (jsonExpand, error) {
	switch string(word) {
	case name:
		return expandNone, nil
	case "EXPAND1":
		return expandOne, nil
	case "EXPAND":
		return expandAll, nil
	}
	return 0, errJSONReply
}

func parseJSONGet(p *args.Parser) jsonGetArgs {
	a := jsonGetArgs{key: p.Bytes()}
	for p.More() {
		switch {
		case p.Accept("FORMAT"):
			if a.path == nil {
				a.early = errJSONFormatRESP
			}
			var err error
			if a.expand, err = expansion(needed(p, "json.get"), "STRING"); err != nil {
				p.Fail(err)
			}
		case p.Accept("INDENT"):
			a.format.Indent = needed(p, "json.get")
		case p.Accept("NEWLINE"):
			a.format.Newline = needed(p, "json.get")
		case p.Accept("SPACE"):
			a.format.Space = needed(p, "json.get")
		case p.Accept("NOESCAPE"): // of ReJSON 1
		default:
			path := utf8Arg(p)
			switch {
			case a.path == nil:
				a.path = path
			case a.paths == nil:
				a.paths = append(a.paths, a.path, path)
			default:
				a.paths = append(a.paths, path)
			}
		}
	}
	if a.path == nil {
		a.path = legacyRoot
	}
	return a
}

func runJSONGet(c *command.Ctx, a jsonGetArgs) error {
	if a.early != nil && c.W.Proto() == 2 {
		return a.early
	}
	v, err := getJSON(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Null()
		return nil
	}
	switch {
	case a.expand != expandNone && c.W.Proto() == 3:
		return getExpanded(c, v, &a)
	case a.paths != nil:
		return getPaths(c, v, &a)
	}
	q, err := compile(a.path)
	defer q.free()
	if err != nil {
		return err
	}
	q.text, err = q.appendMatches(q.text[:0], v, q.path.Legacy, &a.format, 0)
	if err != nil {
		return err
	}
	c.W.Bulk(q.text)
	return nil
}

// appendMatches appends what the path matches: an array, or the first value.
func (q *jsonQuery) appendMatches(b []byte, v *json.Value, first bool, f *json.Format, depth int) ([]byte, error) {
	if first && !q.path.Projection() {
		n, ok, err := q.First(&q.path, v.Root())
		if err == nil && !ok {
			err = resp.ErrJSONPath
		}
		if err != nil {
			return b, err
		}
		return n.AppendFormat(b, f, depth), nil
	}
	if err := q.Find(&q.path, v.Root()); err != nil {
		return b, err
	}
	if first {
		if len(q.Nodes) == 0 {
			return b, resp.ErrJSONPath
		}
		return q.Nodes[0].AppendFormat(b, f, depth), nil
	}
	start := len(b)
	b = append(b, '[')
	for i, n := range q.Nodes {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.AppendBreak(b, depth+1)
		b = n.AppendFormat(b, f, depth+1)
		if len(b)-start > maxReply {
			return b[:start], resp.ErrOutOfRange
		}
	}
	if len(q.Nodes) > 0 {
		b = f.AppendBreak(b, depth)
	}
	return append(b, ']'), nil
}

// getPaths answers with an object of the paths and what they match. A path that is
// none is left out, as in RedisJSON; one that comes twice is there once.
func getPaths(c *command.Ctx, v *json.Value, a *jsonGetArgs) error {
	q := queries.Get().(*jsonQuery)
	defer q.free()
	legacy := true
	for _, path := range a.paths {
		if err := q.path.Compile(path); err == nil || !q.path.Legacy {
			legacy = legacy && q.path.Legacy
		}
	}
	b := append(q.text[:0], '{')
	count := 0
	for i, path := range a.paths {
		same := func(p []byte) bool { return bytes.Equal(p, path) }
		if slices.ContainsFunc(a.paths[:i], same) || q.path.Compile(path) != nil {
			continue
		}
		if count++; count > 1 {
			b = append(b, ',')
		}
		b = a.format.AppendBreak(b, 1)
		b = append(json.AppendString(b, path), ':')
		b = append(b, a.format.Space...)
		var err error
		if b, err = q.appendMatches(b, v, legacy, &a.format, 1); err != nil {
			return err
		}
		if len(b) > maxReply {
			return resp.ErrOutOfRange
		}
	}
	if count > 0 {
		b = a.format.AppendBreak(b, 0)
	}
	q.text = append(b, '}')
	c.W.Bulk(q.text)
	return nil
}

// getExpanded answers with an array for each path.
func getExpanded(c *command.Ctx, v *json.Value, a *jsonGetArgs) error {
	paths := a.paths
	if paths == nil {
		paths = [][]byte{a.path}
	}
	q := queries.Get().(*jsonQuery)
	defer q.free()
	start := c.W.Len()
	c.W.Array(len(paths))
	for _, path := range paths {
		if q.path.Compile(path) != nil {
			c.W.Array(0)
			continue
		}
		err := q.Find(&q.path, v.Root())
		if c.W.Len()-start > maxReply {
			err = resp.ErrOutOfRange
		}
		if err != nil {
			c.W.Truncate(start)
			return err
		}
		c.W.Array(len(q.Nodes))
		for _, n := range q.Nodes {
			q.text = writeExpanded(c.W, n, a.expand, &a.format, q.text)
		}
	}
	return nil
}

// writeExpanded writes a value in the terms of RESP3. room is for texts.
func writeExpanded(w *resp.Writer, n json.Node, how jsonExpand, f *json.Format, room []byte) []byte {
	k := n.Kind()
	switch {
	case k == json.Null:
		w.Null()
	case k == json.Bool:
		w.Bool(n.Bool())
	case k == json.Integer:
		writeInteger(w, n)
	case k == json.Number:
		v, _ := n.Float()
		w.Double(v)
	case how != expandAll:
		room = n.AppendFormat(room[:0], f, 0)
		w.Bulk(room)
	case k == json.String:
		w.Bulk(n.Bytes())
	case k == json.Array:
		w.Array(n.Len())
		for i := range n.Len() {
			room = writeExpanded(w, n.Elem(i), how, f, room)
		}
	default:
		w.Map(n.Len())
		for i := range n.Len() {
			key, v := n.Member(i)
			w.Bulk(key)
			room = writeExpanded(w, v, how, f, room)
		}
	}
	return room
}

var jsonMGetCommand = &command.Spec{
	Name: "json.mget", Arity: -3, Flags: command.ReadOnly | command.FromModule,
	Keys: command.KeySpec{First: 1, Last: -2, Step: 1}, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Return the values at path from multiple key arguments",
	Args:       []command.Arg{{Name: "key", Type: "key", Multiple: true}, jsonPathArg},
	Complexity: "O(M*N) when path is evaluated to a single value where M is the number of keys and N is the size of the value, O(N1+N2+...+Nm) when path is evaluated to multiple values where m is the number of keys and Ni is the size of the i-th key",
	Bind:       command.Bind(parseJSONMGet, runJSONMGet),
}

type jsonMGetArgs struct {
	keys [][]byte
	path []byte
}

func parseJSONMGet(p *args.Parser) jsonMGetArgs {
	words := p.Rest()
	if len(words) < 2 {
		p.Fail(resp.WrongArgs("json.mget"))
		return jsonMGetArgs{}
	}
	a := jsonMGetArgs{words[:len(words)-1], words[len(words)-1]}
	p.Fail(utf8Error(a.path))
	return a
}

// runJSONMGet answers null for what is no document, does not match, or for a path
// that is none.
func runJSONMGet(c *command.Ctx, a jsonMGetArgs) error {
	q, bad := compile(a.path)
	defer q.free()
	start := c.W.Len()
	c.W.Array(len(a.keys))
	for _, key := range a.keys {
		v, err := getJSON(c, key)
		if err == nil && v != nil && bad == nil {
			q.text, err = q.appendMatches(q.text[:0], v, q.path.Legacy, &json.Format{}, 0)
		}
		if err != nil || v == nil || bad != nil {
			c.W.Null()
			continue
		}
		if c.W.Bulk(q.text); c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return resp.ErrOutOfRange
		}
	}
	return nil
}
