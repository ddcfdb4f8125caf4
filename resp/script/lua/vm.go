package lua

import (
	"math"
	"unsafe"
)

// stepsPerCheck is how many loops and calls there are between two questions of
// Interrupt.
const stepsPerCheck = 10000

// interrupt is called when the steps are used up.
func (l *Thread) interrupt() bool {
	s := l.s
	s.steps = stepsPerCheck
	if !s.enough(0) {
		return l.outOfMemory()
	}
	if s.Interrupt == nil {
		return true
	}
	if err := s.Interrupt(); err != nil {
		l.Kill(err.Value)
		return false
	}
	return true
}

// Tick counts n steps of a long loop in a function of Go, and reports whether
// it may go on.
func (l *Thread) Tick(n int) bool {
	if l.s.steps -= n; l.s.steps >= 0 {
		return true
	}
	return l.interrupt()
}

// arith computes an operation of numbers.
func arith(o op, a, b float64) float64 {
	switch o {
	case opAdd:
		return a + b
	case opSub:
		return a - b
	case opMul:
		return a * b
	case opDiv:
		return a / b
	case opMod:
		return a - math.Floor(a/b)*b
	case opPow:
		return pow(a, b)
	}
	return -a // opUnm
}

func pow(a, b float64) float64 {
	if b == 2 {
		return a * a
	}
	return math.Pow(a, b)
}

// regOf is the register that a k operand names, -1 for a constant.
func regOf(x int) int {
	if x&kBit != 0 {
		return -1
	}
	return x
}

// run goes on with the current call, which is one of Lua, until a call that was
// marked as an entry returns. It returns false after an error, with all calls
// as they were.
func (l *Thread) run() bool {
	s := l.s
reentry:
	fr := l.frame()
	fn := fr.fn
	p := fn.proto
	code, consts, pc, base := p.code, p.consts, fr.pc, fr.base
	r := l.regs(base)
	for {
		i := code[pc]
		pc++
		a := uint8(i >> 8)
		switch i.op() {
		case opMove:
			r[a] = r[uint8(i>>16)]

		case opLoadK:
			r[a] = consts[i.c()]

		case opLoadBool:
			r[a] = Bool(i.b() != 0)
			if i.c() != 0 {
				pc++
			}

		case opLoadNil:
			for x := int(a); x <= i.b(); x++ {
				r[uint8(x)] = Nil
			}

		case opGetUpval:
			r[a] = *fn.ups[i.b()].v

		case opSetUpval:
			*fn.ups[i.b()].v = r[a]

		case opGetGlobal:
			k := consts[i.c()]
			if v := s.Globals.getStr(k.str()); !v.isNil() {
				r[a] = v
				continue
			}
			fr.pc = pc
			v, ok := l.index(s.Globals.value(), k, -1)
			if !ok {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			r[a] = v

		case opSetGlobal:
			fr.pc = pc
			if !l.setIndex(s.Globals.value(), consts[i.c()], r[a], -1) {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			if s.steps < 0 && !l.interrupt() {
				return false
			}

		case opGetTable:
			t, c := &r[uint8(i>>16)], i.c()
			key := &r[uint8(c)]
			if c&kBit != 0 {
				key = &consts[c&maxK]
			}
			if t.isTable() {
				h := t.table()
				var v Value
				switch {
				case key.isNumber():
					if f := key.float(); float64(int(f)) == f && uint(int(f)-1) < uint(len(h.arr)) {
						v = h.arr[int(f)-1]
					} else {
						v = h.get(*key)
					}
				case key.isString():
					v = h.getStr(key.str())
				default:
					v = h.get(*key)
				}
				if !v.isNil() || h.meta == nil {
					r[a] = v
					continue
				}
			}
			fr.pc = pc
			v, ok := l.index(*t, *key, i.b())
			if !ok {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			r[a] = v

		case opSetTable:
			b, c := i.b(), i.c()
			key, val := &r[uint8(b)], &r[uint8(c)]
			if b&kBit != 0 {
				key = &consts[b&maxK]
			}
			if c&kBit != 0 {
				val = &consts[c&maxK]
			}
			if r[a].isTable() {
				if h := r[a].table(); h.meta == nil && !h.readonly && key.isNumber() {
					if f := key.float(); float64(int(f)) == f && uint(int(f)-1) < uint(len(h.arr)) {
						h.arr[int(f)-1] = *val
						continue
					}
				}
			}
			fr.pc = pc
			if !l.setIndex(r[a], *key, *val, int(a)) {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			if s.steps < 0 && !l.interrupt() {
				return false
			}

		case opNewTable:
			fr.pc = pc
			if n := i.b()*valueSize + i.c()*nodeSize; n > quotaStep && !s.enough(n) {
				return l.outOfMemory()
			}
			r[a] = newTable(s, i.b(), i.c()).value()
			if s.steps < 0 && !l.interrupt() {
				return false
			}

		case opSelf:
			c := i.c()
			key := r[uint8(c)]
			if c&kBit != 0 {
				key = consts[c&maxK]
			}
			t := r[uint8(i>>16)]
			r[a+1] = t
			fr.pc = pc
			v, ok := l.index(t, key, i.b())
			if !ok {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			r[a] = v

		case opAdd, opSub, opMul, opDiv, opMod, opPow:
			b, c := i.b(), i.c()
			x, y := &r[uint8(b)], &r[uint8(c)]
			if b&kBit != 0 {
				x = &consts[b&maxK]
			}
			if c&kBit != 0 {
				y = &consts[c&maxK]
			}
			if x.isNumber() && y.isNumber() {
				f, g := x.float(), y.float()
				switch i.op() {
				case opAdd:
					f += g
				case opSub:
					f -= g
				case opMul:
					f *= g
				case opDiv:
					f /= g
				case opMod:
					f -= math.Floor(f/g) * g
				default:
					f = pow(f, g)
				}
				r[a] = Number(f)
				continue
			}
			fr.pc = pc
			v, ok := l.arithSlow(i.op(), *x, *y, regOf(b), regOf(c))
			if !ok {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			r[a] = v

		case opUnm:
			x := r[uint8(i>>16)]
			if x.isNumber() {
				r[a] = Number(-x.float())
				continue
			}
			fr.pc = pc
			v, ok := l.arithSlow(opUnm, x, x, i.b(), i.b())
			if !ok {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			r[a] = v

		case opNot:
			r[a] = Bool(!r[uint8(i>>16)].truth())

		case opLen:
			fr.pc = pc
			v, ok := l.lengthOf(r[uint8(i>>16)], i.b())
			if !ok {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			r[a] = v

		case opConcat:
			b, c := i.b(), i.c()
			fr.pc = pc
			l.top = base + c + 1
			if !l.concat(c - b + 1) {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			l.top = fr.top
			r[a] = r[uint8(b)]
			if s.steps < 0 && !l.interrupt() {
				return false
			}

		case opJmp:
			d := i.bx()
			pc += d
			if d < 0 {
				if s.steps--; s.steps < 0 {
					if fr.pc = pc; !l.interrupt() {
						return false
					}
				}
			}

		case opEq, opLt, opLe:
			b, c := i.b(), i.c()
			x, y := &r[uint8(b)], &r[uint8(c)]
			if b&kBit != 0 {
				x = &consts[b&maxK]
			}
			if c&kBit != 0 {
				y = &consts[c&maxK]
			}
			var res bool
			if x.isNumber() && y.isNumber() {
				switch f, g := x.float(), y.float(); i.op() {
				case opEq:
					res = f == g
				case opLt:
					res = f < g
				default:
					res = f <= g
				}
			} else {
				var ok bool
				fr.pc = pc
				switch i.op() {
				case opEq:
					res, ok = l.equal(*x, *y)
				case opLt:
					res, ok = l.less(*x, *y)
				default:
					res, ok = l.lessEqual(*x, *y)
				}
				if !ok {
					return false
				}
				fr, r = l.frame(), l.regs(base)
			}
			if res != (a != 0) {
				pc++
				continue
			}
			d := code[pc].bx()
			pc += d + 1
			if d < 0 {
				if s.steps--; s.steps < 0 {
					if fr.pc = pc; !l.interrupt() {
						return false
					}
				}
			}

		case opTest:
			if r[a].truth() != (i.c() != 0) {
				pc++
				continue
			}
			d := code[pc].bx()
			pc += d + 1
			if d < 0 {
				if s.steps--; s.steps < 0 {
					if fr.pc = pc; !l.interrupt() {
						return false
					}
				}
			}

		case opTestSet:
			x := r[uint8(i>>16)]
			if x.truth() != (i.c() != 0) {
				pc++
				continue
			}
			r[a] = x
			pc += code[pc].bx() + 1

		case opCall:
			if b := i.b(); b != 0 {
				l.top = base + int(a) + b
			}
			fr.pc = pc
			if s.steps--; s.steps < 0 && !l.interrupt() {
				return false
			}
			want := i.c() - 1
			lua, ok := l.enter(base+int(a), want)
			if !ok {
				return false
			}
			if lua {
				goto reentry
			}
			if l.status == stYielded {
				return true
			}
			fr, r = l.frame(), l.regs(base)
			if want >= 0 {
				l.top = fr.top
			}

		case opTailCall:
			if b := i.b(); b != 0 {
				l.top = base + int(a) + b
			}
			fr.pc = pc
			if s.steps--; s.steps < 0 && !l.interrupt() {
				return false
			}
			lua, ok := l.enter(base+int(a), multi)
			if !ok {
				return false
			}
			if lua {
				l.replaceCaller()
				goto reentry
			}
			if l.status == stYielded {
				return true
			}
			fr, r = l.frame(), l.regs(base)

		case opReturn:
			if b := i.b(); b != 0 {
				l.top = base + int(a) + b - 1
			}
			if l.open != nil {
				l.closeUpvals(base)
			}
			entry, want := fr.entry, fr.want
			l.leave(base + int(a))
			if entry {
				return true
			}
			if want >= 0 {
				l.top = l.frame().top
			}
			goto reentry

		case opForLoop:
			step, limit := r[a+2].float(), r[a+1].float()
			idx := r[a].float() + step
			if step > 0 && idx <= limit || !(step > 0) && limit <= idx {
				pc += i.bx()
				r[a] = Number(idx)
				r[a+3] = Number(idx)
				if s.steps--; s.steps < 0 {
					if fr.pc = pc; !l.interrupt() {
						return false
					}
				}
			}

		case opForPrep:
			fr.pc = pc
			for x, what := range [...]string{"initial value", "limit", "step"} {
				v := &r[a+uint8(x)]
				if v.isNumber() {
					continue
				}
				f, ok := toNumber(*v)
				if !ok {
					return l.runtimeError("'for' %s must be a number", what)
				}
				*v = Number(f)
			}
			r[a] = Number(r[a].float() - r[a+2].float())
			pc += i.bx()

		case opTForLoop:
			fr.pc = pc
			if s.steps--; s.steps < 0 && !l.interrupt() {
				return false
			}
			if r[a].isFunction() && r[a].fn() == nextFunction && r[a+1].isTable() {
				k, v, ok := r[a+1].table().next(r[a+2])
				if ok {
					for x := int(a) + 5; x <= int(a)+2+i.c(); x++ {
						r[uint8(x)] = Nil
					}
					if i.c() > 1 {
						r[a+4] = v
					}
					r[a+3] = k
					if !k.isNil() {
						r[a+2] = k
						pc += code[pc].bx()
					}
					pc++
					continue
				}
			}
			r[a+5], r[a+4], r[a+3] = r[a+2], r[a+1], r[a]
			at := base + int(a) + 3
			l.top = at + 3
			if !l.call(at, i.c()) {
				return false
			}
			fr, r = l.frame(), l.regs(base)
			l.top = fr.top
			if !r[a+3].isNil() {
				r[a+2] = r[a+3]
				pc += code[pc].bx()
			}
			pc++

		case opSetList:
			n := i.b()
			if n == 0 {
				n = l.top - (base + int(a)) - 1
				l.top = fr.top
			}
			fr.pc = pc
			h := r[a].table()
			last := (i.c()-1)*listFlush + n
			if last > len(h.arr) {
				if d := (last - len(h.arr)) * valueSize; d > quotaStep && !s.enough(d) {
					return l.outOfMemory()
				}
				h.resize(s, last, len(h.node))
			}
			for at := base + int(a) + n; n > 0; n-- {
				h.setInt(s, last, l.stack[at])
				last--
				at--
			}
			if s.steps < 0 && !l.interrupt() {
				return false
			}

		case opClose:
			l.closeUpvals(base + int(a))

		case opClosure:
			fr.pc = pc
			q := p.protos[i.bx()]
			s.alloc(int(unsafe.Sizeof(Function{})) + 8*len(q.upvals))
			f := &Function{proto: q}
			if len(q.upvals) > 0 {
				f.ups = make([]*upvalue, len(q.upvals))
				for x, u := range q.upvals {
					if u.local {
						f.ups[x] = l.findUpval(base + int(u.index))
					} else {
						f.ups[x] = fn.ups[u.index]
					}
				}
			}
			r[a] = f.value()
			if s.steps < 0 && !l.interrupt() {
				return false
			}

		case opVararg:
			n := base - fr.at - 1 - p.params
			if p.vararg && n < 0 {
				n = 0
			}
			want := i.b() - 1
			if want == multi {
				want = n
				l.top = base + int(a)
				l.ensure(n)
				r = l.regs(base)
				l.top += n
			}
			dst := l.stack[base+int(a) : base+int(a)+want]
			s.steps -= n / 8
			k := copy(dst, l.stack[base-n:base])
			clear(dst[k:])
		}
	}
}

// replaceCaller puts the call that was just entered in place of its caller's.
func (l *Thread) replaceCaller() {
	n := len(l.frames) - 1
	f, up := &l.frames[n], &l.frames[n-1]
	if l.open != nil {
		l.closeUpvals(up.base)
	}
	d := f.at - up.at
	copy(l.stack[up.at:], l.stack[f.at:f.top])
	up.fn, up.base, up.top, up.pc = f.fn, f.base-d, f.top-d, 0
	up.tails++
	l.top = up.top
	l.frames = l.frames[:n]
}
