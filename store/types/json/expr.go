package json

// expr is what stands in a filter, or computes a value.
type expr struct {
	op       op
	x, y     *expr
	args     []*expr // of a function, what it is called on first
	fn       *function
	segs     []segment
	fromRoot bool // opPath: from $, not from @
	literal  Doc
}

type op uint8

const (
	opPath op = iota
	opLiteral
	opCall
	opAdd
	opSub
	opMul
	opDiv
	opRem
	opNeg
	opPlus
	opKeys // x~
	// From here on the result is a truth value, and no operand of the others.
	opNot
	opAnd
	opOr
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opRegex
	opIn
	opNin
	opSubsetOf
	opAnyOf
	opNoneOf
	opSizeOf
	opEmpty
)

func (e *expr) logical() bool { return e.op >= opNot }

var wordOps = map[string]op{
	"in": opIn, "nin": opNin, "subsetof": opSubsetOf, "anyof": opAnyOf, "noneof": opNoneOf,
	"size": opSizeOf, "sizeof": opSizeOf, "empty": opEmpty,
}

// expression reads
//
//	or → and → not → comparison → sum → product → sign → a term, its functions, ~
//
// where a term is a path, a literal, a function or an expression in parentheses.
func (c *compiler) expression() (*expr, bool) {
	if c.nested++; c.nested > maxNested {
		return nil, c.want("fewer levels")
	}
	defer func() { c.nested-- }()
	x, ok := c.and()
	for ok && c.word("||") {
		var y *expr
		if y, ok = c.and(); ok {
			x = &expr{op: opOr, x: x, y: y}
		}
	}
	return x, ok
}

func (c *compiler) and() (*expr, bool) {
	x, ok := c.not()
	for ok && c.word("&&") {
		var y *expr
		if y, ok = c.not(); ok {
			x = &expr{op: opAnd, x: x, y: y}
		}
	}
	return x, ok
}

func (c *compiler) not() (*expr, bool) {
	negate, any := false, false
	for c.space() == '!' && (c.at+1 == len(c.text) || c.text[c.at+1] != '=') {
		c.at++
		negate, any = !negate, true
	}
	x, ok := c.comparison()
	if ok && any {
		x = &expr{op: opNot, x: x}
		if !negate {
			x = &expr{op: opNot, x: x}
		}
	}
	return x, ok
}

// word accepts a sign of operators.
func (c *compiler) word(s string) bool {
	c.space()
	if len(c.text)-c.at < len(s) || string(c.text[c.at:c.at+len(s)]) != s {
		return false
	}
	c.at += len(s)
	return true
}

func (c *compiler) comparer() (op, bool) {
	for _, o := range []struct {
		s string
		op
	}{{"==", opEq}, {"!=", opNe}, {"<=", opLe}, {">=", opGe}, {"=~", opRegex}, {"<", opLt}, {">", opGt}} {
		if c.word(o.s) {
			return o.op, true
		}
	}
	from := c.at
	for 'a' <= c.peek() && c.peek() <= 'z' {
		c.at++
	}
	o, ok := wordOps[string(c.text[from:c.at])]
	if b := c.peek(); !ok || '0' <= b && b <= '9' || 'A' <= b && b <= 'Z' {
		c.at = from
		return 0, false
	}
	return o, true
}

func (c *compiler) comparison() (*expr, bool) {
	x, ok := c.sum()
	if !ok {
		return nil, false
	}
	o, is := c.comparer()
	if !is {
		return x, true
	}
	if x.logical() {
		return nil, c.want("&&, ||")
	}
	y, ok := c.operand(c.sum)
	if !ok {
		return nil, false
	}
	return &expr{op: o, x: x, y: y}, true
}

// operand reads what is a value and no condition.
func (c *compiler) operand(read func() (*expr, bool)) (*expr, bool) {
	e, ok := read()
	if ok && e.logical() {
		return nil, c.want("a value")
	}
	return e, ok
}

func (c *compiler) sum() (*expr, bool) { return c.chain("+-", []op{opAdd, opSub}, c.product) }

func (c *compiler) product() (*expr, bool) {
	return c.chain("*/%", []op{opMul, opDiv, opRem}, c.sign)
}

func (c *compiler) chain(signs string, ops []op, read func() (*expr, bool)) (*expr, bool) {
	x, ok := read()
next:
	for ok {
		b := c.space()
		for i := range len(signs) {
			if b != signs[i] || c.at == len(c.text) {
				continue
			}
			if x.logical() {
				return nil, c.want("&&, ||")
			}
			c.at++
			var y *expr
			if y, ok = c.operand(read); ok {
				x = &expr{op: ops[i], x: x, y: y}
			}
			continue next
		}
		break
	}
	return x, ok
}

func (c *compiler) sign() (*expr, bool) {
	b := c.space()
	if b != '-' && b != '+' {
		return c.term()
	}
	if c.at+1 < len(c.text) && b == '-' && '0' <= c.text[c.at+1] && c.text[c.at+1] <= '9' {
		return c.term()
	}
	c.at++
	if c.nested++; c.nested > maxNested {
		return nil, c.want("fewer levels")
	}
	x, ok := c.operand(c.sign)
	c.nested--
	if !ok {
		return nil, false
	}
	o := opNeg
	if b == '+' {
		o = opPlus
	}
	return &expr{op: o, x: x}, true
}

// term reads a term, the functions that it is handed to, and ~.
func (c *compiler) term() (*expr, bool) {
	x, ok := c.primary()
	for ok && c.peek() == '.' {
		before := c.at
		c.at++
		name := c.name()
		fn := functions[string(name)]
		if len(name) == 0 || c.peek() != '(' || fn == nil || x.logical() {
			c.at = before
			break
		}
		x, ok = c.call(fn, x)
	}
	if ok && c.peek() == '~' && x.op != opCall && !x.logical() {
		c.at++
		x = &expr{op: opKeys, x: x}
	}
	return x, ok
}

func (c *compiler) primary() (*expr, bool) {
	b := c.space()
	switch {
	case b == '@' || b == '$':
		c.at++
		e := &expr{op: opPath, fromRoot: b == '$'}
		var ok bool
		e.segs, ok = c.steps(nil, true)
		return e, ok
	case b == '(':
		c.at++
		e, ok := c.expression()
		if !ok {
			return nil, false
		}
		if !c.accept(')') {
			return nil, c.want("')'")
		}
		return e, true
	case 'a' <= b && b <= 'z':
		from := c.at
		for 'a' <= c.peek() && c.peek() <= 'z' {
			c.at++
		}
		if fn := functions[string(c.text[from:c.at])]; fn != nil && c.peek() == '(' {
			return c.call(fn, nil)
		}
		c.at = from
	}
	e := &expr{op: opLiteral}
	e.literal.reset(docHead + 16)
	w, ok := c.literal(&e.literal, 0)
	if !ok {
		return nil, false
	}
	putWord(e.literal.b, 0, w)
	e.literal.stack = nil
	return e, true
}

// call reads the arguments of a function; self, where there is one, is the first.
func (c *compiler) call(fn *function, self *expr) (*expr, bool) {
	e := &expr{op: opCall, fn: fn}
	if self != nil {
		e.args = append(e.args, self)
	}
	c.at++ // (
	for first := true; !c.accept(')'); first = false {
		if !first && !c.accept(',') {
			return nil, c.want("',', ')'")
		}
		if c.nested++; c.nested > maxNested {
			return nil, c.want("fewer levels")
		}
		a, ok := c.operand(c.sum)
		c.nested--
		if !ok {
			return nil, false
		}
		e.args = append(e.args, a)
	}
	return e, true
}

// literal reads a value: as JSON, but with either kind of quotes and without
// exponents.
func (c *compiler) literal(d *Doc, depth int) (word, bool) {
	b := c.space()
	switch {
	case b == '"' || b == '\'':
		s, ok := c.str()
		if !ok {
			return 0, false
		}
		var w word
		d.b, w = putString(d.b, s)
		return w, true
	case b == '-' || '0' <= b && b <= '9':
		return c.decimal(d)
	case b == '[' || b == '{':
		if depth++; depth > maxNested {
			return 0, c.want("fewer levels")
		}
		return c.literalBlock(d, depth)
	}
	for i, s := range []string{"null", "false", "true"} {
		if rest := c.text[c.at:]; len(rest) >= len(s) && string(rest[:len(s)]) == s &&
			(len(rest) == len(s) || !nameBytes[rest[len(s)]]) {
			c.at += len(s)
			return wordNull + word(i), true
		}
	}
	return 0, c.want("<string>, '<number>', from_current, from_root, boolean_true, boolean_false, null")
}

func (c *compiler) literalBlock(d *Doc, depth int) (word, bool) {
	object := c.peek() == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	c.at++
	from := len(d.stack)
	for first := true; !c.accept(end); first = false {
		if !first && !c.accept(',') {
			return 0, c.want("','")
		}
		if object {
			c.space()
			s, ok := c.str()
			if !ok {
				return 0, false
			}
			if !c.accept(':') {
				return 0, c.want("':'")
			}
			var w word
			d.b, w = putString(d.b, s)
			d.stack = append(d.stack, w)
		}
		w, ok := c.literal(d, depth)
		if !ok {
			return 0, false
		}
		d.stack = append(d.stack, w)
	}
	if object {
		return d.closeObject(from)
	}
	return d.closeArray(from)
}

func (c *compiler) decimal(d *Doc) (word, bool) {
	from := c.at
	if c.peek() == '-' {
		c.at++
	}
	digits := func() bool {
		from := c.at
		for '0' <= c.peek() && c.peek() <= '9' {
			c.at++
		}
		return c.at > from
	}
	ok := digits()
	if ok && c.peek() == '.' && c.at+1 < len(c.text) && '0' <= c.text[c.at+1] && c.text[c.at+1] <= '9' {
		c.at++
		digits()
	}
	p := parser{d: d, text: c.text[from:c.at]}
	if !ok || len(p.text) == 0 {
		c.at = from
		return 0, c.want("'<number>'")
	}
	w, ok := p.number()
	if !ok || p.at != len(p.text) {
		c.at = from
		return 0, c.want("'<number>'")
	}
	return w, true
}
