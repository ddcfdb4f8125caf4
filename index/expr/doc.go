// Package expr is the expression language of FT.AGGREGATE's APPLY and FILTER, and
// of FT.CREATE's FILTER. It knows no document, no index and no wire.
//
//	text → [Parse] → [Expr] → [Expr.Eval] with a row of values → [Value]
//
//	expr  ← or;  or ← and { "||" and };  and ← not { "&&" not };  not ← "!" not | cmp
//	cmp   ← sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum ]
//	sum   ← prod { ("+" | "-") prod };  prod ← pow { ("*" | "/" | "%") pow };  pow ← unit [ "^" pow ]
//	unit  ← number | "text" | 'text' | @name | NULL | function "(" [expr { "," expr }] ")" | "(" expr ")"
//
// A property that a row does not have is an error where its value is needed;
// exists() asks for it first, and && and || look at their right side only when
// they must. NULL is a value: what a time function makes of what is no time, and
// what GROUPBY makes of a property that is missing.
//
// # Differences from RediSearch
//
//   - 5-3 is 2 and .5 is a half; there the first is a syntax error, the second 5.
//   - An escaped character in a @name stands for itself.
//   - A text of more than [MaxText] bytes, and an expression nested deeper than
//     [MaxDepth] or of more than [MaxNodes] parts, is an error.
//   - 0/0 is nan; there it is -nan on some machines.
//
// An [Expr] is read-only once it is bound, and may be evaluated from several
// goroutines, each with a [Context] of its own.
package expr
