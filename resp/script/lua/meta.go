package lua

// event is a metamethod.
type event int

// The metamethods. Those up to metaEq are remembered when a table has none.
const (
	metaIndex event = iota
	metaNewindex
	metaEq
	metaAdd
	metaSub
	metaMul
	metaDiv
	metaMod
	metaPow
	metaUnm
	metaLen
	metaLt
	metaLe
	metaConcat
	metaCall
	metaTostring
	metaMetatable
)

var metaNames = func() (l []*str) {
	for _, n := range []string{
		"__index", "__newindex", "__eq", "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__unm",
		"__len", "__lt", "__le", "__concat", "__call", "__tostring", "__metatable",
	} {
		l = append(l, shared(n))
	}
	return l
}()

// metatable of a value, nil for none.
func (l *Thread) metatable(v Value) *Table {
	switch v.Kind() {
	case KindTable:
		return v.table().meta
	case KindString:
		return l.s.strMT
	}
	return nil
}

// metaOf is a value's metamethod, nil for none.
func (l *Thread) metaOf(v Value, e event) Value {
	if t := l.metatable(v); t != nil {
		return t.getStr(metaNames[e])
	}
	return Nil
}

// fast is a metamethod of a metatable, which remembers those it does not have.
func (t *Table) fast(e event) Value {
	if t == nil || t.absent&(1<<e) != 0 {
		return Nil
	}
	v := t.getStr(metaNames[e])
	if v.isNil() && !t.readonly {
		t.absent |= 1 << e
	}
	return v
}

// maxChain is how long a chain of __index may be.
const maxChain = 100

// index is t[key]. reg is where t is, for errors, negative if in no register.
func (l *Thread) index(t, key Value, reg int) (Value, bool) {
	for range maxChain {
		var tm Value
		if t.isTable() {
			h := t.table()
			if v := h.get(key); !v.isNil() {
				return v, true
			}
			if tm = h.meta.fast(metaIndex); tm.isNil() {
				return Nil, true
			}
		} else if tm = l.metaOf(t, metaIndex); tm.isNil() {
			return Nil, l.typeError(t, reg, "index")
		}
		if tm.isFunction() {
			return l.callMeta(tm, t, key)
		}
		t, reg = tm, -1
	}
	return Nil, l.runtimeError("loop in gettable")
}

// setIndex is t[key] = val.
func (l *Thread) setIndex(t, key, val Value, reg int) bool {
	for range maxChain {
		var tm Value
		if t.isTable() {
			h := t.table()
			if h.readonly {
				return l.runtimeError("Attempt to modify a readonly table")
			}
			if !l.checkKey(key) {
				return false
			}
			p := h.place(l.s, key)
			h.absent = 0
			if h.meta == nil || !p.isNil() {
				*p = val
				return true
			}
			if tm = h.meta.fast(metaNewindex); tm.isNil() {
				*p = val
				return true
			}
		} else if tm = l.metaOf(t, metaNewindex); tm.isNil() {
			return l.typeError(t, reg, "index")
		}
		if tm.isFunction() {
			_, ok := l.Call(tm, 0, t, key, val)
			return ok
		}
		t, reg = tm, -1
	}
	return l.runtimeError("loop in settable")
}

func (l *Thread) checkKey(key Value) bool {
	if key.isNil() {
		return l.runtimeError("table index is nil")
	}
	if key.isNumber() && key.float() != key.float() {
		return l.runtimeError("table index is NaN")
	}
	return true
}

// callMeta calls a metamethod for its one result.
func (l *Thread) callMeta(f, a, b Value) (Value, bool) {
	r, ok := l.Call(f, 1, a, b)
	if !ok {
		return Nil, false
	}
	return r[0], true
}

// binaryMeta tries the metamethod of the first operand, then of the second.
func (l *Thread) binaryMeta(e event, a, b Value) (v Value, found, ok bool) {
	tm := l.metaOf(a, e)
	if tm.isNil() {
		tm = l.metaOf(b, e)
	}
	if tm.isNil() {
		return Nil, false, true
	}
	v, ok = l.callMeta(tm, a, b)
	return v, true, ok
}

// arithSlow is arithmetic on what are not two numbers.
func (l *Thread) arithSlow(o op, a, b Value, rega, regb int) (Value, bool) {
	if x, ok := toNumber(a); ok {
		if y, ok := toNumber(b); ok {
			return Number(arith(o, x, y)), true
		}
	}
	v, found, ok := l.binaryMeta(metaAdd+event(o-opAdd), a, b)
	if !found {
		return Nil, l.arithError(a, b, rega, regb)
	}
	return v, ok
}

// equal is a == b, metamethods included.
func (l *Thread) equal(a, b Value) (eq, ok bool) {
	if rawEqual(a, b) {
		return true, true
	}
	if !a.isTable() || !b.isTable() {
		return false, true
	}
	m1, m2 := a.table().meta, b.table().meta
	tm := m1.fast(metaEq)
	if tm.isNil() {
		return false, true
	}
	if m1 != m2 {
		if tm2 := m2.fast(metaEq); tm2.isNil() || !rawEqual(tm, tm2) {
			return false, true
		}
	}
	v, ok := l.callMeta(tm, a, b)
	return v.truth(), ok
}

// orderMeta calls a metamethod that both operands have in common.
func (l *Thread) orderMeta(e event, a, b Value) (res, found, ok bool) {
	tm := l.metaOf(a, e)
	if tm.isNil() || !rawEqual(tm, l.metaOf(b, e)) {
		return false, false, true
	}
	v, ok := l.callMeta(tm, a, b)
	return v.truth(), true, ok
}

// less is a < b.
func (l *Thread) less(a, b Value) (res, ok bool) {
	switch {
	case a.Type() != b.Type():
		return false, l.orderError(a, b)
	case a.isNumber():
		return a.float() < b.float(), true
	case a.isString():
		return a.str().s < b.str().s, true
	}
	res, found, ok := l.orderMeta(metaLt, a, b)
	if !found {
		return false, l.orderError(a, b)
	}
	return res, ok
}

// lessEqual is a <= b.
func (l *Thread) lessEqual(a, b Value) (res, ok bool) {
	switch {
	case a.Type() != b.Type():
		return false, l.orderError(a, b)
	case a.isNumber():
		return a.float() <= b.float(), true
	case a.isString():
		return a.str().s <= b.str().s, true
	}
	res, found, ok := l.orderMeta(metaLe, a, b)
	if found {
		return res, ok
	}
	res, found, ok = l.orderMeta(metaLt, b, a)
	if !found {
		return false, l.orderError(a, b)
	}
	return !res, ok
}

// lengthOf is #v.
func (l *Thread) lengthOf(v Value, reg int) (Value, bool) {
	switch {
	case v.isTable():
		return Number(float64(v.table().length())), true
	case v.isString():
		return Number(float64(len(v.str().s))), true
	}
	r, found, ok := l.binaryMeta(metaLen, v, Nil)
	if !found {
		return Nil, l.typeError(v, reg, "get length of")
	}
	return r, ok
}

// concat joins the n values below top into one, which it leaves there.
func (l *Thread) concat(n int) bool {
	for n > 1 {
		top, k := l.top, 2
		a, b := l.stack[top-2], l.stack[top-1]
		if !(a.isString() || a.isNumber()) || !(b.isString() || b.isNumber()) {
			v, found, ok := l.binaryMeta(metaConcat, a, b)
			if !found {
				base := l.frame().base
				return l.concatError(a, b, top-2-base, top-1-base)
			}
			if !ok {
				return false
			}
			l.stack[top-2] = v
		} else {
			size := 0
			for k = 0; k < n; k++ {
				v := &l.stack[top-1-k]
				if v.isNumber() {
					*v = l.String(formatNumber(v.float()))
				} else if !v.isString() {
					break
				}
				size += len(v.str().s)
			}
			if size > maxString {
				return l.runtimeError("string length overflow")
			}
			if !l.s.enough(size) {
				return l.outOfMemory()
			}
			switch {
			case len(l.stack[top-1].str().s) == size:
				l.stack[top-k] = l.stack[top-1]
			case len(l.stack[top-k].str().s) == size:
			default:
				buf := make([]byte, 0, size)
				for i := top - k; i < top; i++ {
					buf = append(buf, l.stack[i].str().s...)
				}
				l.stack[top-k] = l.bytes(buf)
			}
		}
		n -= k - 1
		l.top -= k - 1
	}
	return true
}

// maxString is the longest string, as a proto-max-bulk-len of 512 MB has it.
const maxString = 512 << 20
