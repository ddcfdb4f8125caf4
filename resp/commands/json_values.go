package commands

import (
	"math"
	"math/big"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/types/json"
)

// numOp is arithmetic on a number of a document. Integers that do not fit are an
// error, and so are floats that are no number.
type numOp struct {
	integer func(i, j int64) (int64, bool)
	float   func(f, g float64) float64
}

var (
	numAdd = numOp{
		func(i, j int64) (int64, bool) { s := i + j; return s, (s > i) == (j > 0) },
		func(f, g float64) float64 { return f + g },
	}
	numMultiply = numOp{
		mulInt,
		func(f, g float64) float64 { return f * g },
	}
	numPower = numOp{powInt, math.Pow} // of integers: at most 63 steps before it does not fit
)

func powInt(i, j int64) (r int64, ok bool) {
	if j < 0 {
		return 0, false
	}
	if i == 0 || i == 1 || i == -1 {
		j = min(j, 2-j%2) // the same power
	}
	for r, ok = 1, true; ok && j > 0; j-- {
		r, ok = mulInt(r, i)
	}
	return r, ok
}

func mulInt(i, j int64) (int64, bool) {
	p := new(big.Int).Mul(big.NewInt(i), big.NewInt(j))
	return p.Int64(), p.IsInt64()
}

func jsonNumber(name, verb string, o numOp) *command.Spec {
	return &command.Spec{
		Name: name, Arity: 4, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
		Summary: verb,
		Args:    []command.Arg{keyArg, jsonPathArg, {Name: "number", Type: "double"}}, Complexity: jsonO1,
		Bind: command.Bind(parseJSONNumber, func(c *command.Ctx, a jsonNumberArgs) error {
			defer freeDoc(a.by)
			return runJSONNumber(c, a, name, o)
		}),
	}
}

var (
	jsonNumIncrByCommand = jsonNumber("json.numincrby", "Increment the number value stored at path by number", numAdd)
	jsonNumMultByCommand = jsonNumber("json.nummultby", "Multiply the number value stored at path by number", numMultiply)
	jsonNumPowByCommand  = jsonNumber("json.numpowby", "Raise the number value stored at path to the power of number", numPower)
)

type jsonNumberArgs struct {
	key, path []byte
	by        *json.Doc
	late      error // of the number, told where there is one to change
}

func parseJSONNumber(p *args.Parser) jsonNumberArgs {
	a := jsonNumberArgs{key: p.Bytes(), path: utf8Arg(p)}
	text := utf8Arg(p)
	if p.Err() != nil {
		return a
	}
	if a.by, a.late = parseDoc(text); a.late == nil {
		if k := a.by.Root().Kind(); k != json.Integer && k != json.Number {
			a.late = resp.Error("bad input number")
		}
	}
	return a
}

func runJSONNumber(c *command.Ctx, a jsonNumberArgs, event string, o numOp) error {
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
	numbers := 0
	for _, m := range q.Matches {
		if !isNumber(m.Node) {
			continue
		}
		numbers++
		if a.late != nil {
			return a.late
		}
		if err := o.apply(nil, m.Node, a.by.Root()); err != nil {
			return err
		}
	}
	if q.path.Legacy && numbers == 0 && c.W.Proto() == 2 {
		return errJSONNotNumber
	}
	for _, m := range q.Matches {
		// A value that is matched twice is changed twice.
		if n, ok := m.Resolve(v.Root()); ok && isNumber(n) {
			if err := o.apply(v, n, a.by.Root()); err != nil {
				changedJSON(c, e, v, event)
				return err
			}
		}
	}
	writeNumbers(c, q, v)
	if numbers > 0 {
		changedJSON(c, e, v, event)
	}
	return nil
}

func isNumber(n json.Node) bool { k := n.Kind(); return k == json.Integer || k == json.Number }

// apply changes a number; where v is nil it only says whether that can be done.
func (o numOp) apply(v *json.Value, n, by json.Node) error {
	i, ok := n.Int()
	j, ok2 := by.Int()
	if ok && ok2 {
		if r, ok := o.integer(i, j); ok {
			if v != nil {
				v.SetInt(n, r)
			}
			return nil
		}
		if j >= 0 {
			return resp.ErrJSONOverflow
		}
	}
	f, _ := n.Float()
	g, _ := by.Float()
	r := o.float(f, g)
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return resp.ErrJSONNaN
	}
	if v != nil {
		v.SetFloat(n, r)
	}
	return nil
}

// writeNumbers answers with what the numbers have become: in RESP3 an array, in
// RESP2 its text, or that of the last number for a legacy path.
func writeNumbers(c *command.Ctx, q *jsonQuery, v *json.Value) {
	if c.W.Proto() == 3 {
		c.W.Array(len(q.Matches))
		for _, m := range q.Matches {
			n, ok := m.Resolve(v.Root())
			switch {
			case !ok || !isNumber(n):
				c.W.Null()
			case n.Kind() == json.Integer:
				writeInteger(c.W, n)
			default:
				f, _ := n.Float()
				c.W.Double(f)
			}
		}
		return
	}
	b := q.text[:0]
	for _, m := range q.Matches {
		n, ok := m.Resolve(v.Root())
		ok = ok && isNumber(n)
		switch {
		case q.path.Legacy && ok:
			b = n.Append(b[:0])
		case q.path.Legacy:
		case ok:
			b = n.Append(append(b, ','))
		default:
			b = append(b, ",null"...)
		}
	}
	if !q.path.Legacy {
		if len(b) == 0 {
			b = append(b, '[')
		}
		b[0] = '['
		b = append(b, ']')
	}
	q.text = b
	c.W.Bulk(b)
}

var jsonToggleCommand = &command.Spec{
	Name: "json.toggle", Arity: 3, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "2.0.0",
	Summary:    "Toggle the boolean value stored at path",
	Args:       []command.Arg{keyArg, jsonPathArg},
	Complexity: jsonO1,
	Bind:       command.Bind(parseJSONKey, runJSONToggle),
}

func runJSONToggle(c *command.Ctx, a jsonKey) error {
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
	toggled := 0
	last := false
	if !q.path.Legacy {
		c.W.Array(len(q.Matches))
	}
	for _, m := range q.Matches {
		n, ok := m.Resolve(v.Root())
		if !ok || n.Kind() != json.Bool {
			if !q.path.Legacy {
				c.W.Null()
			}
			continue
		}
		toggled++
		last = !n.Bool()
		v.SetBool(n, last)
		if !q.path.Legacy {
			c.W.Int(int64(btoi(last)))
		}
	}
	if toggled > 0 {
		changedJSON(c, e, v, "json.toggle")
	}
	switch {
	case !q.path.Legacy:
	case toggled == 0:
		return errJSONNotBool
	case last:
		c.W.BulkString("true")
	default:
		c.W.BulkString("false")
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

var jsonStrAppendCommand = &command.Spec{
	Name: "json.strappend", Arity: -3, Flags: command.Write | command.DenyOOM | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Append the json-string values to the string at path",
	Args:       []command.Arg{keyArg, optional(jsonPathArg), {Name: "json-string", Type: "string"}},
	Complexity: jsonO1,
	Bind:       command.Bind(parseJSONStrAppend, runJSONStrAppend),
}

func parseJSONStrAppend(p *args.Parser) jsonNumberArgs {
	a := jsonNumberArgs{key: p.Bytes(), path: legacyRoot}
	text := utf8Arg(p)
	if p.More() {
		a.path, text = text, utf8Arg(p)
		p.Rest()
	}
	if p.Err() != nil {
		return a
	}
	if a.by, a.late = parseDoc(text); a.late == nil && a.by.Root().Kind() != json.String {
		a.late = notA(json.String)
	}
	return a
}

func runJSONStrAppend(c *command.Ctx, a jsonNumberArgs) error {
	defer freeDoc(a.by)
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
	strings, size := 0, 0
	for _, m := range q.Matches {
		if m.Node.Kind() == json.String {
			strings++
			size += m.Node.Len()
		}
	}
	switch {
	case strings > 0 && a.late != nil:
		return a.late
	case strings == 0 && q.path.Legacy:
		return errJSONNotString
	case strings > 0 && !v.Fits(2*(size+strings*a.by.Size())):
		return json.ErrTooLarge
	}
	if !q.path.Legacy {
		c.W.Array(len(q.Matches))
	}
	last := 0
	for _, m := range q.Matches {
		n, ok := m.Resolve(v.Root())
		ok = ok && n.Kind() == json.String
		if ok {
			last = v.AppendTo(n, a.by.Root().Bytes())
		}
		switch {
		case q.path.Legacy:
		case ok:
			c.W.Int(int64(last))
		default:
			c.W.Null()
		}
	}
	if strings > 0 {
		changedJSON(c, e, v, "json.strappend")
	}
	if q.path.Legacy {
		c.W.Int(int64(last))
	}
	return nil
}

var jsonStrLenCommand = &command.Spec{
	Name: "json.strlen", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Report the length of the JSON String at path in key",
	Args:       jsonKeyPath,
	Complexity: jsonO1,
	Bind:       command.Bind(parseJSONKey, runJSONStrLen),
}

// readJSON finds a document and compiles a path to read from it. Where the key is
// missing it answers null for a legacy path, and fails with an error for another.
// done says that there is nothing left to do; the query must be freed.
func readJSON(c *command.Ctx, a jsonKey, missing error) (q *jsonQuery, v *json.Value, done bool, err error) {
	q, bad := compileChange(a.path)
	if v, err = getJSON(c, a.key); err != nil {
		return q, nil, true, err
	}
	switch {
	case v == nil && q.path.Legacy:
		c.W.Null()
		return q, nil, true, nil
	case v == nil:
		return q, nil, true, missing
	}
	return q, v, bad != nil, bad
}

func runJSONStrLen(c *command.Ctx, a jsonKey) error {
	q, v, done, err := readJSON(c, a, resp.ErrJSONNoKey)
	defer q.free()
	if done {
		return err
	}
	return eachJSON(c, q, v, func(n json.Node) error {
		if n.Kind() != json.String {
			return notA(json.String)
		}
		c.W.Int(int64(n.Len()))
		return nil
	})
}

var jsonObjKeysCommand = &command.Spec{
	Name: "json.objkeys", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Return the keys in the object that's referenced by path",
	Args:       jsonKeyPath,
	Complexity: jsonON,
	Bind:       command.Bind(parseJSONKey, runJSONObjKeys),
}

func runJSONObjKeys(c *command.Ctx, a jsonKey) error {
	q, v, done, err := readJSON(c, a, resp.ErrJSONNoKey)
	defer q.free()
	if done && (err == nil || !q.path.Legacy || v == nil || err == resp.ErrJSONReadOnly) {
		return err
	}
	if err == nil {
		err = eachJSON(c, q, v, func(n json.Node) error {
			if n.Kind() != json.Object {
				return errJSONNotObject
			}
			c.W.Array(n.Len())
			for i := range n.Len() {
				key, _ := n.Member(i)
				c.W.Bulk(key)
			}
			return nil
		})
	} else {
		err = resp.ErrJSONPath
	}
	if err == resp.ErrJSONPath && q.path.Legacy {
		c.W.Null()
		return nil
	}
	return err
}

var jsonObjLenCommand = &command.Spec{
	Name: "json.objlen", Arity: -2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupModule, Since: "1.0.0",
	Summary:    "Report the number of keys in the JSON object at path in key",
	Args:       jsonKeyPath,
	Complexity: jsonO1,
	Bind:       command.Bind(parseJSONKey, runJSONObjLen),
}

func runJSONObjLen(c *command.Ctx, a jsonKey) error {
	q, v, done, err := readJSON(c, a, errJSONNotObject)
	defer q.free()
	if done {
		return err
	}
	err = eachJSON(c, q, v, func(n json.Node) error {
		if n.Kind() != json.Object {
			return notA(json.Object)
		}
		c.W.Int(int64(n.Len()))
		return nil
	})
	if err == resp.ErrJSONPath && q.path.Legacy {
		c.W.Null()
		return nil
	}
	return err
}
