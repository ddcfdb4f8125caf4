package lua

import "fmt"

// Limits of PUC-Rio's compiler, which end in its errors.
const (
	maxLocals = 200
	maxUpvals = 60
	maxLevels = 200 // of nesting; the parser is recursive
)

// parser compiles as it reads, in one pass. After an error it reads the end of
// the source again and again, and what it makes is thrown away.
type parser struct {
	*lexer
	f      *function
	levels int
}

// Compile makes a function of a chunk. name is how errors call it, "@" before
// it. room bounds the memory that the code may take, in bytes.
func Compile(src, name string, room int) (*Proto, error) {
	p := &parser{lexer: newLexer(src, name)}
	p.room = room
	p.open(0)
	p.f.p.vararg = true
	p.next()
	p.chunk()
	p.check(tkEOS)
	main := p.close()
	if p.err != nil {
		return nil, p.err
	}
	return main, nil
}

func (p *parser) open(line int) {
	p.f = &function{
		p: &Proto{source: p.name, line: line, regs: 2}, up: p.f, x: p.lexer,
		label: -1, here: noJump, ks: map[kKey]int{},
	}
}

func (p *parser) close() *Proto {
	f := p.f
	p.removeVars(0)
	f.ret(0, 0)
	p.f = f.up
	return f.p
}

func (p *parser) expected(t token) { p.syntax("'" + t.String() + "' expected") }

func (f *function) limit(v, limit int, what string) {
	if v <= limit {
		return
	}
	where := "main function"
	if f.p.line != 0 {
		where = fmt.Sprintf("function at line %d", f.p.line)
	}
	f.x.fail(fmt.Sprintf("%s has more than %d %s", where, limit, what), "")
}

func (p *parser) test(t token) bool {
	if p.t.token == t && p.err == nil {
		p.next()
		return true
	}
	return false
}

func (p *parser) check(t token) {
	if p.t.token != t {
		p.expected(t)
	}
}

func (p *parser) checkNext(t token) {
	p.check(t)
	p.next()
}

func (p *parser) match(what, who token, line int) {
	if p.test(what) {
		return
	}
	if line == p.line {
		p.expected(what)
		return
	}
	p.syntax(fmt.Sprintf("'%v' expected (to close '%v' at line %d)", what, who, line))
}

func (p *parser) checkName() string {
	p.check(tkName)
	s := p.t.str
	p.next()
	return s
}

func (p *parser) stringExpr(s string) expr { return newExpr(exK, p.f.stringK(s)) }

// newLocal declares the n-th variable of a statement; activate makes them seen.
func (p *parser) newLocal(name string, n int) {
	f := p.f
	f.limit(len(f.active)+n+1, maxLocals, "local variables")
	if len(f.p.locals) >= 1<<15 {
		p.fail("too many local variables", "")
		return
	}
	f.p.locals = append(f.p.locals, local{name: name})
}

// activate opens the scope of the last n variables declared.
func (p *parser) activate(n int) {
	f := p.f
	for i := max(0, len(f.p.locals)-n); i < len(f.p.locals); i++ {
		f.p.locals[i].start = f.pc()
		f.active = append(f.active, i)
	}
}

func (p *parser) removeVars(level int) {
	f := p.f
	for len(f.active) > level {
		f.p.locals[f.active[len(f.active)-1]].end = f.pc()
		f.active = f.active[:len(f.active)-1]
	}
}

func (f *function) findVar(name string) int {
	for i := len(f.active) - 1; i >= 0; i-- {
		if f.p.locals[f.active[i]].name == name {
			return i
		}
	}
	return -1
}

func (f *function) markUpval(reg int) {
	b := f.blk
	for b != nil && b.vars > reg {
		b = b.up
	}
	if b != nil {
		b.upval = true
	}
}

func (p *parser) findName(f *function, name string, base bool) expr {
	if f == nil {
		return newExpr(exGlobal, noReg)
	}
	if r := f.findVar(name); r >= 0 {
		if !base {
			f.markUpval(r)
		}
		return newExpr(exLocal, r)
	}
	e := p.findName(f.up, name, false)
	if e.kind == exGlobal {
		return e
	}
	return newExpr(exUpval, p.upvalue(f, name, e))
}

func (p *parser) upvalue(f *function, name string, e expr) int {
	k := upvalKey{e.kind, e.info}
	for i, u := range f.ups {
		if u == k {
			return i
		}
	}
	if f.limit(len(f.ups)+1, maxUpvals, "upvalues"); p.err != nil {
		return 0
	}
	f.ups = append(f.ups, k)
	f.p.upvals = append(f.p.upvals, upvalDesc{name: name, local: e.kind == exLocal, index: uint8(e.info)})
	return len(f.ups) - 1
}

func (p *parser) variable() expr {
	name := p.checkName()
	e := p.findName(p.f, name, true)
	if e.kind == exGlobal {
		e.info = p.f.stringK(name)
	}
	return e
}

func (p *parser) adjust(vars, exps int, e *expr) {
	f, extra := p.f, vars-exps
	if e.isMulti() {
		extra = max(0, extra+1)
		f.setReturns(e, extra)
		if extra > 1 {
			f.reserve(extra - 1)
		}
		return
	}
	if e.kind != exVoid {
		f.toNext(e)
	}
	if extra > 0 {
		reg := f.free
		f.reserve(extra)
		f.loadNil(reg, extra)
	}
}

func (p *parser) enter() {
	if p.levels++; p.levels > maxLevels {
		p.fail("chunk has too many syntax levels", "")
	}
}

func (p *parser) leave() { p.levels-- }

func (p *parser) openBlock(b *block, loop bool) {
	*b = block{up: p.f.blk, breaks: noJump, vars: len(p.f.active), loop: loop}
	p.f.blk = b
}

func (p *parser) closeBlock() {
	f := p.f
	b := f.blk
	f.blk = b.up
	p.removeVars(b.vars)
	if b.upval {
		f.emit(opClose, b.vars, 0, 0)
	}
	f.free = len(f.active)
	f.patchHere(b.breaks)
}

func (p *parser) field(v *expr) {
	p.f.toAny(v)
	p.next()
	key := p.stringExpr(p.checkName())
	p.f.indexed(v, &key)
}

func (p *parser) bracketed() expr {
	p.next()
	e := p.expr()
	p.f.toVal(&e)
	p.checkNext(']')
	return e
}

// constructor is a table that is being built.
type constructor struct {
	table *expr
	item  expr // the last one of the list
	nh    int  // fields
	na    int  // items
	store int  // items read and not stored
}

func (p *parser) recordField(c *constructor) {
	f, reg := p.f, p.f.free
	var key expr
	if p.t.token == tkName {
		key = p.stringExpr(p.checkName())
	} else {
		key = p.bracketed()
	}
	c.nh++
	p.checkNext('=')
	rk := f.toRK(&key)
	val := p.expr()
	f.emit(opSetTable, c.table.info, rk, f.toRK(&val))
	f.free = reg
}

func (p *parser) closeItem(c *constructor) {
	if c.item.kind == exVoid {
		return
	}
	p.f.toNext(&c.item)
	c.item.kind = exVoid
	if c.store == listFlush {
		p.f.setList(c.table.info, c.na, c.store)
		c.store = 0
	}
}

func (p *parser) lastItem(c *constructor) {
	if c.store == 0 {
		return
	}
	if c.item.isMulti() {
		p.f.setReturns(&c.item, multi)
		p.f.setList(c.table.info, c.na, multi)
		c.na--
		return
	}
	if c.item.kind != exVoid {
		p.f.toNext(&c.item)
	}
	p.f.setList(c.table.info, c.na, c.store)
}

func (p *parser) listItem(c *constructor) {
	c.item = p.expr()
	c.na++
	c.store++
}

func (p *parser) table() expr {
	f, line := p.f, p.line
	pc := f.emit(opNewTable, 0, 0, 0)
	t := newExpr(exReloc, pc)
	c := constructor{table: &t}
	f.toNext(&t)
	p.checkNext('{')
	for p.t.token != '}' {
		p.closeItem(&c)
		switch p.t.token {
		case tkName:
			if p.peek() != '=' {
				p.listItem(&c)
			} else {
				p.recordField(&c)
			}
		case '[':
			p.recordField(&c)
		default:
			p.listItem(&c)
		}
		if !p.test(',') && !p.test(';') {
			break
		}
	}
	p.match('}', '{', line)
	p.lastItem(&c)
	f.at(pc).setB(roundSize(c.na))
	f.at(pc).setC(roundSize(c.nh))
	return t
}

// roundSize is the size that a constructor asks for: what fits into a "floating
// point byte" of eeeee and xxx, (1xxx) * 2^(eeeee-1), in PUC-Rio's code.
func roundSize(n int) int {
	e := 0
	for n >= 16 {
		n, e = (n+1)>>1, e+1
	}
	return min(n<<e, 1<<16-1)
}

func (p *parser) params() {
	f, n := p.f, 0
	if p.t.token != ')' {
		for {
			switch p.t.token {
			case tkName:
				p.newLocal(p.checkName(), n)
				n++
			case tkDots:
				p.next()
				p.newLocal("arg", n)
				n++
				f.p.vararg, f.p.needsArg = true, true
			default:
				p.syntax("<name> or '...' expected")
			}
			if f.p.vararg || !p.test(',') {
				break
			}
		}
	}
	p.activate(n)
	f.p.params = len(f.active)
	if f.p.vararg {
		f.p.params--
	}
	f.reserve(len(f.active))
}

func (p *parser) body(self bool, line int) expr {
	p.open(line)
	p.checkNext('(')
	if self {
		p.newLocal("self", 0)
		p.activate(1)
	}
	p.params()
	p.checkNext(')')
	p.chunk()
	p.match(tkEnd, tkFunction, line)
	child := p.close()
	f := p.f
	f.p.protos = append(f.p.protos, child)
	return newExpr(exReloc, f.emit(opClosure, 0, 0, len(f.p.protos)-1))
}

func (p *parser) list() (last expr, n int) {
	last, n = p.expr(), 1
	for p.test(',') {
		p.f.toNext(&last)
		last = p.expr()
		n++
	}
	return last, n
}

func (p *parser) args(fn *expr) {
	f, line := p.f, p.line
	var args expr
	switch p.t.token {
	case '(':
		if line != p.last {
			p.syntax("ambiguous syntax (function call x new statement)")
		}
		p.next()
		if p.t.token == ')' {
			args = newExpr(exVoid, 0)
		} else {
			args, _ = p.list()
			f.setReturns(&args, multi)
		}
		p.match(')', '(', line)
	case '{':
		args = p.table()
	case tkString:
		args = p.stringExpr(p.t.str)
		p.next()
	default:
		p.syntax("function arguments expected")
		return
	}
	base, n := fn.info, multi
	if !args.isMulti() {
		if args.kind != exVoid {
			f.toNext(&args)
		}
		n = f.free - (base + 1)
	}
	*fn = newExpr(exCall, f.emit(opCall, base, n+1, 2))
	f.fixLine(line)
	f.free = base + 1
}

func (p *parser) prefix() expr {
	switch p.t.token {
	case '(':
		line := p.line
		p.next()
		e := p.expr()
		p.match(')', '(', line)
		p.f.discharge(&e)
		return e
	case tkName:
		return p.variable()
	}
	p.syntax("unexpected symbol")
	return newExpr(exVoid, 0)
}

func (p *parser) primary() expr {
	f, v := p.f, p.prefix()
	for p.err == nil {
		switch p.t.token {
		case '.':
			p.field(&v)
		case '[':
			f.toAny(&v)
			key := p.bracketed()
			f.indexed(&v, &key)
		case ':':
			p.next()
			key := p.stringExpr(p.checkName())
			f.self(&v, &key)
			p.args(&v)
		case '(', tkString, '{':
			f.toNext(&v)
			p.args(&v)
		default:
			return v
		}
	}
	return v
}

func (p *parser) simple() expr {
	var e expr
	switch p.t.token {
	case tkNumber:
		e = newExpr(exNum, 0)
		e.num = p.t.num
	case tkString:
		e = p.stringExpr(p.t.str)
	case tkNil:
		e = newExpr(exNil, 0)
	case tkTrue:
		e = newExpr(exTrue, 0)
	case tkFalse:
		e = newExpr(exFalse, 0)
	case tkDots:
		if !p.f.p.vararg {
			p.syntax("cannot use '...' outside a vararg function")
		}
		p.f.p.needsArg = false
		e = newExpr(exVarargs, p.f.emit(opVararg, 0, 1, 0))
	case '{':
		return p.table()
	case tkFunction:
		p.next()
		return p.body(false, p.line)
	default:
		return p.primary()
	}
	p.next()
	return e
}

func (p *parser) expr() expr {
	e, _ := p.subexpr(0)
	return e
}

// subexpr reads an expression of operators that bind stronger than limit, and
// returns the first that does not.
func (p *parser) subexpr(limit int) (expr, binary) {
	p.enter()
	defer p.leave()
	if p.err != nil {
		return newExpr(exVoid, 0), biNone
	}
	f := p.f
	var v expr
	switch t := p.t.token; t {
	case tkNot, '-', '#':
		p.next()
		v, _ = p.subexpr(unaryPriority)
		f.unary(t, &v)
	default:
		v = p.simple()
	}
	o := binaries[p.t.token]
	for o != biNone && priority[o].left > limit {
		p.next()
		f.infix(o, &v)
		v2, next := p.subexpr(priority[o].right)
		f.postfix(o, &v, &v2)
		o = next
	}
	return v, o
}

func (f *function) unary(t token, e *expr) {
	zero := newExpr(exNum, 0)
	switch t {
	case '-':
		if !e.isNumeral() {
			f.toAny(e)
		}
		f.arith(opUnm, e, &zero)
	case tkNot:
		f.not(e)
	case '#':
		f.toAny(e)
		f.arith(opLen, e, &zero)
	}
}

func (p *parser) blockEnds() bool {
	switch p.t.token {
	case tkElse, tkElseif, tkEnd, tkUntil, tkEOS:
		return true
	}
	return false
}

func (p *parser) block() {
	var b block
	p.openBlock(&b, false)
	p.chunk()
	p.closeBlock()
}

// target is a variable on the left of an assignment.
type target struct {
	prev *target
	v    expr
}

// conflict copies a local variable that is assigned to while a table or key
// further to the left needs its old value.
func (p *parser) conflict(t *target, v *expr) {
	f, extra, found := p.f, p.f.free, false
	for ; t != nil; t = t.prev {
		if t.v.kind == exIndexed {
			if t.v.info == v.info {
				found, t.v.info = true, extra
			}
			if t.v.aux == v.info {
				found, t.v.aux = true, extra
			}
		}
	}
	if found {
		f.emit(opMove, f.free, v.info, 0)
		f.reserve(1)
	}
}

func (p *parser) assign(t *target, vars int) {
	f := p.f
	if t.v.kind < exLocal || t.v.kind > exIndexed {
		p.syntax("syntax error")
		return
	}
	if p.test(',') {
		next := target{prev: t, v: p.primary()}
		if next.v.kind == exLocal {
			p.conflict(t, &next.v)
		}
		f.limit(vars, maxLevels-p.levels, "variables in assignment")
		if p.err != nil {
			return
		}
		p.assign(&next, vars+1)
	} else {
		p.checkNext('=')
		e, n := p.list()
		if n == vars {
			f.setOneReturn(&e)
			f.store(&t.v, &e)
			return
		}
		p.adjust(vars, n, &e)
		if n > vars {
			f.free -= n - vars
		}
	}
	e := newExpr(exFixed, f.free-1)
	f.store(&t.v, &e)
}

func (p *parser) condition() int {
	e := p.expr()
	if e.kind == exNil {
		e.kind = exFalse
	}
	p.f.goIfTrue(&e)
	return e.f
}

func (p *parser) breakStat() {
	f, upval := p.f, false
	b := f.blk
	for b != nil && !b.loop {
		upval = upval || b.upval
		b = b.up
	}
	if b == nil {
		p.syntax("no loop to break")
		return
	}
	if upval {
		f.emit(opClose, b.vars, 0, 0)
	}
	f.concat(&b.breaks, f.jump())
}

func (p *parser) whileStat(line int) {
	f := p.f
	p.next()
	begin := f.setLabel()
	exit := p.condition()
	var b block
	p.openBlock(&b, true)
	p.checkNext(tkDo)
	p.block()
	f.patch(f.jump(), begin)
	p.match(tkEnd, tkWhile, line)
	p.closeBlock()
	f.patchHere(exit)
}

func (p *parser) repeatStat(line int) {
	f := p.f
	begin := f.setLabel()
	var loop, scope block
	p.openBlock(&loop, true)
	p.openBlock(&scope, false)
	p.next()
	p.chunk()
	p.match(tkUntil, tkRepeat, line)
	exit := p.condition()
	if !scope.upval {
		p.closeBlock()
		f.patch(exit, begin)
	} else {
		p.breakStat()
		f.patchHere(exit)
		p.closeBlock()
		f.patch(f.jump(), begin)
	}
	p.closeBlock()
}

func (p *parser) oneExpr() {
	e := p.expr()
	p.f.toNext(&e)
}

func (p *parser) forBody(base, line, vars int, numeric bool) {
	f := p.f
	p.checkNext(tkDo)
	var prep int
	if numeric {
		prep = f.emit(opForPrep, base, 0, noJump)
	} else {
		prep = f.jump()
	}
	var b block
	p.openBlock(&b, false)
	p.activate(vars)
	f.reserve(vars)
	p.block()
	p.closeBlock()
	f.patchHere(prep)
	var end int
	if numeric {
		end = f.emit(opForLoop, base, 0, noJump)
	} else {
		end = f.emit(opTForLoop, base, 0, vars)
	}
	f.fixLine(line)
	if !numeric {
		end = f.jump()
	}
	f.patch(end, prep+1)
}

func (p *parser) forNum(name string, line int) {
	f := p.f
	base := f.free
	p.checkNext('=')
	p.oneExpr()
	p.checkNext(',')
	p.oneExpr()
	if p.test(',') {
		p.oneExpr()
	} else {
		f.emit(opLoadK, f.free, 0, f.numberK(1))
		f.reserve(1)
	}
	p.hidden("(for index)", "(for limit)", "(for step)")
	p.newLocal(name, 0)
	p.forBody(base, line, 1, true)
}

// hidden opens the scope of the three variables that a loop keeps its state in.
func (p *parser) hidden(names ...string) {
	for i, n := range names {
		p.newLocal(n, i)
	}
	p.activate(len(names))
}

func (p *parser) forList(name string) {
	f := p.f
	base := f.free
	names := []string{name}
	for p.test(',') {
		names = append(names, p.checkName())
		f.limit(len(f.active)+3+len(names), maxLocals, "local variables")
	}
	p.checkNext(tkIn)
	line := p.line
	e, n := p.list()
	p.adjust(3, n, &e)
	f.checkRegs(3)
	p.hidden("(for generator)", "(for state)", "(for control)")
	for i, n := range names {
		p.newLocal(n, i)
	}
	p.forBody(base, line, len(names), false)
}

func (p *parser) forStat(line int) {
	var b block
	p.openBlock(&b, true)
	p.next()
	name := p.checkName()
	switch p.t.token {
	case '=':
		p.forNum(name, line)
	case ',', tkIn:
		p.forList(name)
	default:
		p.syntax("'=' or 'in' expected")
	}
	p.match(tkEnd, tkFor, line)
	p.closeBlock()
}

func (p *parser) thenBlock() int {
	p.next()
	exit := p.condition()
	p.checkNext(tkThen)
	p.block()
	return exit
}

func (p *parser) ifStat(line int) {
	f, escape := p.f, noJump
	list := p.thenBlock()
	for p.t.token == tkElseif {
		f.concat(&escape, f.jump())
		f.patchHere(list)
		list = p.thenBlock()
	}
	if p.t.token == tkElse {
		f.concat(&escape, f.jump())
		f.patchHere(list)
		p.next()
		p.block()
	} else {
		f.concat(&escape, list)
	}
	f.patchHere(escape)
	p.match(tkEnd, tkIf, line)
}

func (p *parser) localFunction() {
	f := p.f
	p.newLocal(p.checkName(), 0)
	v := newExpr(exLocal, f.free)
	f.reserve(1)
	p.activate(1)
	b := p.body(false, p.line)
	f.store(&v, &b)
	if n := len(f.active); n > 0 {
		f.p.locals[f.active[n-1]].start = f.pc()
	}
}

func (p *parser) localStat() {
	n, exps := 0, 0
	for {
		p.newLocal(p.checkName(), n)
		n++
		if !p.test(',') {
			break
		}
	}
	var e expr
	if p.test('=') {
		e, exps = p.list()
	}
	p.adjust(n, exps, &e)
	p.activate(n)
}

func (p *parser) functionStat(line int) {
	p.next()
	v, self := p.variable(), false
	for p.t.token == '.' {
		p.field(&v)
	}
	if p.t.token == ':' {
		self = true
		p.field(&v)
	}
	b := p.body(self, line)
	p.f.store(&v, &b)
	p.f.fixLine(line)
}

func (p *parser) exprStat() {
	v := p.primary()
	if v.kind == exCall {
		p.f.at(v.info).setC(1)
		return
	}
	p.assign(&target{v: v}, 1)
}

func (p *parser) returnStat() {
	f := p.f
	p.next()
	first, n := 0, 0
	if !p.blockEnds() && p.t.token != ';' {
		var e expr
		e, n = p.list()
		switch {
		case e.isMulti():
			f.setReturns(&e, multi)
			if e.kind == exCall && n == 1 {
				i := f.at(e.info)
				*i = *i&^0xff | instr(opTailCall)
			}
			first, n = len(f.active), multi
		case n == 1:
			first = f.toAny(&e)
		default:
			f.toNext(&e)
			first = len(f.active)
		}
	}
	f.ret(first, n)
}

// statement reports whether the statement must be the last of its block.
func (p *parser) statement() (last bool) {
	line := p.line
	switch p.t.token {
	case tkIf:
		p.ifStat(line)
	case tkWhile:
		p.whileStat(line)
	case tkDo:
		p.next()
		p.block()
		p.match(tkEnd, tkDo, line)
	case tkFor:
		p.forStat(line)
	case tkRepeat:
		p.repeatStat(line)
	case tkFunction:
		p.functionStat(line)
	case tkLocal:
		if p.next(); p.test(tkFunction) {
			p.localFunction()
		} else {
			p.localStat()
		}
	case tkReturn:
		p.returnStat()
		return true
	case tkBreak:
		p.next()
		p.breakStat()
		return true
	default:
		p.exprStat()
	}
	return false
}

func (p *parser) chunk() {
	p.enter()
	for last := false; !last && !p.blockEnds() && p.err == nil; {
		last = p.statement()
		p.test(';')
		p.f.free = len(p.f.active)
	}
	p.leave()
}
