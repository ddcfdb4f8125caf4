package lua

import (
	"fmt"
	"math/rand/v2"
	"unsafe"
)

// State is a machine: its globals, its memory, and the limits it runs under.
// It belongs to one goroutine at a time.
type State struct {
	// Globals is the table of global variables.
	Globals *Table
	// Host is for the functions of the program that embeds the machine.
	Host any
	// Interrupt is called every few thousand steps; an error ends the script,
	// and no pcall catches it.
	Interrupt func() *Error
	// Local is for a library to keep something in for the length of a script.
	Local any
	// Budget is where memory comes from; nil is without limit.
	Budget *Budget

	main    *Thread
	running *Thread
	strMT   *Table
	depth   int // calls of Go within calls of Go, of all threads
	steps   int // until Interrupt is asked
	mem     memory
	random  rand48
}

// Thread is a coroutine, or the main one: a stack of values and of calls.
type Thread struct {
	s      *State
	stack  []Value // always window longer than what is in use
	top    int     // the first slot that is free
	frames []frame
	open   *upvalue // those that point into the stack, the highest first

	failed bool  // err is on its way to whoever catches it
	err    Value // while failed
	fatal  bool  // nobody catches it

	status  status
	entered int // State.depth when it was resumed
	spare   int // frames beyond the limit, for a handler of errors
	mark    uint32
}

type status uint8

const (
	stFresh status = iota // not started, or main
	stRunning
	stNormal // has resumed another one
	stYielded
	stDead
)

// frame is a call. The results of a function go where it stood itself.
type frame struct {
	fn    *Function
	at    int  // of the function on the stack
	base  int  // R(0), or the first argument
	top   int  // end of the registers, or of the arguments
	pc    int  // of the next instruction
	want  int  // results, multi for all
	tails int  // calls that were replaced by this one
	entry bool // run returns when it does
}

// Func is a function of Go: it asks Arg, calls Push for each result, and fails
// by one of the methods that say so.
type Func func(l *Thread)

// Function is a function: of Lua with its upvalues, or of Go with its values.
type Function struct {
	proto *Proto
	ups   []*upvalue
	code  Func
	vals  []Value
	mark  uint32
}

// upvalue is a variable that closures share: on the stack while its scope is
// open, its own afterwards.
type upvalue struct {
	v    *Value
	own  Value
	at   int
	next *upvalue
	mark uint32
}

const (
	window    = 256 // registers that an instruction can name
	minStack  = 64
	maxFrames = 20000
	maxValues = 1000000 // on a stack, as in Lua 5.2; 5.1 has no limit
	maxDepth  = 200
	minFree   = 20 // slots that a function of Go has for its results
)

// NewState makes a machine with a table of global variables.
func NewState(globals *Table) *State {
	s := &State{Globals: globals, strMT: stringMeta}
	s.main = newThread(s)
	s.random = rand48(rand.Uint64() & (1<<48 - 1))
	s.Reset()
	return s
}

// Main is the thread that scripts begin on.
func (s *State) Main() *Thread { return s.main }

func newThread(s *State) *Thread {
	s.alloc(int(unsafe.Sizeof(Thread{})) + (minStack+window)*valueSize)
	l := &Thread{s: s, stack: make([]Value, minStack+window), frames: make([]frame, 1, 4)}
	l.frames[0].top = 1
	l.top = 1
	return l
}

// NewFunction makes a function of Lua out of a compiled chunk.
func (s *State) NewFunction(p *Proto) *Function {
	s.alloc(int(unsafe.Sizeof(Function{})))
	return &Function{proto: p}
}

// GoFunction makes a function of Go that several States may use.
func GoFunction(f Func) *Function { return &Function{code: f, mark: everMarked} }

// closure makes a function of Go with values of its own.
func (s *State) closure(f Func, vals ...Value) Value {
	s.alloc(int(unsafe.Sizeof(Function{})) + len(vals)*valueSize)
	return (&Function{code: f, vals: vals}).value()
}

// State is the thread's machine.
func (l *Thread) State() *State { return l.s }

func (l *Thread) frame() *frame { return &l.frames[len(l.frames)-1] }

// regs are the registers of a Lua function whose first is at base.
func (l *Thread) regs(base int) *[window]Value {
	return (*[window]Value)(unsafe.Pointer(&l.stack[base]))
}

// ensure makes room for n values above top.
func (l *Thread) ensure(n int) {
	if need := l.top + n + window; need > len(l.stack) {
		l.grow(max(need, 2*len(l.stack)))
	}
}

func (l *Thread) grow(n int) {
	l.s.alloc((n - len(l.stack)) * valueSize)
	stack := make([]Value, n)
	copy(stack, l.stack)
	l.stack = stack
	for u := l.open; u != nil; u = u.next {
		u.v = &stack[u.at]
	}
}

// roomFor reports whether n more values fit on the stack, as lua_checkstack does.
func (l *Thread) roomFor(n int) bool {
	if n > 8000 || l.top-l.frame().base+n > 8000 {
		return false
	}
	l.ensure(n)
	return true
}

func (l *Thread) push(v Value) {
	l.stack[l.top] = v
	l.top++
}

// Call calls a function of any kind from a function of Go, and returns its
// results, which are valid until the next call; ok is false where it failed.
func (l *Thread) Call(fn Value, want int, args ...Value) (results []Value, ok bool) {
	l.ensure(len(args) + 1)
	at := l.top
	l.push(fn)
	for _, a := range args {
		l.push(a)
	}
	if !l.call(at, want) {
		return nil, false
	}
	results = l.stack[at:l.top]
	l.top = at
	return results, true
}

// call calls what is at at with the arguments above it; the results take its place.
func (l *Thread) call(at, want int) bool {
	s := l.s
	if s.depth++; s.depth >= maxDepth {
		if s.depth == maxDepth {
			return l.runtimeError("C stack overflow")
		}
		if s.depth >= maxDepth+maxDepth>>3 {
			return l.raise(String("error in error handling"))
		}
	}
	lua, ok := l.enter(at, want)
	if ok && lua {
		l.frame().entry = true
		ok = l.run()
	}
	s.depth--
	return ok
}

// enter begins a call. A function of Lua is left for run to go on with; one of
// Go has returned by then, or yielded.
func (l *Thread) enter(at, want int) (lua, ok bool) {
	if !l.stack[at].isFunction() {
		if !l.callable(at) {
			return false, false
		}
	}
	if len(l.frames) >= maxFrames+l.spare {
		return false, l.runtimeError("stack overflow")
	}
	if l.top > maxValues {
		return false, l.runtimeError("stack overflow")
	}
	fn := l.stack[at].fn()
	if fn.proto == nil {
		l.ensure(minFree)
		l.frames = append(l.frames, frame{fn: fn, at: at, base: at + 1, top: l.top, want: want})
		fn.code(l)
		switch {
		case l.failed:
			return false, false
		case l.status == stYielded:
			return false, true
		}
		l.leave(l.frame().top)
		return false, true
	}
	p := fn.proto
	base := at + 1
	nargs := l.top - base
	if p.vararg {
		l.ensure(p.params + 2 + p.regs)
		base = l.varargs(p, nargs)
	} else {
		for ; nargs < p.params; nargs++ {
			l.stack[l.top] = Nil
			l.top++
		}
		l.top = base + p.params
	}
	end := base + p.regs
	if end+window > len(l.stack) {
		l.grow(max(end+window, 2*len(l.stack)))
	}
	clear(l.stack[l.top:end])
	l.top = end
	if len(l.frames) == cap(l.frames) {
		l.s.alloc(cap(l.frames) * int(unsafe.Sizeof(frame{})))
	}
	l.frames = append(l.frames, frame{fn: fn, at: at, base: base, top: end, want: want})
	return true, true
}

// varargs moves the parameters of a vararg function above its extra arguments,
// and returns where they are.
func (l *Thread) varargs(p *Proto, nargs int) int {
	for ; nargs < p.params; nargs++ {
		l.push(Nil)
	}
	var arg *Table
	if p.needsArg {
		extra := nargs - p.params
		arg = newTable(l.s, extra, 1)
		for i := range extra {
			arg.setInt(l.s, i+1, l.stack[l.top-extra+i])
		}
		arg.set(l.s, strN.value(), Number(float64(extra)))
	}
	first, base := l.top-nargs, l.top
	for i := range p.params {
		l.push(l.stack[first+i])
		l.stack[first+i] = Nil
	}
	if arg != nil {
		l.push(arg.value())
	}
	return base
}

var strN = shared("n")

// callable puts the metamethod __call in front of what is not a function.
func (l *Thread) callable(at int) bool {
	tm := l.metaOf(l.stack[at], metaCall)
	if !tm.isFunction() {
		reg := at - l.frame().base
		return l.typeError(l.stack[at], reg, "call")
	}
	l.ensure(1)
	copy(l.stack[at+1:l.top+1], l.stack[at:l.top])
	l.top++
	l.stack[at] = tm
	return true
}

// leave ends the current call: the values from first up to top are its results.
func (l *Thread) leave(first int) {
	f := l.frame()
	dst, want, n := f.at, f.want, l.top-first
	l.frames = l.frames[:len(l.frames)-1]
	if want == multi {
		copy(l.stack[dst:], l.stack[first:first+n])
		l.top = dst + n
		return
	}
	if n >= want {
		copy(l.stack[dst:dst+want], l.stack[first:])
	} else {
		copy(l.stack[dst:], l.stack[first:first+n])
		clear(l.stack[dst+n : dst+want])
	}
	l.top = dst + want
}

// findUpval is the upvalue of a stack slot.
func (l *Thread) findUpval(at int) *upvalue {
	p := &l.open
	for *p != nil && (*p).at >= at {
		if (*p).at == at {
			return *p
		}
		p = &(*p).next
	}
	l.s.alloc(int(unsafe.Sizeof(upvalue{})))
	u := &upvalue{v: &l.stack[at], at: at, next: *p}
	*p = u
	return u
}

// closeUpvals gives the upvalues of slots from at on a place of their own.
func (l *Thread) closeUpvals(at int) {
	for l.open != nil && l.open.at >= at {
		u := l.open
		l.open = u.next
		u.own = *u.v
		u.v, u.next = &u.own, nil
	}
}

// protect calls as pcall does: it returns false and leaves the error at at.
// handler, where there is one, gets the error while the calls still stand.
func (l *Thread) protect(at, want int, handler Value) bool {
	frames, depth := len(l.frames), l.s.depth
	if l.call(at, want) {
		return true
	}
	if l.fatal {
		return false
	}
	err := l.err
	switch {
	case handler.isNil():
	case !handler.isFunction():
		err = String("error in error handling")
	default:
		l.failed, l.s.depth, l.spare = false, depth, 100
		l.top = max(l.top, l.frame().top)
		r, ok := l.Call(handler, 1, err)
		l.spare = 0
		switch {
		case ok:
			err = r[0]
		case l.fatal:
			return false
		default:
			err = String("error in error handling")
		}
	}
	l.unwind(frames, at, depth)
	l.stack[at] = err
	l.top = at + 1
	return false
}

// unwind forgets the calls above a level after an error.
func (l *Thread) unwind(frames, at, depth int) {
	l.closeUpvals(at)
	l.frames = l.frames[:frames]
	l.failed, l.err, l.s.depth = false, Nil, depth
}

// Reset makes the machine ready for the next script, whatever has become of the
// one before: its values are forgotten, its memory goes back to the budget.
func (s *State) Reset() {
	l := s.main
	l.closeUpvals(0)
	if len(l.stack) > maxKeptStack {
		l.stack = make([]Value, minStack+window)
	} else {
		clear(l.stack)
	}
	l.frames = l.frames[:1]
	if cap(l.frames) > maxKeptFrames {
		l.frames = make([]frame, 1, 4)
	}
	l.frames[0] = frame{top: 1}
	l.top = 1
	l.failed, l.err, l.fatal, l.status = false, Nil, false, stRunning
	s.running, s.depth, s.steps, s.Local = l, 0, stepsPerCheck, nil
	s.release()
}

// Run calls a function and returns its first result, or the error it ends with.
func (s *State) Run(fn *Function, args ...Value) (Value, *Error) {
	l := s.main
	r, ok := l.Call(fn.value(), 1, args...)
	if !ok {
		err := &Error{Value: l.err}
		err.Source, err.Line = l.place()
		return Nil, err
	}
	return r[0], nil
}

// What a machine keeps of its stacks between two scripts.
const (
	maxKeptStack  = 4096
	maxKeptFrames = 64
)

// String is a Value as an error message shows it.
func (v Value) String() string {
	switch v.Kind() {
	case KindNumber:
		return formatNumber(v.float())
	case KindString:
		return v.str().s
	case KindNil, KindFalse, KindTrue:
		return [...]string{"nil", "false", "true"}[v.n]
	case KindNull:
		return "userdata: (nil)"
	}
	return fmt.Sprintf("%s: %s", v.Type(), address(v.p))
}
