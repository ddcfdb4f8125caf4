package lua

// Main makes the function of a chunk for several machines to call. It has no
// upvalues, and so nothing that a call could change.
func Main(p *Proto) *Function { return &Function{proto: p, mark: everMarked} }

// Freezable reports whether calls of the function share nothing that they could
// change: its upvalues, and those of the functions among them, are constants and
// functions, and nothing assigns to them. Such a function can be frozen.
func (f *Function) Freezable() bool { return f.freezable(map[*Function]bool{}) }

func (f *Function) freezable(seen map[*Function]bool) bool {
	if seen[f] || f.proto == nil {
		return len(f.vals) == 0
	}
	seen[f] = true
	for i, u := range f.ups {
		if u.v != &u.own || f.proto.assigns(i) {
			return false
		}
		switch v := *u.v; v.Kind() {
		case KindTable:
			if !v.table().readonly {
				return false
			}
		case KindThread:
			return false
		case KindFunction:
			if !v.fn().freezable(seen) {
				return false
			}
		}
	}
	return true
}

// assigns reports whether the code, or a function within it, changes an upvalue.
func (p *Proto) assigns(up int) bool {
	for _, i := range p.code {
		if i.op() == opSetUpval && i.b() == up {
			return true
		}
	}
	for _, q := range p.protos {
		for j, u := range q.upvals {
			if !u.local && int(u.index) == up && q.assigns(j) {
				return true
			}
		}
	}
	return false
}

// Freeze makes the function fit for several machines at once: nothing writes to
// it any more, not even marks.
func (f *Function) Freeze() {
	if f.mark == everMarked {
		return
	}
	f.mark = everMarked
	for _, u := range f.ups {
		u.mark = everMarked
		switch v := *u.v; v.Kind() {
		case KindString:
			v.str().sum()
			v.str().mark = everMarked
		case KindFunction:
			v.fn().Freeze()
		}
	}
}

// SealedGlobals makes a table of global variables that has nothing but the
// libraries given.
func SealedGlobals(libs map[string]*Table) *Table {
	g := &Table{}
	for name, t := range libs {
		g.set(nil, Shared(name), t.value())
	}
	g.readonly, g.meta = true, NoGlobal
	return g
}

// Slot is where the value of a global variable is, which scripts cannot change.
func (s *State) Slot(name Value) *Value { return s.Globals.place(s, name) }

// SetString stores a value under a name, raw.
func (t *Table) SetString(name string, v Value) { t.set(nil, Shared(name), v) }

// Readonly reports whether the table is protected.
func (t *Table) Readonly() bool { return t.readonly }

// TakeError ends the failure of the main thread and returns its error.
func (s *State) TakeError() *Error {
	l := s.main
	err := &Error{Value: l.err}
	err.Source, err.Line = l.place()
	l.failed, l.fatal, l.err = false, false, Nil
	return err
}
