package commands

import (
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/json"
)

var jsonCommands = []*command.Spec{
	jsonSetCommand, jsonGetCommand, jsonMGetCommand, jsonMSetCommand, jsonMergeCommand, jsonDelCommand, jsonForgetCommand,
	jsonTypeCommand, jsonClearCommand, jsonRespCommand, jsonDebugCommand,
	jsonNumIncrByCommand, jsonNumMultByCommand, jsonNumPowByCommand, jsonToggleCommand, jsonStrAppendCommand, jsonStrLenCommand,
	jsonObjKeysCommand, jsonObjLenCommand,
	jsonArrAppendCommand, jsonArrIndexCommand, jsonArrInsertCommand, jsonArrLenCommand, jsonArrPopCommand, jsonArrTrimCommand,
}

// Errors of documents that one command or argument has. See resp/errors.go for the
// others.
const (
	errJSONUTF8       resp.Error = "Couldn't parse as UTF-8 string"
	errJSONInteger    resp.Error = "Couldn't parse as integer"
	errJSONFormat     resp.Error = "ERR wrong format"
	errJSONReply      resp.Error = "ERR wrong reply format"
	errJSONFormatRESP resp.Error = "ERR FORMAT argument is not supported on RESP2"
	errJSONFPHA       resp.Error = "ERR invalid FPHA type"
	errJSONNotArray   resp.Error = resp.ErrJSONPath + " or not an array"
	errJSONNotObject  resp.Error = resp.ErrJSONPath + " or not an object"
	errJSONNotString  resp.Error = resp.ErrJSONPath + " or not a string"
	errJSONNotBool    resp.Error = resp.ErrJSONPath + " or not a bool"
	errJSONNotNumber  resp.Error = resp.ErrJSONPath + " or does not contains a number"
	errJSONLegacy     resp.Error = "Legacy paths are supported only with FORMAT STRINGS"
)

// notA is the error for a value that is not of the kind expected.
func notA(kind json.Kind) error {
	return resp.Error("WRONGTYPE wrong type of path value - expected " + kind.String())
}

// jsonError is the error for what the type package has found: texts and paths that
// are none are answered in its own words.
func jsonError(err error) error {
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	var path *json.PathError
	if errors.As(err, &syntax) || errors.As(err, &path) {
		return resp.Error(err.Error())
	}
	return err
}

var (
	jsonPathArg    = command.Arg{Name: "path", Type: "string"}
	jsonTextArg    = command.Arg{Name: "json", Type: "string"}
	jsonTextsArg   = command.Arg{Name: "json", Type: "string", Multiple: true}
	jsonKeyPath    = []command.Arg{keyArg, optional(jsonPathArg)}
	jsonFormatArg  = formatArg("STRING", "JSON", "BSON")
	jsonExpandArg  = formatArg("STRING", "EXPAND1", "EXPAND")
	jsonExpandsArg = formatArg("STRINGS", "EXPAND1", "EXPAND")
)

// What most commands on JSON cost, in the words of their documentation.
const (
	jsonO1 = "O(1) when path is evaluated to a single value, O(N) when path is evaluated to multiple values, where N is the size of the key"
	jsonON = "O(N) when path is evaluated to a single value where N is the size of the value, O(N) when path is evaluated to multiple values, where N is the size of the key"
)

func formatArg(words ...string) command.Arg {
	return command.Arg{Name: "format", Type: "block", Token: "FORMAT", Optional: true, Args: []command.Arg{oneOf("format-token", words...)}}
}

// oneOf is an argument that is one of several words.
func oneOf(name string, words ...string) command.Arg {
	a := command.Arg{Name: name, Type: "oneof"}
	for _, w := range words {
		a.Args = append(a.Args, flagArg(w, w))
	}
	return a
}

// utf8Arg consumes an argument that must be UTF-8.
func utf8Arg(p *args.Parser) []byte {
	b := p.Bytes()
	p.Fail(utf8Error(b))
	return b
}

func utf8Error(b []byte) error {
	if utf8.Valid(b) {
		return nil
	}
	return errJSONUTF8
}

// needed consumes such an argument where the command's arity does not promise it.
func needed(p *args.Parser, name string) []byte {
	if !p.More() {
		p.Fail(resp.WrongArgs(name))
	}
	return utf8Arg(p)
}

// pathOrRoot consumes a path, the legacy root where there is none.
func pathOrRoot(p *args.Parser) []byte {
	if !p.More() {
		return legacyRoot
	}
	return utf8Arg(p)
}

var legacyRoot = []byte(".")

// docs are the documents that arguments are parsed into.
var docs = sync.Pool{New: func() any { return new(json.Doc) }}

// maxIdleDoc is the largest that is kept for the next command.
const maxIdleDoc = 64 << 10

func freeDoc(d *json.Doc) {
	if d != nil && d.Size() <= maxIdleDoc {
		docs.Put(d)
	}
}

func freeDocs(l []*json.Doc) {
	for _, d := range l {
		freeDoc(d)
	}
}

// parseDoc reads the text of a document.
func parseDoc(text []byte) (*json.Doc, error) {
	d := docs.Get().(*json.Doc)
	if err := d.Parse(text); err != nil {
		freeDoc(d)
		return nil, jsonError(err)
	}
	return d, nil
}

// jsonQuery is what a command that follows a path needs.
type jsonQuery struct {
	json.Query
	path json.Path
	text []byte
}

var queries = sync.Pool{New: func() any { return new(jsonQuery) }}

// compile takes a query and compiles a path for it. The query must be given back
// with free, after an error as well.
func compile(path []byte) (*jsonQuery, error) {
	q := queries.Get().(*jsonQuery)
	return q, jsonError(q.path.Compile(path))
}

// compileChange is compile for a path whose values are to be changed.
func compileChange(path []byte) (*jsonQuery, error) {
	q, err := compile(path)
	if err == nil && q.path.Projection() {
		err = resp.ErrJSONReadOnly
	}
	return q, err
}

func (q *jsonQuery) free() {
	q.Release()
	if cap(q.text) > maxIdleDoc {
		q.text = nil
	}
	queries.Put(q)
}

// asJSON is the document of an entry, nil where there is no entry.
func asJSON(e *store.Entry) (*json.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*json.Value); ok {
		return v, nil
	}
	return nil, resp.ErrJSONType
}

// findJSON finds a document for writing, nil where there is none.
func findJSON(c *command.Ctx, key []byte) (*store.Entry, *json.Value, error) {
	e := c.Tx.Find(key)
	v, err := asJSON(e)
	return e, v, err
}

// needJSON is findJSON for commands that need the key.
func needJSON(c *command.Ctx, key []byte) (*store.Entry, *json.Value, error) {
	e, v, err := findJSON(c, key)
	if err == nil && v == nil {
		err = resp.ErrJSONNoKey
	}
	return e, v, err
}

// getJSON finds a document for reading, nil where there is none.
func getJSON(c *command.Ctx, key []byte) (*json.Value, error) { return asJSON(c.Tx.Get(key)) }

// changedJSON tells that a command has changed a document.
func changedJSON(c *command.Ctx, e *store.Entry, v *json.Value, event string) {
	v.Settle()
	c.Tx.Changed(e, store.ClassModule, event)
}

var jsonSetCommand = &command.Spec{
	Name: "json.set", Arity: -4, Flags: command.Write | command.DenyOOM | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary: "Set the JSON value at path in key",
	Args: []command.Arg{
		keyArg, jsonPathArg, jsonTextArg,
		{Name: "condition", Type: "oneof", Optional: true, Args: []command.Arg{flagArg("nx", "NX"), flagArg("xx", "XX")}},
		{Name: "fpha", Type: "block", Token: "FPHA", Optional: true, Args: []command.Arg{oneOf("fpha-type", "BF16", "FP16", "FP32", "FP64")}},
		jsonFormatArg,
	},
	Complexity: "O(M+N) when path is evaluated to a single value where M is the size of the original value (if it exists) and N is the size of the new value, O(M+N) when path is evaluated to multiple values where M is the size of the key and N is the size of the new value * the number of original values in the key",
	Bind:       command.Bind(parseJSONSet, runJSONSet),
}

type jsonSetArgs struct {
	key, path []byte
	nx, xx    bool
	doc       *json.Doc
	late      error // of the text, told after that of the key
}

func parseJSONSet(p *args.Parser) jsonSetArgs {
	a := jsonSetArgs{key: p.Bytes(), path: utf8Arg(p)}
	text := utf8Arg(p)
	var floats *json.FloatType
	for p.More() {
		switch {
		case !a.nx && !a.xx && p.Accept("NX"):
			a.nx = true
		case !a.nx && !a.xx && p.Accept("XX"):
			a.xx = true
		case p.Accept("FORMAT"):
			parseTextFormat(p, "json.set")
		case p.Accept("FPHA"):
			word := needed(p, "json.set")
			floats = nil
			for i := range json.FloatTypes {
				if args.EqualFold(word, json.FloatTypes[i].Name) {
					floats = &json.FloatTypes[i]
				}
			}
			if floats == nil {
				p.Fail(errJSONFPHA)
			}
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	if p.Err() != nil {
		return a
	}
	if a.doc, a.late = parseDoc(text); a.late == nil && floats != nil {
		if err := a.doc.RoundArrays(floats); err != nil {
			a.late = resp.Error(err.Error())
		}
	}
	return a
}

// parseTextFormat reads the format of a text. BSON is not read: RedisJSON does not
// document it.
func parseTextFormat(p *args.Parser, name string) {
	switch string(needed(p, name)) {
	case "STRING", "JSON":
	default:
		p.Fail(errJSONFormat)
	}
}

func runJSONSet(c *command.Ctx, a jsonSetArgs) error {
	defer freeDoc(a.doc)
	e, v, err := findJSON(c, a.key)
	if err == nil {
		err = a.late
	}
	if err != nil {
		return err
	}
	q, err := compileChange(a.path)
	defer q.free()
	root := err == nil && q.path.IsRoot()
	switch {
	case v == nil && a.xx:
		c.W.Null()
		return nil
	case v == nil && !root:
		return resp.ErrJSONRoot
	case err != nil:
		return err
	case v != nil && root && a.nx:
		c.W.Null()
		return nil
	case root:
		setRoot(c, e, v, a.key, a.doc, "json.set")
		c.W.Status("OK")
		return nil
	}
	p, err := planSet(q, v, a.nx, a.xx)
	if err != nil {
		return err
	}
	changed, err := p.apply(v, a.doc)
	if err != nil {
		return err
	}
	if !changed {
		c.W.Null()
		return nil
	}
	changedJSON(c, e, v, "json.set")
	c.W.Status("OK")
	return nil
}

// setRoot makes a document another one, or a new one.
func setRoot(c *command.Ctx, e *store.Entry, v *json.Value, key []byte, d *json.Doc, event string) {
	if v == nil {
		e = c.Tx.Put(key, json.New(d), false)
	} else {
		v.Reset(d)
	}
	c.Tx.Changed(e, store.ClassModule, event)
}

// setPlan is where a value goes: to what the query has matched, or to a new key
// of what it has matched.
type setPlan struct {
	q   *jsonQuery
	key []byte // nil where values are replaced
}

// planSet finds the places. A path that matches nothing may name a key that its
// object does not have yet.
func planSet(q *jsonQuery, v *json.Value, nx, xx bool) (setPlan, error) {
	p := setPlan{q: q}
	if !nx {
		if err := q.Locate(&q.path, v.Root()); err != nil {
			return p, err
		}
		if q.Outermost(); len(q.Matches) > 0 {
			return p, nil
		}
	}
	if xx {
		q.Matches = q.Matches[:0]
		return p, nil
	}
	return p, p.toAdd(v)
}

func (p *setPlan) toAdd(v *json.Value) error {
	q := p.q
	if !q.path.Static() {
		return resp.ErrJSONStatic
	}
	key, ok := q.path.Last()
	if !ok {
		if err := q.Locate(&q.path, v.Root()); err != nil {
			return err
		}
		if len(q.Matches) == 0 {
			return resp.ErrJSONBounds
		}
		q.Matches = q.Matches[:0] // NX: it is there
		return nil
	}
	parent := q.path.Parent()
	p.key = key
	return q.Locate(&parent, v.Root())
}

// apply sets the value and reports whether that changed anything.
func (p *setPlan) apply(v *json.Value, d *json.Doc) (bool, error) {
	if err := fits(p.q.Matches, v, d.Size(), d.Depth(), p.key != nil); err != nil {
		return false, err
	}
	changed := false
	for _, m := range p.q.Matches {
		switch {
		case p.key == nil:
			v.Replace(m.Node, d.Root())
		case m.Node.Kind() != json.Object:
			continue
		default:
			if _, there := m.Node.Get(p.key); there {
				continue
			}
			v.SetMember(m.Node, p.key, d.Root())
		}
		changed = true
	}
	return changed, nil
}

// fits says whether a value of a size and depth may go to all matches, or into them.
func fits(matches []json.Match, v *json.Value, size, depth int, into bool) error {
	if !v.Fits(2 * len(matches) * size) {
		return json.ErrTooLarge
	}
	if into {
		depth++
	}
	for _, m := range matches {
		if m.Depth()+depth > json.MaxDepth {
			return json.ErrDepth
		}
	}
	return nil
}

var jsonMergeCommand = &command.Spec{
	Name: "json.merge", Arity: -4, Flags: command.Write | command.DenyOOM | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "2.6.0",
	Summary:    "Merge a given JSON value into matching paths. Consequently, JSON values at matching paths are updated, deleted, or expanded with new children",
	Args:       []command.Arg{keyArg, jsonPathArg, jsonTextArg, jsonFormatArg},
	Complexity: "O(M+N) when path is evaluated to a single value where M is the size of the original value (if it exists) and N is the size of the new value, O(M+N) when path is evaluated to multiple values where M is the size of the key and N is the size of the new value * the number of original values in the key",
	Bind:       command.Bind(parseJSONMerge, runJSONMerge),
}

func parseJSONMerge(p *args.Parser) jsonSetArgs {
	a := jsonSetArgs{key: p.Bytes(), path: utf8Arg(p)}
	text := utf8Arg(p)
	for p.More() {
		if !p.Accept("FORMAT") {
			p.Fail(resp.ErrSyntax)
			break
		}
		parseTextFormat(p, "json.merge")
	}
	if p.Err() == nil {
		a.doc, a.late = parseDoc(text)
	}
	return a
}

func runJSONMerge(c *command.Ctx, a jsonSetArgs) error {
	defer freeDoc(a.doc)
	e, v, err := findJSON(c, a.key)
	if err == nil {
		err = a.late
	}
	if err != nil {
		return err
	}
	q, err := compileChange(a.path)
	defer q.free()
	root := err == nil && q.path.IsRoot()
	switch {
	case v == nil && !root:
		return resp.ErrJSONRoot
	case err != nil:
		return err
	case v == nil:
		setRoot(c, nil, nil, a.key, a.doc, "json.merge")
		c.W.Status("OK")
		return nil
	}
	if err := q.Locate(&q.path, v.Root()); err != nil {
		return err
	}
	p := setPlan{q: q}
	if len(q.Matches) == 0 {
		if err := p.toAdd(v); err != nil {
			return err
		}
	}
	if err := fits(q.Matches, v, a.doc.Size(), a.doc.Depth(), p.key != nil); err != nil {
		return err
	}
	changed := false
	if p.key != nil {
		if changed, err = p.apply(v, a.doc); err != nil {
			return err
		}
	} else {
		for _, m := range q.Matches {
			if n, ok := m.Resolve(v.Root()); ok {
				v.Merge(n, a.doc.Root())
				changed = true
			}
		}
	}
	if !changed {
		c.W.Null()
		return nil
	}
	changedJSON(c, e, v, "json.merge")
	c.W.Status("OK")
	return nil
}

var jsonMSetCommand = &command.Spec{
	Name: "json.mset", Arity: -4, Flags: command.Write | command.DenyOOM | command.FromModule,
	Keys: command.KeySpec{First: 1, Last: -1, Step: 3}, Group: command.GroupModule, Since: "2.6.0",
	Summary: "Set or update one or more JSON values according to the specified key-path-value triplets",
	Args: []command.Arg{
		{Name: "triplet", Type: "block", Multiple: true, Args: []command.Arg{keyArg, jsonPathArg, jsonTextArg}},
	},
	Complexity: "O(K*(M+N)) where k is the number of keys in the command, when path is evaluated to a single value where M is the size of the original value (if it exists) and N is the size of the new value",
	Bind:       command.Bind(parseJSONMSet, runJSONMSet),
}

func parseJSONMSet(p *args.Parser) []jsonSetArgs {
	l := make([]jsonSetArgs, 0, p.Len()/3)
	for p.More() {
		if p.Len() < 3 {
			p.Fail(resp.WrongArgs("json.mset"))
			break
		}
		a := jsonSetArgs{key: p.Bytes(), path: utf8Arg(p)}
		if text := utf8Arg(p); p.Err() == nil {
			a.doc, a.late = parseDoc(text)
		}
		l = append(l, a)
	}
	return l
}

// runJSONMSet checks all triplets, as the keys are before the first of them, and
// then sets them one by one.
func runJSONMSet(c *command.Ctx, l []jsonSetArgs) error {
	defer func() {
		for i := range l {
			freeDoc(l[i].doc)
		}
	}()
	for i := range l {
		if err := checkMSet(c, &l[i]); err != nil {
			return err
		}
	}
	all := true
	for i := range l {
		set, err := applyMSet(c, &l[i])
		if err != nil && !c.Tx.Dirty() {
			return err
		}
		all = all && set && err == nil
	}
	if all {
		c.W.Status("OK")
	} else {
		c.W.Null()
	}
	return nil
}

func checkMSet(c *command.Ctx, a *jsonSetArgs) error {
	_, v, err := findJSON(c, a.key)
	if err != nil {
		return err
	}
	q, err := compileChange(a.path)
	defer q.free()
	switch {
	case v == nil && (err != nil || !q.path.IsRoot()):
		return resp.ErrJSONRoot
	case err != nil:
		return err
	}
	if !q.path.IsRoot() {
		if _, err := planSet(q, v, false, false); err != nil {
			return err
		}
	}
	return a.late
}

func applyMSet(c *command.Ctx, a *jsonSetArgs) (bool, error) {
	e, v, err := findJSON(c, a.key)
	if err != nil {
		return false, err
	}
	q, err := compileChange(a.path)
	defer q.free()
	if err != nil {
		return false, err
	}
	if q.path.IsRoot() {
		setRoot(c, e, v, a.key, a.doc, "json.mset")
		return true, nil
	}
	p, err := planSet(q, v, false, false)
	if err != nil {
		return false, err
	}
	changed, err := p.apply(v, a.doc)
	if changed {
		changedJSON(c, e, v, "json.mset")
	}
	return changed, err
}

var jsonDelCommand = jsonDelete("json.del")

// jsonForgetCommand is another name of JSON.DEL.
var jsonForgetCommand = jsonDelete("json.forget")

func jsonDelete(name string) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -2, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
		Summary: "Delete a value",
		Args:    jsonKeyPath, Complexity: jsonON,
		Bind: command.Bind(parseJSONKey, runJSONDel),
	}
}

// jsonKey is a key and a path; words behind them are ignored, as in RedisJSON.
type jsonKey struct{ key, path []byte }

func parseJSONKey(p *args.Parser) jsonKey {
	a := jsonKey{p.Bytes(), pathOrRoot(p)}
	p.Rest()
	return a
}

func runJSONDel(c *command.Ctx, a jsonKey) error {
	e, v, err := findJSON(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Int(0)
		return nil
	}
	q, err := compileChange(a.path)
	defer q.free()
	if err != nil {
		return err
	}
	if q.path.IsRoot() {
		deleteJSON(c, e, a.key)
		c.W.Int(1)
		return nil
	}
	if err := q.Locate(&q.path, v.Root()); err != nil {
		return err
	}
	q.Outermost()
	deleted := int64(0)
	for _, m := range q.Matches {
		if m.Delete(v) {
			deleted++
		}
	}
	if deleted > 0 {
		root := v.Root()
		if k := root.Kind(); (k == json.Array || k == json.Object) && root.Len() == 0 {
			deleteJSON(c, e, a.key)
		} else {
			changedJSON(c, e, v, "json.del")
		}
	}
	c.W.Int(deleted)
	return nil
}

// deleteJSON removes a key. There is one event, as in RedisJSON.
func deleteJSON(c *command.Ctx, e *store.Entry, key []byte) {
	c.Tx.Changed(e, store.ClassModule, "json.del")
	c.Tx.Delete(key, "")
}

var jsonClearCommand = &command.Spec{
	Name: "json.clear", Arity: -2, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "2.0.0",
	Summary:    "Clear container values (arrays/objects) and set numeric values to 0",
	Args:       jsonKeyPath,
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONClear, runJSONClear),
}

func parseJSONClear(p *args.Parser) jsonKey {
	if p.Len() > 2 {
		p.Fail(resp.WrongArgs("json.clear"))
	}
	return jsonKey{p.Bytes(), pathOrRoot(p)}
}

func runJSONClear(c *command.Ctx, a jsonKey) error {
	e, v, err := needJSON(c, a.key)
	if err != nil {
		return err
	}
	q, err := compileChange(a.path)
	defer q.free()
	if err == nil {
		err = q.Locate(&q.path, v.Root())
	}
	if err != nil {
		return err
	}
	cleared := int64(0)
	for _, m := range q.Matches {
		if n, ok := m.Resolve(v.Root()); ok && v.Clear(n) {
			cleared++
		}
	}
	if cleared > 0 {
		changedJSON(c, e, v, "json.clear")
	}
	c.W.Int(cleared)
	return nil
}

var jsonTypeCommand = &command.Spec{
	Name: "json.type", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Report the type of JSON value at path",
	Args:       jsonKeyPath,
	Complexity: jsonO1,
	Bind:       command.Bind(parseJSONKey, runJSONType),
}

func runJSONType(c *command.Ctx, a jsonKey) error {
	v, err := getJSON(c, a.key)
	if err != nil {
		return err
	}
	start := c.W.Len()
	if c.W.Proto() == 3 {
		c.W.Array(1)
	}
	q, err := compileChange(a.path)
	defer q.free()
	if v == nil || err != nil && q.path.Legacy && err != resp.ErrJSONReadOnly {
		c.W.Null()
		return nil
	}
	if err == nil && q.path.Legacy {
		n, ok, err := q.First(&q.path, v.Root())
		if err == nil && ok {
			c.W.BulkString(n.Kind().String())
		} else {
			c.W.Null()
		}
		return nil
	}
	if err == nil {
		err = q.Find(&q.path, v.Root())
	}
	if err != nil {
		c.W.Truncate(start)
		return err
	}
	c.W.Array(len(q.Nodes))
	for _, n := range q.Nodes {
		c.W.BulkString(n.Kind().String())
	}
	return nil
}

var jsonDebugCommand = &command.Spec{
	Name: "json.debug", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.KeySpec{Find: debugKey}, Group: command.GroupModule, Since: "1.0.0",
	Summary: "This is a container command for debugging related tasks",
	Args: []command.Arg{
		{Name: "subcommand", Type: "oneof", Args: []command.Arg{flagArg("memory", "MEMORY"), flagArg("help", "HELP")}},
		optional(keyArg), optional(jsonPathArg),
	},
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONDebug, runJSONDebug),
}

// debugKey is the key of JSON.DEBUG MEMORY.
func debugKey(argv [][]byte) [][]byte { return argv[min(2, len(argv)):min(3, len(argv))] }

type jsonDebugArgs struct {
	jsonKey
	help bool
}

func parseJSONDebug(p *args.Parser) jsonDebugArgs {
	var a jsonDebugArgs
	switch {
	case p.Accept("HELP"):
		a.help = true
	case p.Accept("MEMORY"):
		a.key = needed(p, "json.debug")
		a.path = pathOrRoot(p)
	default:
		p.Fail(resp.Error("ERR unknown subcommand - try `JSON.DEBUG HELP`"))
	}
	p.Rest()
	return a
}

// runJSONDebug tells the memory that values take here, which is not what they take
// in RedisJSON.
func runJSONDebug(c *command.Ctx, a jsonDebugArgs) error {
	if a.help {
		c.W.Array(2)
		c.W.BulkString("MEMORY <key> [path] - reports memory usage")
		c.W.BulkString("HELP                - this message")
		return nil
	}
	v, err := getJSON(c, a.key)
	if err != nil {
		return err
	}
	q, err := compileChange(a.path)
	defer q.free()
	switch {
	case err != nil:
		return err
	case v == nil && q.path.Legacy:
		c.W.Int(0)
		return nil
	case v == nil:
		c.W.Array(0)
		return nil
	}
	return eachJSON(c, q, v, func(n json.Node) error {
		c.W.Int(int64(n.Memory()))
		return nil
	})
}

// eachJSON answers with each match of a path, or with the first of a legacy one,
// which must have one. An error of write is the command's for a legacy path.
func eachJSON(c *command.Ctx, q *jsonQuery, v *json.Value, write func(json.Node) error) error {
	if q.path.Legacy && !q.path.Projection() {
		n, ok, err := q.First(&q.path, v.Root())
		if err != nil {
			return err
		}
		if !ok {
			return resp.ErrJSONPath
		}
		return write(n)
	}
	if err := q.Find(&q.path, v.Root()); err != nil {
		return err
	}
	if q.path.Legacy {
		if len(q.Nodes) == 0 {
			return resp.ErrJSONPath
		}
		return write(q.Nodes[0])
	}
	start := c.W.Len()
	c.W.Array(len(q.Nodes))
	for _, n := range q.Nodes {
		if err := write(n); err != nil {
			c.W.Null()
		}
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return resp.ErrOutOfRange
		}
	}
	return nil
}

var jsonRespCommand = &command.Spec{
	Name: "json.resp", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Return the JSON in key in Redis serialization protocol specification form",
	Args:       jsonKeyPath,
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONKey, runJSONResp),
}

func runJSONResp(c *command.Ctx, a jsonKey) error {
	v, err := getJSON(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Null()
		return nil
	}
	q, err := compile(a.path)
	defer q.free()
	if err != nil {
		return err
	}
	return eachJSON(c, q, v, func(n json.Node) error {
		writeRESP(c.W, n)
		return nil
	})
}

// writeRESP writes a value as JSON.RESP does: arrays and objects as arrays that
// begin with their bracket.
func writeRESP(w *resp.Writer, n json.Node) {
	switch n.Kind() {
	case json.Null:
		w.Null()
	case json.Bool:
		if n.Bool() {
			w.Status("true")
		} else {
			w.Status("false")
		}
	case json.Integer:
		writeInteger(w, n)
	case json.Number:
		f, _ := n.Float()
		w.Double(f)
	case json.String:
		w.Bulk(n.Bytes())
	case json.Array:
		w.Array(n.Len() + 1)
		w.Status("[")
		for i := range n.Len() {
			writeRESP(w, n.Elem(i))
		}
	case json.Object:
		w.Array(2*n.Len() + 1)
		w.Status("{")
		for i := range n.Len() {
			key, v := n.Member(i)
			w.Bulk(key)
			writeRESP(w, v)
		}
	}
}

// writeInteger writes an integer; one beyond an int64 is a double, as in RedisJSON.
func writeInteger(w *resp.Writer, n json.Node) {
	if i, ok := n.Int(); ok {
		w.Int(i)
		return
	}
	f, _ := n.Float()
	w.Double(f)
}
