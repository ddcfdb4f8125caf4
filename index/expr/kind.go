package expr

import "strings"

// Kind says what an expression is at its top, as RediSearch's profiles do.
func (e *Expr) Kind() string {
	switch n := e.root; n.kind {
	case nLiteral:
		return "Literal " + string(n.value.Append(nil))
	case nProperty:
		return "Property " + e.names[n.name]
	case nCall:
		return "Function " + strings.ToLower(n.fn.name)
	case nCase:
		return "Function case"
	case nOp:
		return "Operator " + signs[n.op]
	case nCompare:
		return "Predicate " + signs[n.op]
	case nAnd:
		return "Predicate &&"
	case nOr:
		return "Predicate ||"
	default:
		return "Inverse"
	}
}

var signs = map[tokenKind]string{
	tEqual: "==", tNotEqual: "!=", tLess: "<", tLessEqual: "<=", tGreater: ">", tGreaterEqual: ">=",
	tPlus: "+", tMinus: "-", tTimes: "*", tDivide: "/", tMod: "%", tPow: "^",
}
