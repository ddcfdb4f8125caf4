package lua

// Coroutine lists the functions of coroutines. A coroutine is a Thread with a
// stack of its own; resume runs it on the stack of Go, yield returns from there.
var Coroutine = map[string]*Function{
	"create": GoFunction(coCreate), "resume": GoFunction(coResume), "running": GoFunction(coRunning),
	"status": GoFunction(coStatus), "wrap": GoFunction(coWrap), "yield": GoFunction(coYield),
}

func (l *Thread) newCoroutine() *Thread {
	f := l.Arg(1)
	if !f.isFunction() || f.fn().proto == nil {
		l.ArgError(1, "Lua function expected")
		return nil
	}
	co := newThread(l.s)
	co.push(f)
	return co
}

func coCreate(l *Thread) {
	if co := l.newCoroutine(); co != nil {
		l.Push(co.value())
	}
}

func coWrap(l *Thread) {
	if co := l.newCoroutine(); co != nil {
		l.Push(l.s.closure(coWrapped, co.value()))
	}
}

var statusNames = [...]string{stFresh: "suspended", stRunning: "running", stNormal: "normal", stYielded: "suspended", stDead: "dead"}

func coStatus(l *Thread) {
	if co := l.checkThread(1); co != nil {
		l.Push(l.String(statusNames[co.status]))
	}
}

func coRunning(l *Thread) {
	if l == l.s.main {
		l.Push(Nil)
		return
	}
	l.Push(l.value())
}

// resume runs a coroutine until it yields, returns or fails; its values are
// on its stack from the index that is returned on. ok is false where it has
// failed: msg then tells why.
func (l *Thread) resume(co *Thread, args []Value) (vals []Value, msg Value, ok bool) {
	s := l.s
	co.s = s // a function may have kept it since another machine ran
	if co.status != stFresh && co.status != stYielded {
		return nil, l.String("cannot resume " + statusNames[co.status] + " coroutine"), false
	}
	if s.depth >= maxDepth {
		return nil, l.String("C stack overflow"), false
	}
	fresh := co.status == stFresh
	if !fresh {
		co.top = co.frame().top
	}
	first := co.top
	co.ensure(len(args))
	co.top += copy(co.stack[co.top:], args)
	old := l.status
	l.status, co.status = stNormal, stRunning
	s.depth++
	co.entered, s.running = s.depth, co
	var done bool
	if fresh {
		var isLua bool
		if isLua, done = co.enter(first-1, multi); isLua {
			co.frame().entry = true
			done = co.run()
		}
	} else {
		want := co.frame().want
		co.leave(first)
		if want >= 0 {
			co.top = co.frame().top
		}
		done = co.run()
	}
	s.depth = co.entered - 1
	l.status, s.running = old, l
	switch {
	case !done:
		co.status = stDead
		msg = co.err
		if co.fatal {
			l.Kill(msg)
		}
		return nil, msg, false
	case co.status == stYielded:
		f := co.frame()
		return co.stack[f.base:f.top], Nil, true
	}
	co.status = stDead
	return co.stack[1:co.top], Nil, true
}

func coResume(l *Thread) {
	co := l.checkThread(1)
	if co == nil {
		return
	}
	vals, msg, ok := l.resume(co, l.argsFrom(2))
	if l.failed {
		return
	}
	l.Push(Bool(ok))
	if ok {
		l.pushAll(vals)
	} else {
		l.Push(msg)
	}
}

func coWrapped(l *Thread) {
	vals, msg, ok := l.resume(l.upvalue(0).thread(), l.argsFrom(1))
	switch {
	case l.failed:
	case ok:
		l.pushAll(vals)
	default:
		if s, ok := asString(msg); ok {
			msg = l.String(l.where(1) + s)
		}
		l.raise(msg)
	}
}

func coYield(l *Thread) {
	if l == l.s.main || l.s.depth > l.entered {
		l.runtimeError("attempt to yield across metamethod/C-call boundary")
		return
	}
	l.status = stYielded
}
