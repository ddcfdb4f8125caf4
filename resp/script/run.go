package script

import (
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/script/lua"
)

// Host runs commands for a script: the session that has called it.
type Host interface {
	// Do runs a command and returns its reply in RESP version proto, valid until
	// the next Do; or the text of an error that it was refused with.
	Do(argv [][]byte, proto int) (reply []byte, refused string)
	// Allowed answers redis.acl_check_cmd; an error text where the command is
	// none.
	Allowed(argv [][]byte) (ok bool, wrong string)
	// Busy is called once, when the script has run for as long as the threshold
	// says. Others are to be told the reason.
	Busy(reason error)
	// Gone reports whether nobody waits for the script any more.
	Gone() bool
	// Halted is called when the server stops while the script runs.
	Halted()
}

// Call is one call of a script or a function.
type Call struct {
	Host       Host
	W          *resp.Writer // the reply goes here
	Keys, Args [][]byte
	Command    [][]byte // as the client has sent it

	run *Run
}

// Wrote reports whether the script has called a command that writes.
func (c *Call) Wrote() bool { return c.run.wrote.Load() }

// SetWrote says that it has: from now on it cannot be killed.
func (c *Call) SetWrote() { c.run.wrote.Store(true) }

// Run is a call that is going on.
type Run struct {
	name    string // sha of a script, name of a function
	eval    bool
	command []string
	started time.Time
	wrote   atomic.Bool // a command that writes was called
	busy    atomic.Bool // it is late, others hear of it
	killed  atomic.Bool
	listed  bool // in Engine.runs; its own goroutine's
}

// Errors that others get while a script takes long.
const (
	errBusyEval     = resp.ErrBusy
	errBusyFunction = resp.Error("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.")
	errNotBusy      = resp.Error("NOTBUSY No scripts in execution right now.")
	errUnkillable   = resp.Error("UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
)

// Kill ends the scripts, or the functions, that are late and have not written.
func (e *Engine) Kill(eval bool) error {
	e.runs.Lock()
	defer e.runs.Unlock()
	err := error(errNotBusy)
	for r := range e.runs.all {
		switch {
		case !r.busy.Load():
		case r.wrote.Load():
			if err == errNotBusy {
				err = errUnkillable
			}
		case r.eval != eval:
			if err == errNotBusy {
				err = r.reason()
			}
		default:
			r.killed.Store(true)
		}
	}
	for r := range e.runs.all {
		if r.killed.Load() {
			return nil
		}
	}
	return err
}

func (r *Run) reason() error {
	if r.eval {
		return errBusyEval
	}
	return errBusyFunction
}

// Running describes the function that has run the longest, for FUNCTION STATS.
type Running struct {
	Name    string
	Command []string
	For     time.Duration
}

// Running returns it, nil for none; or an error where a script is late, as
// FUNCTION STATS has it.
func (e *Engine) Running() (*Running, error) {
	e.runs.Lock()
	defer e.runs.Unlock()
	var longest *Run
	for r := range e.runs.all {
		if r.eval && r.busy.Load() {
			return nil, errBusyEval
		}
		if !r.eval && (longest == nil || r.started.Before(longest.started)) {
			longest = r
		}
	}
	if longest == nil {
		return nil, nil
	}
	return &Running{longest.name, longest.command, time.Since(longest.started)}, nil
}

// machine is a lua.State with what redis.* needs.
type machine struct {
	e     *Engine
	state *lua.State
	run   Run
	call  *Call
	proto int // of the replies that the script gets
	argv  chunk
	load  *loading // FUNCTION LOAD

	keys, args         lua.Array  // KEYS and ARGV
	keysSlot, argsSlot *lua.Value // where scripts find them
}

func (e *Engine) machine(eval bool) *machine {
	pool, globals := &e.calls, functionGlobals
	if eval {
		pool, globals = &e.evals, evalGlobals
	}
	if m, ok := pool.Get().(*machine); ok {
		return m
	}
	m := &machine{e: e, state: lua.NewState(globals())}
	m.state.Host = m
	m.state.Budget = &e.budget
	m.state.Interrupt = m.interrupt
	if eval {
		m.keysSlot, m.argsSlot = m.state.Slot(nameKeys), m.state.Slot(nameArgs)
		*m.keysSlot, *m.argsSlot = m.keys.Borrow(nil), m.args.Borrow(nil)
		m.keysSlot, m.argsSlot = m.state.Slot(nameKeys), m.state.Slot(nameArgs) // the table may have grown
	}
	return m
}

// begin makes the machine ready for a call.
func (m *machine) begin(c *Call, name string, eval bool) {
	m.call, m.proto = c, 2
	m.run = Run{name: name, eval: eval, started: time.Now()}
	c.run = &m.run
}

// end gives the machine back. One in which something has panicked never comes
// here, and is not used again.
func (m *machine) end() {
	if m.run.listed {
		m.e.runs.Lock()
		delete(m.e.runs.all, &m.run)
		m.e.runs.Unlock()
	}
	m.call = nil
	m.state.Reset()
	pool := &m.e.calls
	if m.run.eval {
		pool = &m.e.evals
	}
	pool.Put(m)
}

// interrupt is asked every few thousand steps.
func (m *machine) interrupt() *lua.Error {
	r := &m.run
	if !r.listed {
		r.listed = true
		for _, a := range m.call.Command {
			r.command = append(r.command, string(a))
		}
		m.e.runs.Lock()
		m.e.runs.all[r] = struct{}{}
		m.e.runs.Unlock()
	}
	switch after := time.Duration(m.e.busyAfter.Load()); {
	case m.e.stopped.Load():
		m.call.Host.Halted()
		return fatal("ERR Script killed by the end of the server")
	case r.killed.Load(), !r.wrote.Load() && m.call.Host.Gone():
		return fatal("ERR Script killed by user with SCRIPT KILL...")
	case after > 0 && !r.busy.Load() && time.Since(r.started) >= after:
		r.busy.Store(true)
		how := "SCRIPT KILL"
		if !r.eval {
			how = "FUNCTION KILL"
		}
		m.e.o.Logger().Warn("a script takes long; others that want its keys are told so", "for", time.Since(r.started), "script", r.name, "kill it with", how)
		m.call.Host.Busy(r.reason())
	}
	return nil
}

func fatal(msg string) *lua.Error {
	t := &lua.Table{}
	t.SetString("err", lua.String(msg))
	return &lua.Error{Value: t.Value()}
}

// RunScript calls a script and writes its reply.
func (e *Engine) RunScript(s *Script, c *Call) {
	e.used(s)
	m := e.machine(true)
	m.begin(c, s.SHA, true)
	*m.keysSlot, *m.argsSlot = m.keys.Borrow(c.Keys), m.args.Borrow(c.Args)
	v, err := m.state.Run(s.fn)
	m.finish(v, err)
	m.keys.Release()
	m.args.Release()
	m.end()
}

var (
	nameKeys = lua.Shared("KEYS")
	nameArgs = lua.Shared("ARGV")
)

// RunFunc calls a function and writes its reply; or it returns why it cannot,
// where another call of the same library takes long.
func (e *Engine) RunFunc(f *Func, c *Call) error {
	m := e.machine(false)
	m.begin(c, f.Name, false)
	err := m.callFunc(f, c)
	m.end()
	return err
}

func (m *machine) callFunc(f *Func, c *Call) error {
	if s := f.lib.state; s != nil {
		if err := s.enter(&m.run); err != nil {
			return err
		}
		defer s.leave()
	}
	v, err := m.state.Run(f.fn, m.state.Array(c.Keys), m.state.Array(c.Args))
	m.finish(v, err)
	return nil
}

// finish writes the reply: what the script has returned, or its error.
func (m *machine) finish(v lua.Value, err *lua.Error) {
	w := m.call.W
	if err == nil {
		m.reply(w, v)
		return
	}
	w.Error(m.errorText(err))
}

// errorText is the reply for an error that nobody has caught.
func (m *machine) errorText(err *lua.Error) string {
	t := err.Value.AsTable()
	if t == nil {
		text := cString([]byte(err.Value.String()))
		if text == "not enough memory" {
			return "ERR Error running script " + m.run.name + ", " + text
		}
		return m.placed("ERR "+text, err.Source, err.Line)
	}
	if t.Readonly() {
		// Redis notes the place in the table, by a handler that is Lua itself.
		return m.placed("ERR err_handler_def:10: Attempt to modify a readonly table", "@err_handler_def", 10)
	}
	if t.Meta() != nil {
		return m.errorByMeta(t, err)
	}
	return m.placed(errText(t.GetValue(nameErr)), err.Source, err.Line)
}

// errText is the text of an error by its field err.
func errText(v lua.Value) string {
	if s, ok := v.Text(); ok {
		return cString([]byte(s))
	}
	return "ERR unknown error"
}

func (m *machine) placed(text, source string, line int) string {
	if source == "" {
		return text
	}
	return text + " script: " + m.run.name + ", on " + source + ":" + itoa(line) + "."
}

// errorByMeta is errorText for a table whose metamethods have a say in what its
// fields are.
func (m *machine) errorByMeta(t *lua.Table, err *lua.Error) string {
	l := m.state.Main()
	m.state.TakeError()
	if !l.SetIndex(t.Value(), nameSource, lua.String(err.Source)) || !l.SetIndex(t.Value(), nameLine, lua.Number(float64(err.Line))) {
		return "ERR Error running script " + m.run.name + ", error in error handling"
	}
	field := func(name lua.Value) lua.Value {
		v, ok := l.Index(t.Value(), name)
		if !ok {
			m.state.TakeError()
			return lua.Nil
		}
		return v
	}
	text := errText(field(nameErr))
	source, hasSource := field(nameSource).Text()
	line, hasLine := field(nameLine).Text()
	if !hasSource || !hasLine {
		return text
	}
	return text + " script: " + m.run.name + ", on " + source + ":" + line + "."
}

var (
	nameSource = lua.Shared("source")
	nameLine   = lua.Shared("line")
)
