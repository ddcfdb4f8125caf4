package lua

// Tables lists the functions of tables.
var Tables = map[string]*Function{
	"concat": GoFunction(tabConcat), "foreach": GoFunction(tabForeach), "foreachi": GoFunction(tabForeachi),
	"getn": GoFunction(tabGetn), "insert": GoFunction(tabInsert), "maxn": GoFunction(tabMaxn),
	"remove": GoFunction(tabRemove), "setn": GoFunction(tabSetn), "sort": GoFunction(tabSort),
}

// writable reports whether t may be changed; else the function has failed.
func (l *Thread) writable(t *Table) bool {
	if t.readonly {
		return l.runtimeError("Attempt to modify a readonly table")
	}
	return true
}

func tabForeachi(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	n := t.length()
	f := l.CheckFunction(2)
	if l.failed {
		return
	}
	for i := 1; i <= n && l.Tick(1); i++ {
		r, ok := l.Call(f, 1, Number(float64(i)), t.getInt(i))
		if !ok {
			return
		}
		if !r[0].isNil() {
			l.Push(r[0])
			return
		}
	}
}

func tabForeach(l *Thread) {
	t, f := l.CheckTable(1), l.CheckFunction(2)
	if l.failed {
		return
	}
	for k := Nil; l.Tick(1); {
		next, v, ok := t.next(k)
		if !ok {
			l.runtimeError("invalid key to 'next'")
			return
		}
		if k = next; k.isNil() {
			return
		}
		r, ok := l.Call(f, 1, k, v)
		if !ok {
			return
		}
		if !r[0].isNil() {
			l.Push(r[0])
			return
		}
	}
}

func tabMaxn(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	n := 0.0
	for k, _ := t.Next(Nil); !k.isNil(); k, _ = t.Next(k) {
		if k.isNumber() && k.float() > n {
			n = k.float()
		}
		if !l.Tick(1) {
			return
		}
	}
	l.Push(Number(n))
}

func tabGetn(l *Thread) {
	if t := l.CheckTable(1); t != nil {
		l.Push(Number(float64(t.length())))
	}
}

func tabSetn(l *Thread) {
	if l.CheckTable(1); !l.failed {
		l.Errorf("'setn' is obsolete")
	}
}

func tabInsert(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	e := t.length() + 1
	switch l.NArg() {
	case 2:
		if l.writable(t) {
			t.setInt(l.s, e, l.Arg(2))
		}
	case 3:
		pos := l.CheckInt(2)
		if l.failed || !l.writable(t) {
			return
		}
		e = max(e, pos)
		// As far as there are elements; a position far behind them moves nothing.
		for i := e; i > pos && l.Tick(1); i-- {
			t.setInt(l.s, i, t.getInt(i-1))
		}
		if !l.failed {
			t.setInt(l.s, pos, l.Arg(3))
		}
	default:
		l.Errorf("wrong number of arguments to 'insert'")
	}
}

func tabRemove(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	e := t.length()
	pos := l.OptInt(2, e)
	if l.failed || pos < 1 || pos > e || !l.writable(t) {
		return
	}
	l.Push(t.getInt(pos))
	for ; pos < e && l.Tick(1); pos++ {
		t.setInt(l.s, pos, t.getInt(pos+1))
	}
	t.setInt(l.s, e, Nil)
}

func tabConcat(l *Thread) {
	sep := l.OptString(2, "")
	t := l.CheckTable(1)
	from := l.OptInt(3, 1)
	if l.failed {
		return
	}
	var to int
	if l.Arg(4).isNil() {
		to = t.length()
	} else {
		to = l.CheckInt(4)
	}
	if l.failed {
		return
	}
	var out []byte
	for i := from; i <= to && l.Tick(1); i++ {
		v := t.getInt(i)
		if !v.isString() && !v.isNumber() {
			l.Errorf("invalid value (%s) at index %d in table for 'concat'", v.Type(), i)
			return
		}
		if v.isString() {
			s := v.str().s
			if len(out)+len(s)+len(sep) > quotaStep && !l.Take(2*(len(out)+len(s)+len(sep))) {
				return
			}
			out = append(out, s...)
		} else {
			out = appendNumber(out, v.float())
		}
		if i < to {
			out = append(out, sep...)
		}
	}
	if !l.failed {
		l.Push(l.bytes(out))
	}
}

func tabSort(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	n := t.length()
	less := l.Arg(2)
	if !less.isNil() {
		if l.CheckFunction(2); l.failed {
			return
		}
	}
	s := sorter{l: l, t: t, less: less}
	s.sort(1, n)
}

// sorter is PUC-Rio's quicksort, so that an order function that is none, and
// equal elements, come out the same.
type sorter struct {
	l    *Thread
	t    *Table
	less Value
}

func (s *sorter) before(a, b Value) bool {
	if !s.l.Tick(1) {
		return false
	}
	if s.less.isNil() {
		res, _ := s.l.less(a, b)
		return res
	}
	r, ok := s.l.Call(s.less, 1, a, b)
	return ok && r[0].truth()
}

// set2 stores two elements; false where that has failed.
func (s *sorter) set2(i int, a Value, j int, b Value) bool {
	if !s.l.writable(s.t) {
		return false
	}
	s.t.setInt(s.l.s, i, a)
	s.t.setInt(s.l.s, j, b)
	return true
}

func (s *sorter) sort(lo, up int) {
	l, t := s.l, s.t
	for lo < up && !l.failed {
		a, b := t.getInt(lo), t.getInt(up)
		if s.before(b, a) && !s.set2(lo, b, up, a) {
			return
		}
		if up-lo == 1 {
			break
		}
		i := (lo + up) / 2
		a, b = t.getInt(i), t.getInt(lo)
		if s.before(a, b) {
			s.set2(i, b, lo, a)
		} else if b = t.getInt(up); !l.failed && s.before(b, a) {
			s.set2(i, b, up, a)
		}
		if l.failed || up-lo == 2 {
			break
		}
		pivot := t.getInt(i)
		if !s.set2(i, t.getInt(up-1), up-1, pivot) {
			return
		}
		i, j := lo, up-1
		for {
			var x, y Value
			for i++; ; i++ {
				if x = t.getInt(i); !s.before(x, pivot) {
					break
				}
				if i > up {
					l.Errorf("invalid order function for sorting")
					return
				}
			}
			for j--; ; j-- {
				if y = t.getInt(j); l.failed || !s.before(pivot, y) {
					break
				}
				if j < lo {
					l.Errorf("invalid order function for sorting")
					return
				}
			}
			if l.failed {
				return
			}
			if j < i {
				break
			}
			if !s.set2(i, y, j, x) {
				return
			}
		}
		a, b = t.getInt(up-1), t.getInt(i)
		if !s.set2(up-1, b, i, a) {
			return
		}
		if i-lo < up-i {
			s.sort(lo, i-1)
			lo = i + 1
		} else {
			s.sort(i+1, up)
			up = i - 1
		}
	}
}
