package lua

import "math"

// exprKind says where the value of an expression is.
type exprKind uint8

const (
	exVoid exprKind = iota // no value
	exNil
	exTrue
	exFalse
	exK        // info: constant
	exNum      // num
	exLocal    // info: register
	exUpval    // info: upvalue
	exGlobal   // info: constant of its name
	exIndexed  // info: register of the table, aux: k operand of the key
	exJump     // info: the jump that a comparison ends in
	exReloc    // info: instruction that may put it into any register
	exFixed    // info: register
	exCall     // info: instruction
	exVarargs  // info: instruction
	constLimit = 1<<18 - 1
	jumpLimit  = 1<<17 - 1
)

// expr describes an expression that is being compiled. t and f are lists of
// jumps that leave it where it turns out true or false.
type expr struct {
	kind exprKind
	info int
	aux  int
	num  float64
	t, f int
}

func newExpr(k exprKind, info int) expr { return expr{kind: k, info: info, t: noJump, f: noJump} }

func (e *expr) hasJumps() bool  { return e.t != e.f }
func (e *expr) isNumeral() bool { return e.kind == exNum && e.t == noJump && e.f == noJump }
func (e *expr) isMulti() bool   { return e.kind == exCall || e.kind == exVarargs }

// function is a function that is being compiled.
type function struct {
	p      *Proto
	up     *function // the one around it
	x      *lexer
	blk    *block
	label  int // the last position that something jumps to
	here   int // list of jumps to the next instruction
	free   int // first free register
	active []int
	ks     map[kKey]int
	ups    []upvalKey
	scrap  instr // stands in for code that an error has kept from being made
}

type kKey struct {
	kind Kind
	bits uint64
	s    string
}

type upvalKey struct {
	kind exprKind
	info int
}

// block is a scope.
type block struct {
	up     *block
	breaks int // list of jumps out of the loop
	vars   int // active variables outside
	upval  bool
	loop   bool
}

func (f *function) pc() int { return len(f.p.code) }

func (f *function) at(pc int) *instr {
	if pc < 0 || pc >= len(f.p.code) {
		return &f.scrap
	}
	return &f.p.code[pc]
}

// What an instruction and a constant take while a function is compiled, in bytes.
const (
	bytesPerInstr = 2 * (8 + 4)
	bytesPerConst = 128
)

func (f *function) emitAt(i instr, line int) int {
	f.patchAux(f.here, f.pc(), noReg, f.pc())
	f.here = noJump
	if f.x.take(bytesPerInstr); f.x.err != nil {
		return 0
	}
	f.p.code = append(f.p.code, i)
	f.p.lines = append(f.p.lines, int32(line))
	return f.pc() - 1
}

func (f *function) emit(o op, a, b, c int) int { return f.emitAt(abc(o, a, b, c), f.x.last) }

func (f *function) fixLine(line int) {
	if n := len(f.p.lines); n > 0 {
		f.p.lines[n-1] = int32(line)
	}
}

func (f *function) loadNil(from, n int) {
	if f.pc() > f.label {
		if f.pc() == 0 {
			if from >= len(f.active) {
				return // fresh registers are nil
			}
		} else if prev := f.at(f.pc() - 1); prev.op() == opLoadNil {
			if a, b := prev.a(), prev.b(); a <= from && from <= b+1 {
				prev.setB(max(b, from+n-1))
				return
			}
		}
	}
	f.emit(opLoadNil, from, from+n-1, 0)
}

func (f *function) jump() int {
	pending := f.here
	f.here = noJump
	j := f.emit(opJmp, 0, 0, noJump)
	f.concat(&j, pending)
	return j
}

func (f *function) condJump(o op, a, b, c int) int {
	f.emit(o, a, b, c)
	return f.jump()
}

func (f *function) ret(first, n int) { f.emit(opReturn, first, n+1, 0) }

func (f *function) fixJump(pc, dest int) {
	off := dest - (pc + 1)
	if off > jumpLimit || off < -jumpLimit {
		f.x.syntax("control structure too long")
		return
	}
	f.at(pc).setC(off)
}

func (f *function) setLabel() int {
	f.label = f.pc()
	return f.pc()
}

func (f *function) target(pc int) int {
	off := f.at(pc).bx()
	if off == noJump {
		return noJump
	}
	return pc + 1 + off
}

// control is the instruction that decides on a jump.
func (f *function) control(pc int) *instr {
	if pc >= 1 && f.at(pc-1).op().isTest() {
		return f.at(pc - 1)
	}
	return f.at(pc)
}

// needValue reports whether a jump of the list leaves without a value.
func (f *function) needValue(list int) bool {
	for ; list != noJump; list = f.target(list) {
		if f.control(list).op() != opTestSet {
			return true
		}
	}
	return false
}

func (f *function) patchTest(pc, reg int) bool {
	i := f.control(pc)
	if i.op() != opTestSet {
		return false
	}
	if reg != noReg && reg != i.b() {
		i.setA(reg)
	} else {
		*i = abc(opTest, i.b(), 0, i.c())
	}
	return true
}

func (f *function) dropValues(list int) {
	for ; list != noJump; list = f.target(list) {
		f.patchTest(list, noReg)
	}
}

// patchAux makes the jumps of a list go to vtarget where they carry a value to
// reg, and to dtarget where they do not.
func (f *function) patchAux(list, vtarget, reg, dtarget int) {
	for list != noJump && f.x.err == nil {
		next := f.target(list)
		if f.patchTest(list, reg) {
			f.fixJump(list, vtarget)
		} else {
			f.fixJump(list, dtarget)
		}
		list = next
	}
}

func (f *function) patch(list, target int) {
	if target == f.pc() {
		f.patchHere(list)
	} else {
		f.patchAux(list, target, noReg, target)
	}
}

func (f *function) patchHere(list int) {
	f.setLabel()
	f.concat(&f.here, list)
}

// concat appends list l2 to l1.
func (f *function) concat(l1 *int, l2 int) {
	switch {
	case l2 == noJump || f.x.err != nil:
	case *l1 == noJump:
		*l1 = l2
	default:
		list := *l1
		for next := f.target(list); next != noJump; next = f.target(list) {
			list = next
		}
		f.fixJump(list, l2)
	}
}

// maxRegs is how many registers a function may use.
const maxRegs = 250

func (f *function) checkRegs(n int) {
	if n += f.free; n > f.p.regs {
		if n >= maxRegs {
			f.x.syntax("function or expression too complex")
			return
		}
		f.p.regs = n
	}
}

func (f *function) reserve(n int) {
	f.checkRegs(n)
	f.free += n
}

func (f *function) freeReg(r int) {
	if r&kBit == 0 && r >= len(f.active) {
		f.free--
	}
}

func (f *function) freeExpr(e *expr) {
	if e.kind == exFixed {
		f.freeReg(e.info)
	}
}

func (f *function) addK(k kKey, v Value) int {
	if i, ok := f.ks[k]; ok {
		return i
	}
	if len(f.p.consts) >= constLimit {
		f.x.fail("constant table overflow", "")
		return 0
	}
	f.x.take(bytesPerConst + len(k.s))
	i := len(f.p.consts)
	f.ks[k] = i
	f.p.consts = append(f.p.consts, v)
	return i
}

func (f *function) stringK(s string) int {
	if i, ok := f.ks[kKey{kind: KindString, s: s}]; ok {
		return i
	}
	return f.addK(kKey{kind: KindString, s: s}, shared(s).value())
}

func (f *function) numberK(n float64) int {
	k := kKey{kind: KindNumber, bits: math.Float64bits(n)}
	if n == 0 {
		k.bits = 0 // 0 and -0 are one key, as in a table
	}
	return f.addK(k, Number(n))
}

func (f *function) kindK(v Value) int { return f.addK(kKey{kind: v.Kind()}, v) }

func (f *function) setReturns(e *expr, n int) {
	switch e.kind {
	case exCall:
		f.at(e.info).setC(n + 1)
	case exVarargs:
		f.at(e.info).setB(n + 1)
		f.at(e.info).setA(f.free)
		f.reserve(1)
	}
}

func (f *function) setOneReturn(e *expr) {
	switch e.kind {
	case exCall:
		e.kind, e.info = exFixed, f.at(e.info).a()
	case exVarargs:
		f.at(e.info).setB(2)
		e.kind = exReloc
	}
}

// discharge makes sure that the expression is a value and no variable.
func (f *function) discharge(e *expr) {
	switch e.kind {
	case exLocal:
		e.kind = exFixed
	case exUpval:
		e.kind, e.info = exReloc, f.emit(opGetUpval, 0, e.info, 0)
	case exGlobal:
		e.kind, e.info = exReloc, f.emit(opGetGlobal, 0, 0, e.info)
	case exIndexed:
		f.freeReg(e.aux)
		f.freeReg(e.info)
		e.kind, e.info = exReloc, f.emit(opGetTable, 0, e.info, e.aux)
	case exVarargs, exCall:
		f.setOneReturn(e)
	}
}

func (f *function) dischargeTo(e *expr, reg int) {
	f.discharge(e)
	switch e.kind {
	case exNil:
		f.loadNil(reg, 1)
	case exFalse:
		f.emit(opLoadBool, reg, 0, 0)
	case exTrue:
		f.emit(opLoadBool, reg, 1, 0)
	case exK:
		f.emit(opLoadK, reg, 0, e.info)
	case exNum:
		f.emit(opLoadK, reg, 0, f.numberK(e.num))
	case exReloc:
		f.at(e.info).setA(reg)
	case exFixed:
		if reg != e.info {
			f.emit(opMove, reg, e.info, 0)
		}
	default:
		return
	}
	e.kind, e.info = exFixed, reg
}

func (f *function) dischargeToAny(e *expr) {
	if e.kind != exFixed {
		f.reserve(1)
		f.dischargeTo(e, f.free-1)
	}
}

func (f *function) toReg(e *expr, reg int) {
	f.dischargeTo(e, reg)
	if e.kind == exJump {
		f.concat(&e.t, e.info)
	}
	if e.hasJumps() {
		pf, pt := noJump, noJump
		if f.needValue(e.t) || f.needValue(e.f) {
			fj := noJump
			if e.kind != exJump {
				fj = f.jump()
			}
			f.setLabel()
			pf = f.emit(opLoadBool, reg, 0, 1)
			f.setLabel()
			pt = f.emit(opLoadBool, reg, 1, 0)
			f.patchHere(fj)
		}
		final := f.setLabel()
		f.patchAux(e.f, final, reg, pf)
		f.patchAux(e.t, final, reg, pt)
	}
	*e = newExpr(exFixed, reg)
}

func (f *function) toNext(e *expr) {
	f.discharge(e)
	f.freeExpr(e)
	f.reserve(1)
	f.toReg(e, f.free-1)
}

func (f *function) toAny(e *expr) int {
	f.discharge(e)
	if e.kind == exFixed {
		if !e.hasJumps() {
			return e.info
		}
		if e.info >= len(f.active) {
			f.toReg(e, e.info)
			return e.info
		}
	}
	f.toNext(e)
	return e.info
}

func (f *function) toVal(e *expr) {
	if e.hasJumps() {
		f.toAny(e)
	} else {
		f.discharge(e)
	}
}

// toRK makes the expression a k operand.
func (f *function) toRK(e *expr) int {
	f.toVal(e)
	switch e.kind {
	case exNum, exTrue, exFalse, exNil:
		if len(f.p.consts) <= maxK {
			switch e.kind {
			case exNum:
				e.info = f.numberK(e.num)
			case exTrue:
				e.info = f.kindK(True)
			case exFalse:
				e.info = f.kindK(False)
			default:
				e.info = f.kindK(Nil)
			}
			e.kind = exK
			return e.info | kBit
		}
	case exK:
		if e.info <= maxK {
			return e.info | kBit
		}
	}
	return f.toAny(e)
}

func (f *function) store(v, e *expr) {
	switch v.kind {
	case exLocal:
		f.freeExpr(e)
		f.toReg(e, v.info)
		return
	case exUpval:
		f.emit(opSetUpval, f.toAny(e), v.info, 0)
	case exGlobal:
		f.emit(opSetGlobal, f.toAny(e), 0, v.info)
	case exIndexed:
		r := f.toRK(e)
		f.emit(opSetTable, v.info, v.aux, r)
	}
	f.freeExpr(e)
}

func (f *function) self(e, key *expr) {
	f.toAny(e)
	f.freeExpr(e)
	reg := f.free
	f.reserve(2)
	f.emit(opSelf, reg, e.info, f.toRK(key))
	f.freeExpr(key)
	e.kind, e.info = exFixed, reg
}

func (f *function) invert(e *expr) {
	i := f.control(e.info)
	i.setA(i.a() ^ 1)
}

func (f *function) jumpOn(e *expr, cond bool) int {
	c := 0
	if cond {
		c = 1
	}
	if e.kind == exReloc {
		if i := *f.at(e.info); i.op() == opNot && f.x.err == nil {
			f.p.code = f.p.code[:f.pc()-1]
			f.p.lines = f.p.lines[:f.pc()]
			return f.condJump(opTest, i.b(), 0, c^1)
		}
	}
	f.dischargeToAny(e)
	f.freeExpr(e)
	return f.condJump(opTestSet, noReg, e.info, c)
}

func (f *function) goIfTrue(e *expr) {
	f.discharge(e)
	pc := noJump
	switch e.kind {
	case exK, exNum, exTrue:
	case exJump:
		f.invert(e)
		pc = e.info
	default:
		pc = f.jumpOn(e, false)
	}
	f.concat(&e.f, pc)
	f.patchHere(e.t)
	e.t = noJump
}

func (f *function) goIfFalse(e *expr) {
	f.discharge(e)
	pc := noJump
	switch e.kind {
	case exNil, exFalse:
	case exJump:
		pc = e.info
	default:
		pc = f.jumpOn(e, true)
	}
	f.concat(&e.t, pc)
	f.patchHere(e.f)
	e.f = noJump
}

func (f *function) not(e *expr) {
	f.discharge(e)
	switch e.kind {
	case exNil, exFalse:
		e.kind = exTrue
	case exK, exNum, exTrue:
		e.kind = exFalse
	case exJump:
		f.invert(e)
	case exReloc, exFixed:
		f.dischargeToAny(e)
		f.freeExpr(e)
		e.kind, e.info = exReloc, f.emit(opNot, 0, e.info, 0)
	}
	e.t, e.f = e.f, e.t
	f.dropValues(e.f)
	f.dropValues(e.t)
}

func (f *function) indexed(t, k *expr) {
	t.aux = f.toRK(k)
	t.kind = exIndexed
}

// fold computes an operation of two numerals, unless it would make a NaN.
func fold(o op, a, b *expr) bool {
	if !a.isNumeral() || !b.isNumeral() || o == opLen || o == opConcat {
		return false
	}
	if (o == opDiv || o == opMod) && b.num == 0 {
		return false
	}
	r := arith(o, a.num, b.num)
	if r != r {
		return false
	}
	a.num = r
	return true
}

func (f *function) arith(o op, a, b *expr) {
	if fold(o, a, b) {
		return
	}
	r2 := 0
	if o != opUnm && o != opLen {
		r2 = f.toRK(b)
	}
	r1 := f.toRK(a)
	if r1 > r2 {
		f.freeExpr(a)
		f.freeExpr(b)
	} else {
		f.freeExpr(b)
		f.freeExpr(a)
	}
	a.kind, a.info = exReloc, f.emit(o, 0, r1, r2)
}

func (f *function) compare(o op, cond int, a, b *expr) {
	r1, r2 := f.toRK(a), f.toRK(b)
	f.freeExpr(b)
	f.freeExpr(a)
	if cond == 0 && o != opEq {
		r1, r2, cond = r2, r1, 1
	}
	a.kind, a.info = exJump, f.condJump(o, cond, r1, r2)
}

// binary operators, in the order of the table below.
type binary int

const (
	biNone binary = iota
	biAdd
	biSub
	biMul
	biDiv
	biMod
	biPow
	biConcat
	biNe
	biEq
	biLt
	biLe
	biGt
	biGe
	biAnd
	biOr
)

var binaries = map[token]binary{
	'+': biAdd, '-': biSub, '*': biMul, '/': biDiv, '%': biMod, '^': biPow, tkConcat: biConcat,
	tkNe: biNe, tkEq: biEq, '<': biLt, tkLe: biLe, '>': biGt, tkGe: biGe, tkAnd: biAnd, tkOr: biOr,
}

// priority is how strongly an operator binds to the left and to the right.
var priority = [...]struct{ left, right int }{
	biAdd: {6, 6}, biSub: {6, 6}, biMul: {7, 7}, biDiv: {7, 7}, biMod: {7, 7}, biPow: {10, 9}, biConcat: {5, 4},
	biNe: {3, 3}, biEq: {3, 3}, biLt: {3, 3}, biLe: {3, 3}, biGt: {3, 3}, biGe: {3, 3}, biAnd: {2, 2}, biOr: {1, 1},
}

const unaryPriority = 8

// infix is called when the operator behind v has been read.
func (f *function) infix(o binary, v *expr) {
	switch o {
	case biAnd:
		f.goIfTrue(v)
	case biOr:
		f.goIfFalse(v)
	case biConcat:
		f.toNext(v)
	case biAdd, biSub, biMul, biDiv, biMod, biPow:
		if !v.isNumeral() {
			f.toRK(v)
		}
	default:
		f.toRK(v)
	}
}

// postfix is called when both operands have been read.
func (f *function) postfix(o binary, a, b *expr) {
	switch o {
	case biAnd:
		f.discharge(b)
		f.concat(&b.f, a.f)
		*a = *b
	case biOr:
		f.discharge(b)
		f.concat(&b.t, a.t)
		*a = *b
	case biConcat:
		f.toVal(b)
		if b.kind == exReloc && f.at(b.info).op() == opConcat {
			f.freeExpr(a)
			f.at(b.info).setB(a.info)
			a.kind, a.info = exReloc, b.info
			return
		}
		f.toNext(b)
		f.arith(opConcat, a, b)
	case biAdd, biSub, biMul, biDiv, biMod, biPow:
		f.arith(opAdd+op(o-biAdd), a, b)
	case biEq:
		f.compare(opEq, 1, a, b)
	case biNe:
		f.compare(opEq, 0, a, b)
	case biLt:
		f.compare(opLt, 1, a, b)
	case biLe:
		f.compare(opLe, 1, a, b)
	case biGt:
		f.compare(opLt, 0, a, b)
	case biGe:
		f.compare(opLe, 0, a, b)
	}
}

func (f *function) setList(base, n, store int) {
	b := store
	if store == multi {
		b = 0
	}
	f.emit(opSetList, base, b, (n-1)/listFlush+1)
	f.free = base + 1
}

// multi stands for as many results as there are.
const multi = -1
