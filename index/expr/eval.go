package expr

// Context is what an expression is evaluated with. It may be used again for the
// next row, and by one goroutine at a time.
type Context struct {
	Row   []Value
	Terms func(most int) []string // the words of the query that the row's document has; nil for none

	stack []Value // arguments of the calls under way
	made  Value   // by the call that ended last: so that none allocates its result
	err   error
	lost  string // the name of the property that was missing last
}

// status is how far a part of an expression got.
type status uint8

const (
	done   status = iota
	absent        // a property that is not there: an error but for exists()
	failed        // Context.err says why
)

// Eval is the expression's value for the row of the context. The error is an [*Error].
func (e *Expr) Eval(c *Context) (Value, error) {
	var v Value
	c.err = nil
	switch e.eval(c, e.root, &v) {
	case absent:
		c.need()
		fallthrough
	case failed:
		c.stack = c.stack[:0]
		return Value{}, c.err
	}
	return v, nil
}

// need makes an error of the property that is missing.
func (c *Context) need() status {
	c.err = errorf("Could not find the value for a parameter name, consider using EXISTS if applicable for %s", near(c.lost))
	return failed
}

func (c *Context) fail(format string, args ...any) status {
	c.err = errorf(format, args...)
	return failed
}

func (e *Expr) eval(c *Context, n *node, out *Value) status {
	switch n.kind {
	case nLiteral:
		*out = n.value
		return done
	case nProperty:
		at := n.name
		if e.slots != nil {
			at = e.slots[at]
		}
		if at >= len(c.Row) || c.Row[at].kind == Missing {
			c.lost = e.names[n.name]
			return absent
		}
		*out = c.Row[at]
		return done
	case nCase:
		var test Value
		if s := e.eval(c, n.args[0], &test); s != done {
			return s
		}
		if test.True() {
			return e.eval(c, n.args[1], out)
		}
		return e.eval(c, n.args[2], out)
	case nCall:
		return e.call(c, n, out)
	}
	var l, r Value
	if s := e.value(c, n.left, &l); s != done {
		return s
	}
	switch n.kind {
	case nNot:
		*out = boolean(!l.True())
		return done
	case nAnd, nOr:
		if l.True() == (n.kind == nOr) {
			*out = boolean(n.kind == nOr)
			return done
		}
		if s := e.value(c, n.right, &r); s != done {
			return s
		}
		*out = boolean(r.True())
		return done
	}
	if s := e.value(c, n.right, &r); s != done {
		return s
	}
	if n.kind == nOp {
		x, ok1 := l.Float()
		y, ok2 := r.Float()
		if !ok1 || !ok2 {
			return c.fail("Could not convert value to a number")
		}
		*out = Num(arithmetic(n.op, x, y))
		return done
	}
	if n.op == tEqual || n.op == tNotEqual {
		*out = boolean(Equal(&l, &r) == (n.op == tEqual))
		return done
	}
	d, err := Compare(&l, &r, true)
	if err != nil {
		c.err = err
		return failed
	}
	yes := false
	switch n.op {
	case tLess:
		yes = d < 0
	case tLessEqual:
		yes = d <= 0
	case tGreater:
		yes = d > 0
	case tGreaterEqual:
		yes = d >= 0
	}
	*out = boolean(yes)
	return done
}

// value is eval where something must be there.
func (e *Expr) value(c *Context, n *node, out *Value) status {
	s := e.eval(c, n, out)
	if s == absent {
		return c.need()
	}
	return s
}

func boolean(b bool) Value {
	if b {
		return Num(1)
	}
	return Num(0)
}

// call evaluates the arguments and then the function.
func (e *Expr) call(c *Context, n *node, out *Value) status {
	base := len(c.stack)
	var v Value // out here, or it would be allocated
	for _, a := range n.args {
		v = Value{}
		switch s := e.eval(c, a, &v); {
		case s == absent && n.fn.name != "exists":
			return c.need()
		case s == failed:
			return failed
		}
		c.stack = append(c.stack, v)
	}
	s := n.fn.run(c, c.stack[base:], &c.made)
	*out, c.made = c.made, Value{}
	clear(c.stack[base:])
	c.stack = c.stack[:base]
	return s
}
