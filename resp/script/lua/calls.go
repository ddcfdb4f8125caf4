package lua

// What a script calls of redis, and with which keys, as far as its code tells
// without running it. The code is walked as a machine would, but with facts in
// the place of values; where two ways meet, only what both have in common
// stays a fact.
//
// Three values matter: the table redis, its functions call and pcall, and the
// table KEYS. As long as they only move between registers, local variables and
// the upvalues of functions, and are used in ways that are known, each call is
// seen. Where one of them goes anywhere else (into a table, to another function,
// back to a caller), anything may be called with anything, and the answer is
// that nothing is known.

// Call is a call of redis.call or redis.pcall.
type Call struct {
	Args []Arg
	// Open says that more arguments follow, as many as there are: Rest is each.
	Open bool
	Rest Arg
}

// Arg is an argument: a constant, an element of KEYS, or anything.
type Arg struct {
	Const string
	Kind  ArgKind
}

// ArgKind is what is known of an argument.
type ArgKind uint8

// The kinds.
const (
	ArgAny ArgKind = iota
	ArgConst
	ArgKey
)

// Calls calls f with the calls of redis.call and redis.pcall that the code of a
// chunk holds, until f returns false. It returns false where f does, and where
// the code may call more than that.
func (p *Proto) Calls(f func(Call) bool) bool {
	a := analysis{visit: f}
	return a.function(p, nil, nil)
}

// CallsWithKeys is Calls for a function whose first parameter is KEYS, as a
// library registers it. What it has of other functions is not looked into.
func (f *Function) CallsWithKeys(visit func(Call) bool) bool {
	if f.proto == nil {
		return false
	}
	ups := make([]fact, len(f.ups)) // nothing is known of them; redis.call cannot be among them
	for _, u := range f.ups {
		if k := u.v.Kind(); k == KindFunction || k == KindTable || k == KindThread {
			return false
		}
	}
	a := analysis{visit: visit}
	return a.function(f.proto, ups, []fact{{kind: isKeys}})
}

// fact is what is known of a value.
type fact struct {
	kind factKind
	n    int32 // of a constant
}

type factKind uint8

const (
	isAny    factKind = iota
	isConst           // a constant string
	isKey             // an element of KEYS, or nil
	isIpairs          // the function ipairs, or pairs
	isUnpack          // the function unpack
	isIter            // what ipairs(KEYS) returns first
	isRedis           // the table redis
	isCall            // redis.call or redis.pcall
	isKeys            // the table KEYS
)

// secret reports whether the value must not go where it is not seen.
func (f fact) secret() bool { return f.kind >= isIter }

// maxAnalysed is how many instructions a function may have that is looked at.
const maxAnalysed = 4096

type analysis struct {
	visit func(Call) bool
	depth int
}

// flow is the walk through one function.
type flow struct {
	*analysis
	p     *Proto
	ups   []fact
	main  bool
	in    [][]fact // facts before each instruction, nil where no way leads
	todo  []int
	open  map[int]fact // of what an instruction with an open end has left, by its pc
	calls map[int]Call
	inner map[int][]fact // upvalues of the functions that are made, by pc
	loose []int          // registers that functions in this one assign to, whenever they are called
	ok    bool
}

func (a *analysis) function(p *Proto, ups, params []fact) bool {
	if len(p.code) > maxAnalysed {
		return false
	}
	if a.depth++; a.depth > 20 {
		return false
	}
	defer func() { a.depth-- }()
	f := &flow{
		analysis: a, p: p, ups: ups, main: p.line == 0, in: make([][]fact, len(p.code)),
		open: map[int]fact{}, calls: map[int]Call{}, inner: map[int][]fact{}, ok: true,
	}
	for _, i := range p.code {
		if i.op() != opClosure {
			continue
		}
		for j, u := range p.protos[i.bx()].upvals {
			if u.local && p.protos[i.bx()].assigns(j) {
				f.loose = append(f.loose, int(u.index))
			}
		}
	}
	start := make([]fact, p.regs+1)
	copy(start, params)
	f.reach(0, start)
	for len(f.todo) > 0 && f.ok {
		pc := f.todo[len(f.todo)-1]
		f.todo = f.todo[:len(f.todo)-1]
		f.step(pc)
	}
	for pc := range p.code {
		if c, ok := f.calls[pc]; ok && f.ok {
			f.ok = a.visit(c)
		}
		if ups, ok := f.inner[pc]; ok && f.ok {
			f.ok = a.function(p.protos[p.code[pc].bx()], ups, nil)
		}
	}
	return f.ok
}

// reach merges facts into those before an instruction.
func (f *flow) reach(pc int, facts []fact) {
	for _, r := range f.loose {
		f.hide(facts[r])
		facts[r] = fact{}
	}
	old := f.in[pc]
	if old == nil {
		f.in[pc] = append([]fact(nil), facts...)
		f.todo = append(f.todo, pc)
		return
	}
	changed := false
	for i := range old {
		if old[i] == facts[i] || old[i].kind == isAny && !facts[i].secret() {
			continue
		}
		if old[i].secret() || facts[i].secret() {
			// A register that is a secret on one way only: it is dead, or it is
			// a secret that the code beyond does not see as one.
			if old[i].kind != isDead {
				old[i], changed = fact{kind: isDead}, true
			}
			continue
		}
		old[i], changed = fact{}, true
	}
	if changed {
		f.todo = append(f.todo, pc)
	}
}

// isDead is a value that may be a secret: any use of it is one too many.
const isDead factKind = 255

func (f *flow) constant(k int) fact {
	if f.p.consts[k].isString() {
		return fact{isConst, int32(k)}
	}
	return fact{}
}

func (f *flow) rk(regs []fact, x int) fact {
	if x&kBit != 0 {
		return f.constant(x & maxK)
	}
	return regs[x]
}

// hide says that a value goes where nobody looks.
func (f *flow) hide(v fact) {
	if v.secret() {
		f.ok = false
	}
}

func (f *flow) step(pc int) {
	i := f.p.code[pc]
	regs := append([]fact(nil), f.in[pc]...)
	a, b, c := i.a(), i.b(), i.c()
	next := pc + 1
	set := func(v fact) {
		f.assign(pc, a, v)
		regs[a] = v
	}
	switch i.op() {
	case opMove:
		if regs[b].kind == isDead {
			f.ok = false
		}
		set(regs[b])
	case opLoadK:
		set(f.constant(c))
	case opLoadBool:
		set(fact{})
		if c != 0 {
			next++
		}
	case opLoadNil:
		for r := a; r <= b; r++ {
			regs[r] = fact{}
		}
	case opGetUpval:
		v := fact{}
		if b < len(f.ups) {
			v = f.ups[b]
		}
		set(v)
	case opSetUpval:
		f.hide(regs[a])
		if b < len(f.ups) && f.ups[b].secret() {
			f.ok = false
		}
	case opGetGlobal:
		set(f.global(f.p.consts[c].str().s))
	case opSetGlobal: // which fails
		f.hide(regs[a])
	case opGetTable:
		set(f.index(regs[b], f.rk(regs, c)))
	case opSetTable:
		f.hide(regs[a])
		f.hide(f.rk(regs, b))
		f.hide(f.rk(regs, c))
	case opSelf:
		f.hide(regs[b])
		regs[a+1] = regs[b]
		set(fact{})
	case opNewTable, opClosure, opAdd, opSub, opMul, opDiv, opMod, opPow, opUnm, opNot, opLen, opConcat:
		if i.op() == opClosure {
			f.closure(pc, regs)
		}
		set(fact{})
	case opTestSet:
		to := pc + 2 + f.p.code[pc+1].bx()
		jump := append([]fact(nil), regs...)
		jump[a] = regs[b]
		f.reach(to, jump)
		next = pc + 2
	case opEq, opLt, opLe, opTest:
		f.reach(pc+2, regs)
	case opJmp, opForPrep:
		if i.op() == opForPrep {
			regs[a] = fact{}
		}
		next = pc + 1 + i.bx()
	case opForLoop:
		regs[a] = fact{}
		jump := append([]fact(nil), regs...)
		jump[a+3] = fact{}
		f.reach(pc+1+i.bx(), jump)
	case opTForLoop:
		iter := regs[a].kind == isIter && regs[a+1].kind == isKeys
		if !iter {
			f.hide(regs[a])
			f.hide(regs[a+1])
			f.hide(regs[a+2])
		}
		for r := a + 3; r < len(regs); r++ {
			regs[r] = fact{}
		}
		if iter && c >= 2 {
			regs[a+4] = fact{kind: isKey}
		}
		regs[a+2] = fact{}
		f.reach(pc+2, regs)
	case opCall, opTailCall:
		f.call(pc, i, regs)
	case opReturn:
		last := a + b - 1
		if b == 0 {
			last = len(regs)
			f.hide(f.open[pc-1])
		}
		for r := a; r < last; r++ {
			if regs[r].kind == isKeys && f.main { // becomes the reply
				continue
			}
			f.hide(regs[r])
		}
		return
	case opSetList:
		for r := a + 1; r <= a+b || b == 0 && r < len(regs); r++ {
			f.hide(regs[r])
		}
	case opVararg:
		for r := a; r < len(regs) && (b == 0 || r < a+b-1); r++ {
			regs[r] = fact{}
		}
		if b == 0 {
			f.open[pc] = fact{}
		}
	}
	if f.ok && next < len(f.p.code) {
		f.reach(next, regs)
	}
}

// assign notes that a local variable gets a value: one that a function has as
// an upvalue must not change behind it.
func (f *flow) assign(pc, reg int, v fact) {
	if !v.secret() {
		return
	}
	for i := range f.p.locals {
		l := &f.p.locals[i]
		if l.start <= pc && pc < l.end && f.p.localAt(i) == reg {
			f.ok = false // it is assigned to again
		}
	}
}

// localAt is the register of the i-th local variable.
func (p *Proto) localAt(i int) int {
	n := 0
	for j := range i {
		if p.locals[j].start <= p.locals[i].start && p.locals[j].end > p.locals[i].start {
			n++
		}
	}
	return n
}

func (f *flow) global(name string) fact {
	switch name {
	case "redis":
		return fact{kind: isRedis}
	case "KEYS":
		return fact{kind: isKeys}
	case "ipairs", "pairs":
		return fact{kind: isIpairs}
	case "unpack":
		return fact{kind: isUnpack}
	case "_G", "load", "loadstring", "getmetatable", "rawget", "next":
		f.ok = false // ways to what is not seen
	}
	return fact{}
}

func (f *flow) index(t, key fact) fact {
	switch t.kind {
	case isKeys:
		return fact{kind: isKey}
	case isRedis:
		if key.kind != isConst {
			f.ok = false
			break
		}
		switch f.p.consts[key.n].str().s {
		case "call", "pcall":
			return fact{kind: isCall}
		}
	case isDead:
		f.ok = false
	}
	return fact{}
}

// closure notes what a function that is made has for upvalues.
func (f *flow) closure(pc int, regs []fact) {
	q := f.p.protos[f.p.code[pc].bx()]
	ups := make([]fact, len(q.upvals))
	for i, u := range q.upvals {
		v := fact{}
		if !u.local {
			if int(u.index) < len(f.ups) {
				v = f.ups[u.index]
			}
		} else if v = regs[u.index]; v.secret() && f.reassigned(pc, int(u.index)) {
			f.ok = false
		}
		if v.kind == isConst || v.kind == isKey { // of another function, or not for ever
			v = fact{}
		}
		ups[i] = v
	}
	if old, ok := f.inner[pc]; ok {
		for i := range old {
			if old[i] != ups[i] {
				f.hide(old[i])
				f.hide(ups[i])
				ups[i] = fact{}
			}
		}
	}
	f.inner[pc] = ups
}

// reassigned reports whether the variable in a register at pc changes while it
// lives, by its own function or by one in it.
func (f *flow) reassigned(pc, reg int) bool {
	for i := range f.p.locals {
		l := &f.p.locals[i]
		if l.start > pc || pc >= l.end || f.p.localAt(i) != reg {
			continue
		}
		for at := l.start; at < l.end && at < len(f.p.code); at++ {
			x := f.p.code[at]
			switch o := x.op(); {
			case o == opClosure:
				q := f.p.protos[x.bx()]
				for j, u := range q.upvals {
					if u.local && int(u.index) == reg && q.assigns(j) {
						return true
					}
				}
				if x.a() == reg {
					return true
				}
			case o == opLoadNil:
				if x.a() <= reg && reg <= x.b() {
					return true
				}
			case (o == opCall || o == opTailCall || o == opVararg) && x.a() <= reg, o == opTForLoop && x.a()+3 <= reg,
				o == opSelf && x.a()+1 == reg, o.setsA() && x.a() == reg:
				return true
			}
		}
		return false
	}
	return true
}

// call is a call of anything: of redis.call it is noted, to anything else no
// secret may be given.
func (f *flow) call(pc int, i instr, regs []fact) {
	a, b := i.a(), i.b()
	fn := regs[a]
	end, rest, open := a+b, fact{}, b == 0
	if open { // up to what the instruction before has left
		end = f.p.code[pc-1].a()
		rest = f.open[pc-1]
	}
	args := regs[a+1 : max(end, a+1)]
	var result fact
	all := false // each result is a key
	switch fn.kind {
	case isDead:
		f.ok = false
	case isCall:
		call := Call{Open: open, Rest: f.arg(rest)}
		for _, v := range args {
			f.hide(v)
			call.Args = append(call.Args, f.arg(v))
		}
		f.hide(rest)
		if old, ok := f.calls[pc]; ok {
			call = call.merge(old)
		}
		f.calls[pc] = call
	case isIpairs:
		if len(args) == 1 && args[0].kind == isKeys && !open {
			result = fact{kind: isIter}
		} else {
			f.hideAll(args, rest)
		}
	case isUnpack:
		if len(args) >= 1 && args[0].kind == isKeys && !open {
			f.hideAll(args[1:], rest)
			all = true
		} else {
			f.hideAll(args, rest)
		}
	default:
		f.hide(fn)
		f.hideAll(args, rest)
	}
	n := i.c() - 1
	for r := a; r < len(regs); r++ {
		regs[r] = fact{}
		if all {
			regs[r] = fact{kind: isKey}
		}
	}
	if result.kind == isIter {
		if n < 0 {
			f.ok = false
			return
		}
		if n > 0 {
			regs[a] = result
		}
		if n > 1 {
			regs[a+1] = fact{kind: isKeys}
		}
	}
	if n < 0 {
		f.open[pc] = fact{}
		if all {
			f.open[pc] = fact{kind: isKey}
		}
	}
}

func (f *flow) hideAll(args []fact, rest fact) {
	for _, v := range args {
		f.hide(v)
	}
	f.hide(rest)
}

func (f *flow) arg(v fact) Arg {
	switch v.kind {
	case isConst:
		return Arg{Const: f.p.consts[v.n].str().s, Kind: ArgConst}
	case isKey:
		return Arg{Kind: ArgKey}
	}
	return Arg{}
}

// merge is what two ways to a call have in common.
func (c Call) merge(o Call) Call {
	for i := range c.Args {
		if i < len(o.Args) && c.Args[i] != o.Args[i] {
			c.Args[i] = Arg{}
		}
	}
	if c.Rest != o.Rest {
		c.Rest = Arg{}
	}
	return c
}
