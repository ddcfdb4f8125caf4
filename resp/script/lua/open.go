package lua

import (
	"maps"
	"slices"
)

// NewGlobals makes the table of global variables that scripts see: the
// functions of the language, and the libraries given. Everything but the table
// itself is shared by all machines. All is readonly, and what does not exist is
// an error: a global variable that a script made would be seen by the next.
func NewGlobals(libs map[string]*Table) *Table {
	g := &Table{}
	for _, l := range [...]map[string]*Table{standard, libs} {
		for _, name := range slices.Sorted(maps.Keys(l)) {
			g.set(nil, Shared(name), l[name].value())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(Base)) {
		g.set(nil, Shared(name), Base[name].value())
	}
	g.set(nil, Shared("_G"), g.value())
	g.set(nil, Shared("_VERSION"), Shared("Lua 5.1"))
	g.readonly, g.meta = true, NoGlobal
	return g
}

// NoGlobal is the metatable of tables in which what does not exist is an error.
var NoGlobal = Library(map[string]*Function{"__index": GoFunction(func(l *Thread) {
	if l.NArg() != 2 {
		l.Errorf("Wrong number of arguments to luaProtectedTableError")
		return
	}
	name, ok := asString(l.Arg(2))
	if !ok {
		l.Errorf("Second argument to luaProtectedTableError must be a string or number")
		return
	}
	l.Errorf("Script attempted to access nonexistent global variable '%s'", cString(name))
})}, nil)

// Library makes a readonly table of functions and constants, which several
// machines may use.
func Library(fns map[string]*Function, consts map[string]Value) *Table {
	t := &Table{mark: everMarked}
	for _, name := range slices.Sorted(maps.Keys(fns)) {
		t.set(nil, Shared(name), fns[name].value())
	}
	for _, name := range slices.Sorted(maps.Keys(consts)) {
		t.set(nil, Shared(name), consts[name])
	}
	t.readonly = true
	return t
}

// standard are the libraries of the language.
var standard = func() map[string]*Table {
	consts := map[string]Value{}
	for name, f := range MathConstants {
		consts[name] = Number(f)
	}
	return map[string]*Table{
		"string": Library(Strings, nil), "table": Library(Tables, nil), "math": Library(Math, consts),
		"coroutine": Library(Coroutine, nil), "os": Library(OS, nil), "bit": Library(Bit, nil),
	}
}()

// stringMeta is the metatable of all strings.
var stringMeta = Library(nil, map[string]Value{"__index": standard["string"].value()})
