package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/types/json"
)

// jsonInteger consumes an index.
func jsonInteger(p *args.Parser) int {
	b := p.Bytes()
	n, ok := resp.ParseInt(b)
	if !ok && p.Err() == nil {
		p.Fail(errJSONInteger)
	}
	return int(n)
}

// arrays finds the arrays that a path matches, to change them. Those of a legacy
// path are there, or it is an error.
func arrays(q *jsonQuery, v *json.Value) (count int, err error) {
	if err := q.Locate(&q.path, v.Root()); err != nil {
		return 0, err
	}
	for _, m := range q.Matches {
		if m.Node.Kind() == json.Array {
			count++
		}
	}
	if count == 0 && q.path.Legacy {
		return 0, errJSONNotArray
	}
	return count, nil
}

// changeArrays calls change with each array that the path matches, in an order that
// leaves the others where they are, and answers with the results in the order of
// the matches; for a legacy path with that of the last change. change returns false
// where it has changed nothing. check, where there is one, may refuse before.
func changeArrays(c *command.Ctx, key, path []byte, event string, check func(q *jsonQuery, v *json.Value) error, change func(v *json.Value, n json.Node, w *resp.Writer) bool) error {
	e, v, err := needJSON(c, key)
	if err != nil {
		return err
	}
	q, err := compileChange(path)
	defer q.free()
	if err != nil {
		return err
	}
	count, err := arrays(q, v)
	if err == nil && check != nil {
		err = check(q, v)
	}
	if err != nil {
		return err
	}
	changed := false
	if len(q.Matches) == 1 { // as mostly
		if !q.path.Legacy {
			c.W.Array(1)
		}
		if count == 0 {
			c.W.Null()
			return nil
		}
		changed = change(v, q.Matches[0].Node, c.W)
	} else {
		changed = changeMany(c, q, v, change)
	}
	if changed || q.path.Legacy {
		changedJSON(c, e, v, event)
	}
	return nil
}

func changeMany(c *command.Ctx, q *jsonQuery, v *json.Value, change func(v *json.Value, n json.Node, w *resp.Writer) bool) (changed bool) {
	var room resp.Writer
	room.SetProto(c.W.Proto())
	type reply struct{ from, to int }
	replies := make([]reply, len(q.Matches))
	var last reply
	for _, i := range q.InOrder() {
		from := room.Len()
		if n, ok := q.Matches[i].Resolve(v.Root()); ok && n.Kind() == json.Array {
			changed = change(v, n, &room) || changed
			last = reply{from, room.Len()}
			replies[i] = last
		} else {
			room.Null()
			replies[i] = reply{from, room.Len()}
		}
	}
	if q.path.Legacy {
		c.W.Raw(room.Bytes()[last.from:last.to])
		return changed
	}
	c.W.Array(len(replies))
	for _, r := range replies {
		c.W.Raw(room.Bytes()[r.from:r.to])
	}
	return changed
}

var jsonArrAppendCommand = &command.Spec{
	Name: "json.arrappend", Arity: -3, Flags: command.Write | command.DenyOOM | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Append the JSON values into the array at path after the last element in it",
	Args:       []command.Arg{keyArg, jsonPathArg, jsonTextsArg},
	Complexity: jsonO1,
	Bind:       command.Bind(parseJSONArrAppend, runJSONArrAppend),
}

type jsonInsertArgs struct {
	key, path []byte
	index     int
	values    []*json.Doc
}

func parseJSONArrAppend(p *args.Parser) jsonInsertArgs {
	a := jsonInsertArgs{key: p.Bytes(), path: utf8Arg(p)}
	a.values = jsonValues(p, "json.arrappend")
	return a
}

// jsonValues consumes the texts of values.
func jsonValues(p *args.Parser, name string) []*json.Doc {
	if !p.More() {
		p.Fail(resp.WrongArgs(name))
	}
	l := make([]*json.Doc, 0, p.Len())
	for p.More() {
		text := utf8Arg(p)
		if p.Err() != nil {
			break
		}
		d, err := parseDoc(text)
		if err != nil {
			p.Fail(err)
			break
		}
		l = append(l, d)
	}
	return l
}

// room says whether values may be put into arrays that a path has matched.
func (a *jsonInsertArgs) room(q *jsonQuery, v *json.Value) error {
	size, depth := 0, 0
	for _, d := range a.values {
		size += d.Size()
		depth = max(depth, d.Depth())
	}
	return fits(q.Matches, v, size, depth, true)
}

func runJSONArrAppend(c *command.Ctx, a jsonInsertArgs) error {
	defer freeDocs(a.values)
	return insertJSON(c, &a, "json.arrappend", func(length int) int { return length })
}

// insertJSON puts values into arrays at the place that is told for the length of
// each, -1 for none.
func insertJSON(c *command.Ctx, a *jsonInsertArgs, event string, place func(length int) int) error {
	check := func(q *jsonQuery, v *json.Value) error {
		for _, m := range q.Matches {
			if m.Node.Kind() == json.Array && place(m.Node.Len()) < 0 {
				return resp.ErrJSONBounds
			}
		}
		return a.room(q, v)
	}
	return changeArrays(c, a.key, a.path, event, check, func(v *json.Value, n json.Node, w *resp.Writer) bool {
		w.Int(int64(v.Insert(n, place(n.Len()), a.values)))
		return true
	})
}

var jsonArrInsertCommand = &command.Spec{
	Name: "json.arrinsert", Arity: -5, Flags: command.Write | command.DenyOOM | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Insert the json values into the array at path before the index (shifts to the right)",
	Args:       []command.Arg{keyArg, jsonPathArg, {Name: "index", Type: "integer"}, jsonTextsArg},
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONArrInsert, runJSONArrInsert),
}

func parseJSONArrInsert(p *args.Parser) jsonInsertArgs {
	a := jsonInsertArgs{key: p.Bytes(), path: utf8Arg(p), index: jsonInteger(p)}
	a.values = jsonValues(p, "json.arrinsert")
	return a
}

func runJSONArrInsert(c *command.Ctx, a jsonInsertArgs) error {
	defer freeDocs(a.values)
	return insertJSON(c, &a, "json.arrinsert", func(length int) int {
		i := a.index
		if i < 0 {
			i += length
		}
		if i < 0 || i > length {
			return -1
		}
		return i
	})
}

var jsonArrLenCommand = &command.Spec{
	Name: "json.arrlen", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Report the length of the JSON array at path in key",
	Args:       jsonKeyPath,
	Complexity: jsonO1,
	Bind:       command.Bind(parseJSONKey, runJSONArrLen),
}

func runJSONArrLen(c *command.Ctx, a jsonKey) error {
	q, v, done, err := readJSON(c, a, resp.ErrJSONNoKey)
	defer q.free()
	if done {
		return err
	}
	return eachJSON(c, q, v, func(n json.Node) error {
		if n.Kind() != json.Array {
			return errJSONNotArray
		}
		c.W.Int(int64(n.Len()))
		return nil
	})
}

var jsonArrIndexCommand = &command.Spec{
	Name: "json.arrindex", Arity: -4, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary: "Search for the first occurrence of a JSON value in an array",
	Args: []command.Arg{
		keyArg, jsonPathArg,
		{Name: "json-value", Type: "string"},
		{Name: "range", Type: "block", Optional: true, Args: []command.Arg{{Name: "start", Type: "integer"}, {Name: "stop", Type: "integer", Optional: true}}},
	},
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONArrIndex, runJSONArrIndex),
}

type jsonIndexArgs struct {
	jsonKey
	value       *json.Doc
	start, stop int
}

func parseJSONArrIndex(p *args.Parser) jsonIndexArgs {
	a := jsonIndexArgs{jsonKey: jsonKey{p.Bytes(), utf8Arg(p)}}
	text := utf8Arg(p)
	if p.More() {
		a.start = jsonInteger(p)
	}
	if p.More() {
		a.stop = jsonInteger(p)
	}
	if p.More() {
		p.Fail(resp.WrongArgs("json.arrindex"))
	}
	if p.Err() == nil {
		var err error
		a.value, err = parseDoc(text)
		p.Fail(err)
	}
	return a
}

func runJSONArrIndex(c *command.Ctx, a jsonIndexArgs) error {
	defer freeDoc(a.value)
	v, err := getJSON(c, a.key)
	if err == nil && v == nil {
		err = resp.ErrJSONPath
	}
	if err != nil {
		return err
	}
	q, err := compileChange(a.path)
	defer q.free()
	if err != nil {
		return err
	}
	return eachJSON(c, q, v, func(n json.Node) error {
		if n.Kind() != json.Array {
			return notA(json.Array)
		}
		c.W.Int(int64(arrIndex(n, a.value.Root(), a.start, a.stop)))
		return nil
	})
}

// arrIndex is the first element between two indexes that is a value, -1 for none. A
// stop of 0 is the end.
func arrIndex(n, value json.Node, start, stop int) int {
	length := n.Len()
	start = clampIndex(start, length)
	switch {
	case stop == 0:
		stop = length
	case stop < 0:
		stop = max(0, length+stop)
	default:
		stop = min(stop, length)
	}
	for i := start; i < stop; i++ {
		if json.Equal(n.Elem(i), value) {
			return i
		}
	}
	return -1
}

// clampIndex is the place of an index that may count from the end, and lie beyond
// either.
func clampIndex(i, length int) int {
	if i < 0 {
		return max(0, length+i)
	}
	return min(i, length-1)
}

var jsonArrPopCommand = &command.Spec{
	Name: "json.arrpop", Arity: -2, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary: "Remove and return the element at the specified index in the array at path",
	Args: []command.Arg{
		keyArg, jsonExpandsArg,
		{Name: "path_index", Type: "block", Optional: true, Args: []command.Arg{jsonPathArg, {Name: "index", Type: "integer", Optional: true}}},
	},
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONArrPop, runJSONArrPop),
}

type jsonPopArgs struct {
	jsonKey
	index  int
	expand jsonExpand
	format bool // named
}

func parseJSONArrPop(p *args.Parser) jsonPopArgs {
	a := jsonPopArgs{jsonKey: jsonKey{key: p.Bytes(), path: legacyRoot}, index: math.MaxInt}
	if p.Len() > 1 && p.Accept("FORMAT") {
		var err error
		a.format = true
		a.expand, err = expansion(utf8Arg(p), "STRINGS")
		p.Fail(err)
	}
	if p.More() {
		a.path, a.index = utf8Arg(p), -1
		if n, ok := resp.ParseInt(p.Peek()); ok { // anything else is as if it were not there
			a.index = int(n)
		}
	}
	p.Rest()
	return a
}

func runJSONArrPop(c *command.Ctx, a jsonPopArgs) error {
	if a.format && c.W.Proto() == 2 {
		return errJSONFormatRESP
	}
	if a.expand != expandNone && len(a.path) > 0 && a.path[0] != '$' {
		return errJSONLegacy
	}
	var text []byte
	return changeArrays(c, a.key, a.path, "json.arrpop", nil, func(v *json.Value, n json.Node, w *resp.Writer) bool {
		length := n.Len()
		if length == 0 {
			w.Null()
			return false
		}
		i := clampIndex(a.index, length)
		if a.expand != expandNone {
			text = writeExpanded(w, n.Elem(i), a.expand, &json.Format{}, text)
		} else {
			text = n.Elem(i).Append(text[:0])
			w.Bulk(text)
		}
		v.RemoveElems(n, i, i+1)
		return true
	})
}

var jsonArrTrimCommand = &command.Spec{
	Name: "json.arrtrim", Arity: 5, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Trim an array so that it contains only the specified inclusive range of elements",
	Args:       []command.Arg{keyArg, jsonPathArg, {Name: "start", Type: "integer"}, {Name: "stop", Type: "integer"}},
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONArrTrim, runJSONArrTrim),
}

type jsonTrimArgs struct {
	jsonKey
	start, stop int
}

func parseJSONArrTrim(p *args.Parser) jsonTrimArgs {
	return jsonTrimArgs{jsonKey{p.Bytes(), utf8Arg(p)}, jsonInteger(p), jsonInteger(p)}
}

func runJSONArrTrim(c *command.Ctx, a jsonTrimArgs) error {
	return changeArrays(c, a.key, a.path, "json.arrtrim", nil, func(v *json.Value, n json.Node, w *resp.Writer) bool {
		length := n.Len()
		start, stop := a.start, clampIndex(a.stop, length)
		if start < 0 {
			start = max(0, length+start)
		}
		if length == 0 || start >= length || start > stop {
			start, stop = 0, -1
		}
		v.RemoveElems(n, stop+1, length)
		v.RemoveElems(n, 0, start)
		w.Int(int64(stop + 1 - start))
		return true
	})
}
