package filter

import "bytes"

// Program is a compiled expression.
type Program struct {
	code  []value // values and operators, in postfix order
	depth int     // the largest number of values on the stack
}

// maxTokens bounds a program: each run goes through all of it.
const maxTokens = 1 << 16

// Compile makes a program of an expression. Where it cannot, it returns nil and
// the offset of what is wrong: 0 where all the words are known and their order
// is wrong. The expression ends at its first NUL, as in C.
func Compile(expression []byte) (*Program, int) {
	if i := bytes.IndexByte(expression, 0); i >= 0 {
		expression = expression[:i]
	}
	l := lexer{text: bytes.Clone(expression)}
	c := compiler{}
	var tokens []value
	for {
		var last *value
		if n := len(tokens); n > 0 {
			last = &tokens[n-1]
		}
		t, more, ok := l.next(last)
		if !ok || len(tokens) == maxTokens {
			return nil, l.at
		}
		if !more {
			break
		}
		tokens = append(tokens, t)
	}
	for _, t := range tokens {
		if t.kind != operator {
			c.push(t, 0)
		} else if !c.operator(t.op) {
			return nil, 0
		}
	}
	for len(c.waiting) > 0 {
		if c.top() == opOpen || !c.pop() {
			return nil, 0
		}
	}
	if c.values != 1 {
		return nil, 0
	}
	return &c.Program, 0
}

// compiler sorts operators by how they bind, as in Dijkstra's shunting yard.
type compiler struct {
	Program
	waiting []op
	values  int // that will be on the stack
}

func (c *compiler) push(v value, takes int) {
	c.code = append(c.code, v)
	c.values += 1 - takes
	c.depth = max(c.depth, c.values)
}

func (c *compiler) top() op { return c.waiting[len(c.waiting)-1] }

// pop moves the last operator that waits into the program; false if it would
// find too few values.
func (c *compiler) pop() bool {
	o := c.top()
	c.waiting = c.waiting[:len(c.waiting)-1]
	takes := ops[o].arity
	if c.values < takes {
		return false
	}
	c.push(value{kind: operator, op: o}, takes)
	return true
}

func (c *compiler) operator(o op) bool {
	switch o {
	case opOpen:
		c.waiting = append(c.waiting, o)
		return true
	case opClose:
		for len(c.waiting) > 0 {
			if c.top() == opOpen {
				c.waiting = c.waiting[:len(c.waiting)-1]
				return true
			}
			if !c.pop() {
				return false
			}
		}
		return false
	}
	for len(c.waiting) > 0 && c.top() != opOpen {
		before, now := ops[c.top()].precedence, ops[o].precedence
		// 2**3**2 is 2**(3**2).
		if before < now || o == opPow && before <= now {
			break
		}
		if !c.pop() {
			return false
		}
	}
	c.waiting = append(c.waiting, o)
	return true
}
