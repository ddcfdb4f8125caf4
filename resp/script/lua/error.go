package lua

import (
	"fmt"
	"strconv"
)

// Error is an error that has come out of a script.
type Error struct {
	Value  Value  // what was thrown
	Source string // of the function it was thrown in, "" where there is none
	Line   int    // in that; -1 in a function of Go
}

// Error implements error.
func (e *Error) Error() string { return e.Value.String() }

// raise throws a value. Like all that fail it returns false.
func (l *Thread) raise(v Value) bool {
	if !l.failed {
		l.failed, l.err = true, v
	}
	return false
}

// Raise makes the running function of Go fail with a value.
func (l *Thread) Raise(v Value) { l.raise(v) }

// Errorf makes the running function of Go fail with a message, which begins
// with the place it was called from.
func (l *Thread) Errorf(format string, args ...any) {
	l.raise(String(l.where(1) + fmt.Sprintf(format, args...)))
}

// Kill makes the script fail in a way that no pcall catches.
func (l *Thread) Kill(v Value) {
	l.raise(v)
	l.err, l.fatal = v, true
}

// Failed reports whether the running function has failed already.
func (l *Thread) Failed() bool { return l.failed }

// outOfMemory ends the script.
func (l *Thread) outOfMemory() bool {
	l.Kill(String("not enough memory"))
	return false
}

// runtimeError throws a message with the place of the function that runs.
func (l *Thread) runtimeError(format string, args ...any) bool {
	msg := fmt.Sprintf(format, args...)
	if f := l.frame(); f.fn != nil && f.fn.proto != nil {
		msg = chunkID(f.fn.proto.source) + ":" + strconv.Itoa(f.line()) + ": " + msg
	}
	return l.raise(String(msg))
}

// line is the line that a call of Lua is at.
func (f *frame) line() int {
	if f.pc == 0 {
		return int(f.fn.proto.lines[0])
	}
	return int(f.fn.proto.lines[f.pc-1])
}

// level finds the call that is n levels below the running one: its frame, nil
// where a tail call has replaced it; ok is false where there is none.
func (l *Thread) level(n int) (f *frame, ok bool) {
	i := len(l.frames) - 1
	for ; n > 0 && i > 0; i-- {
		n--
		if f := &l.frames[i]; f.fn.proto != nil {
			n -= f.tails
		}
	}
	switch {
	case n == 0 && i > 0:
		return &l.frames[i], true
	case n < 0:
		return nil, true
	}
	return nil, false
}

// where is the "name:line: " of a level, "" where it is not one of Lua.
func (l *Thread) where(n int) string {
	if f, ok := l.level(n); ok && f != nil && f.fn.proto != nil {
		return chunkID(f.fn.proto.source) + ":" + strconv.Itoa(f.line()) + ": "
	}
	return ""
}

// place is where the running function is, or its caller where it is one of Go.
func (l *Thread) place() (source string, line int) {
	f, ok := l.level(0)
	if ok && f != nil && f.fn.proto == nil {
		if g, found := l.level(1); found {
			f = g
		}
	}
	switch {
	case !ok:
		return "", 0
	case f == nil:
		return "=(tail call)", -1
	case f.fn.proto == nil:
		return "=[C]", -1
	}
	return f.fn.proto.source, f.line()
}

// typeError throws "attempt to … a … value", with the name of what is in the
// register, if it has one. reg is negative for what is in none.
func (l *Thread) typeError(v Value, reg int, what string) bool {
	if kind, name := l.nameOf(l.frame(), reg); kind != "" {
		return l.runtimeError("attempt to %s %s '%s' (a %s value)", what, kind, name, v.Type())
	}
	return l.runtimeError("attempt to %s a %s value", what, v.Type())
}

// nameOf says what the code calls the value in a register: "local" and its name.
func (l *Thread) nameOf(f *frame, reg int) (kind, name string) {
	if f.fn == nil || f.fn.proto == nil || reg < 0 || reg >= f.fn.proto.regs {
		return "", ""
	}
	p, pc := f.fn.proto, max(0, f.pc-1)
	if name := p.localName(reg, pc); name != "" {
		return "local", name
	}
	switch i := p.setter(pc, reg); i.op() {
	case opGetGlobal:
		return "global", cString(p.consts[i.bx()].str().s)
	case opMove:
		if i.b() < i.a() {
			return l.nameOf(f, i.b())
		}
	case opGetTable:
		return "field", p.constName(i.c())
	case opGetUpval:
		return "upvalue", cString(p.upvals[i.b()].name)
	case opSelf:
		return "method", p.constName(i.c())
	}
	return "", ""
}

func (p *Proto) constName(rk int) string {
	if rk&kBit != 0 && p.consts[rk&maxK].isString() {
		return cString(p.consts[rk&maxK].str().s)
	}
	return "?"
}

// calledAs says what the caller's code calls the function that runs.
func (l *Thread) calledAs() (kind, name string) {
	n := len(l.frames) - 1
	if n < 1 {
		return "", ""
	}
	f, up := &l.frames[n], &l.frames[n-1]
	if f.fn.proto != nil && f.tails > 0 || up.fn == nil || up.fn.proto == nil {
		return "", ""
	}
	i := up.fn.proto.code[max(0, up.pc-1)]
	switch i.op() {
	case opCall, opTailCall, opTForLoop:
		return l.nameOf(up, i.a())
	}
	return "", ""
}

func (l *Thread) concatError(a, b Value, rega, regb int) bool {
	if a.isString() || a.isNumber() {
		a, rega = b, regb
	}
	return l.typeError(a, rega, "concatenate")
}

func (l *Thread) arithError(a, b Value, rega, regb int) bool {
	if _, ok := toNumber(a); !ok {
		b, regb = a, rega
	}
	return l.typeError(b, regb, "perform arithmetic on")
}

func (l *Thread) orderError(a, b Value) bool {
	if a.Type()[2] == b.Type()[2] {
		return l.runtimeError("attempt to compare two %s values", a.Type())
	}
	return l.runtimeError("attempt to compare %s with %s", a.Type(), b.Type())
}
