package script

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/script/lua"
)

// Library is a library of functions. It does not change: REPLACE makes a new one.
type Library struct {
	Name  string
	Code  string
	Funcs []*Func

	state *state // what its functions share; nil where that never changes
}

// Func is a function of a library.
type Func struct {
	Name  string
	Desc  string
	Flags Flags

	hasDesc bool
	lib     *Library
	fn      *lua.Function
	plan    Plan
}

// HasDesc reports whether the function was registered with a description.
func (f *Func) HasDesc() bool { return f.hasDesc }

// state lets one call at a time into a library.
type state struct {
	sem    chan struct{} // of one
	holder atomic.Pointer[Run]
}

// statePoll is how often a call that waits for a library looks whether the one
// before it is late.
const statePoll = 10 * time.Millisecond

// enter waits until the library is free, or the call in it is late.
func (s *state) enter(r *Run) error {
	select {
	case s.sem <- struct{}{}:
	default:
		for waiting := true; waiting; {
			select {
			case s.sem <- struct{}{}:
				waiting = false
			case <-time.After(statePoll):
				if h := s.holder.Load(); h != nil && h.busy.Load() {
					return h.reason()
				}
			}
		}
	}
	s.holder.Store(r)
	return nil
}

func (s *state) leave() {
	s.holder.Store(nil)
	<-s.sem
}

// libraries are all libraries, and their functions by name in lower case: as in
// Redis, the case of a function's name does not matter, that of a library's does.
type libraries struct {
	byName map[string]*Library
	funcs  map[string]*Func
	bytes  int64
}

func newLibraries() libraries {
	return libraries{byName: map[string]*Library{}, funcs: map[string]*Func{}}
}

func (l *libraries) link(lib *Library) {
	l.byName[lib.Name] = lib
	for _, f := range lib.Funcs {
		if name := strings.ToLower(f.Name); l.funcs[name] == nil {
			l.funcs[name] = f
		}
	}
	l.bytes += lib.size()
}

func (l *libraries) unlink(lib *Library) {
	delete(l.byName, lib.Name)
	for _, f := range lib.Funcs {
		if name := strings.ToLower(f.Name); l.funcs[name] == f {
			delete(l.funcs, name)
		}
	}
	l.bytes -= lib.size()
}

func (lib *Library) size() int64 { return int64(4*len(lib.Code) + 256*(1+len(lib.Funcs))) }

// clash is a function of lib whose name another library has, nil for none.
func (l *libraries) clash(lib *Library) *Func {
	for _, f := range lib.Funcs {
		if l.funcs[strings.ToLower(f.Name)] != nil {
			return f
		}
	}
	return nil
}

// add links a library, in the place of one of its name where replace is given.
func (l *libraries) add(lib *Library, replace bool) error {
	old := l.byName[lib.Name]
	if old != nil {
		if !replace {
			return resp.Error("ERR Library '" + lib.Name + "' already exists")
		}
		l.unlink(old)
	}
	if f := l.clash(lib); f != nil {
		if old != nil {
			l.link(old)
		}
		return resp.Error("ERR Function " + f.Name + " already exists")
	}
	l.link(lib)
	return nil
}

const errLibraryName = resp.Error("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")

// goodName reports whether a name of a library or a function is one.
func goodName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_') {
			return false
		}
	}
	return s != ""
}

// metadata reads the first line of a library.
func metadata(code string) (name, engine, rest string, err error) {
	if !strings.HasPrefix(code, "#!") {
		return "", "", "", resp.Error("ERR Missing library metadata")
	}
	i := strings.IndexByte(cString([]byte(code)), '\n')
	if i < 0 {
		return "", "", "", resp.Error("ERR Invalid library metadata")
	}
	parts, ok := resp.SplitArgs(nil, []byte(code[:i]))
	if !ok || len(parts) == 0 {
		return "", "", "", resp.Error("ERR Invalid library metadata")
	}
	engine = string(bytes.TrimPrefix(parts[0], []byte("#!")))
	named := false
	for _, p := range parts[1:] {
		if len(p) < 5 || !strings.EqualFold(string(p[:5]), "name=") {
			return "", "", "", resp.Error("ERR Invalid metadata value given: " + cString(p))
		}
		if named {
			return "", "", "", resp.Error("ERR Invalid metadata value, name argument was given multiple times")
		}
		named, name = true, string(p[5:])
	}
	if !named {
		return "", "", "", resp.Error("ERR Library name was not given")
	}
	return name, engine, code[i:], nil
}

// loadTime is how long a library may take to register its functions, as in Redis.
const loadTime = 500 * time.Millisecond

// loading is a FUNCTION LOAD that is going on.
type loading struct {
	lib   *Library
	until time.Time // zero for no limit
}

// LoadLibrary compiles and runs a library and adds its functions. Whoever calls
// it makes sure that changes of libraries come one after the other.
func (e *Engine) LoadLibrary(code string, replace bool) (name string, err error) {
	e.mu.RLock()
	libs := e.mu.libs
	e.mu.RUnlock()
	lib, err := e.library(code, func(name string) bool { return !replace && libs.byName[name] != nil })
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.mu.libs.add(lib, replace); err != nil {
		return "", err
	}
	return lib.Name, nil
}

// library makes a library of its code. exists is asked early: a name that is
// taken is told before what is wrong with the code.
func (e *Engine) library(code string, exists func(name string) bool) (*Library, error) {
	name, engine, rest, err := metadata(code)
	if err != nil {
		return nil, err
	}
	if !goodName(name) {
		return nil, errLibraryName
	}
	if !strings.EqualFold(engine, "lua") {
		return nil, resp.Error("ERR Engine '" + engine + "' not found")
	}
	if exists(name) {
		return nil, resp.Error("ERR Library '" + name + "' already exists")
	}
	p, err := lua.Compile(rest, "@user_function", maxCode)
	if err != nil {
		return nil, resp.Error("ERR Error compiling function: " + err.Error())
	}
	lib := &Library{Name: name, Code: code}
	if err := e.register(lib, p); err != nil {
		return nil, err
	}
	if len(lib.Funcs) == 0 {
		return nil, resp.Error("ERR No functions registered")
	}
	frozen := true
	for _, f := range lib.Funcs {
		frozen = f.fn.Freezable() && frozen
	}
	for _, f := range lib.Funcs {
		if frozen {
			f.fn.Freeze()
		}
		f.plan = e.planFunc(f.fn)
	}
	if !frozen {
		lib.state = &state{sem: make(chan struct{}, 1)}
	}
	return lib, nil
}

// register runs the code of a library, with nothing but the means to register.
func (e *Engine) register(lib *Library, p *lua.Proto) error {
	s := lua.NewState(lua.SealedGlobals(map[string]*lua.Table{"redis": loadRedis()}))
	m := &machine{e: e, state: s, load: &loading{lib: lib, until: time.Now().Add(loadTime)}}
	s.Host, s.Budget = m, &e.budget
	s.Interrupt = func() *lua.Error {
		if time.Now().After(m.load.until) || e.stopped.Load() {
			return fatal("ERR FUNCTION LOAD timeout")
		}
		return nil
	}
	defer s.Reset()
	_, fail := s.Run(s.NewFunction(p))
	m.load = nil
	if fail == nil {
		return nil
	}
	text := "ERR unknown error"
	if t := fail.Value.AsTable(); t == nil {
		text = "ERR " + cString([]byte(fail.Value.String()))
	} else if s, ok := t.Get("err").Text(); ok {
		text = cString([]byte(s))
	}
	return resp.Error("ERR Error registering functions: " + text)
}

// apiRegister is redis.register_function.
func apiRegister(m *machine, l *lua.Thread) {
	if m.load == nil {
		fail(l, "redis.register_function can only be called on FUNCTION LOAD command")
		return
	}
	f, wrong := &Func{}, ""
	switch l.NArg() {
	case 1:
		wrong = f.named(l)
	case 2:
		wrong = f.positional(l)
	default:
		wrong = "wrong number of arguments to redis.register_function"
	}
	lib := m.load.lib
	switch {
	case l.Failed():
		return
	case wrong != "":
	case !goodName(f.Name):
		wrong = strings.TrimPrefix(string(errLibraryName), "ERR ")
	case slices.ContainsFunc(lib.Funcs, func(g *Func) bool { return g.Name == f.Name }):
		wrong = "Function already exists in the library"
	}
	if wrong != "" {
		fail(l, wrong)
		return
	}
	f.lib = lib
	lib.Funcs = append(lib.Funcs, f)
}

func (f *Func) positional(l *lua.Thread) (wrong string) {
	name, ok := l.Arg(1).Text()
	if !ok {
		return "first argument to redis.register_function must be a string"
	}
	if f.fn = l.Arg(2).AsFunction(); f.fn == nil {
		return "second argument to redis.register_function must be a function"
	}
	f.Name = strings.Clone(name)
	return ""
}

func (f *Func) named(l *lua.Thread) (wrong string) {
	t := l.Arg(1).AsTable()
	if t == nil {
		return "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."
	}
	named := false
	for k, v := t.Next(lua.Nil); !k.IsNil(); k, v = t.Next(k) {
		key, ok := k.Text()
		if !ok {
			return "named argument key given to redis.register_function is not a string"
		}
		switch strings.ToLower(cString([]byte(key))) {
		case "function_name":
			if f.Name, named = v.Text(); !named {
				return "function_name argument given to redis.register_function must be a string"
			}
		case "description":
			if f.Desc, f.hasDesc = v.Text(); !f.hasDesc {
				return "description argument given to redis.register_function must be a string"
			}
		case "callback":
			if f.fn = v.AsFunction(); f.fn == nil {
				return "callback argument given to redis.register_function must be a function"
			}
		case "flags":
			if v.AsTable() == nil {
				return "flags argument to redis.register_function must be a table representing function flags"
			}
			if !f.readFlags(l, v) {
				return "unknown flag given"
			}
		default:
			return "unknown argument given to redis.register_function"
		}
	}
	if !named {
		return "redis.register_function must get a function name argument"
	}
	if f.fn == nil {
		return "redis.register_function must get a callback argument"
	}
	f.Name, f.Desc = strings.Clone(f.Name), strings.Clone(f.Desc)
	return ""
}

func (f *Func) readFlags(l *lua.Thread, list lua.Value) bool {
	for i := 1; ; i++ {
		v, ok := l.Index(list, lua.Number(float64(i)))
		if !ok || v.IsNil() {
			return ok
		}
		name, _ := v.Text()
		flag, ok := flagNamed(strings.ToLower(cString([]byte(name))))
		if !ok || !l.Tick(1) {
			return false
		}
		f.Flags |= flag
	}
}

// FindFunc looks a function up; nil where there is none.
func (e *Engine) FindFunc(name []byte) *Func {
	var room [64]byte
	low := append(room[:0], name...)
	for i, c := range low {
		if 'A' <= c && c <= 'Z' {
			low[i] = c | 0x20
		}
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.mu.libs.funcs[string(low)]
}

// DeleteLibrary forgets a library; false where there is none.
func (e *Engine) DeleteLibrary(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	lib := e.mu.libs.byName[name]
	if lib == nil {
		return false
	}
	e.mu.libs.unlink(lib)
	return true
}

// FlushLibraries forgets all libraries.
func (e *Engine) FlushLibraries() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.libs = newLibraries()
}

// Libraries lists all libraries by name.
func (e *Engine) Libraries() []*Library {
	e.mu.RLock()
	defer e.mu.RUnlock()
	l := make([]*Library, 0, len(e.mu.libs.byName))
	for _, lib := range e.mu.libs.byName {
		l = append(l, lib)
	}
	slices.SortFunc(l, func(a, b *Library) int { return cmp.Compare(a.Name, b.Name) })
	return l
}

// Policy is what FUNCTION RESTORE does with the libraries that are there.
type Policy int

// The policies.
const (
	Append Policy = iota
	Replace
	FlushFirst
)

// Restore adds the libraries of a dump, all or none.
func (e *Engine) Restore(payload []byte, p Policy) error {
	codes, err := readDump(payload)
	if err != nil {
		return err
	}
	fresh := newLibraries()
	for _, code := range codes {
		lib, err := e.library(code, func(name string) bool { return fresh.byName[name] != nil })
		if err == nil {
			err = fresh.add(lib, false)
		}
		if err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p == FlushFirst {
		e.mu.libs = fresh
		return nil
	}
	all := newLibraries()
	for name, lib := range e.mu.libs.byName {
		if fresh.byName[name] == nil {
			all.link(lib)
		} else if p != Replace {
			return resp.Error("ERR Library " + name + " already exists")
		}
	}
	for _, lib := range fresh.byName {
		if f := all.clash(lib); f != nil {
			return resp.Error("ERR Function " + f.Name + " already exists")
		}
	}
	for _, lib := range fresh.byName {
		all.link(lib)
	}
	e.mu.libs = all
	return nil
}
