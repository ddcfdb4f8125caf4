package script

import (
	"container/list"
	"crypto/sha1"
	"encoding/hex"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/script/lua"
)

// Engine has the scripts and libraries of a server. Make it with New. Its
// methods may be called by any goroutine.
type Engine struct {
	o         Options
	budget    lua.Budget
	busyAfter atomic.Int64 // ns, 0 for never
	stopped   atomic.Bool
	evicted   atomic.Uint64

	evals, calls sync.Pool // of *machine, with the globals of scripts and of functions

	mu struct {
		sync.RWMutex
		scripts map[string]*Script // by sha, lower case
		bodies  map[string]*Script // those of EVAL, by their text
		lru     list.List          // *Script, those of EVAL, the next to go first
		bytes   int64
		libs    libraries
	}
	runs struct {
		sync.Mutex
		all map[*Run]struct{} // those that take longer than a moment
	}
}

// Options of an engine.
type Options struct {
	Logger func() *slog.Logger
	// Keys says where a command has its keys, for its name, its subcommand and a
	// number of arguments, the name included, see Plan.
	Keys func(name, sub string, args int) (Keys, bool)
}

// New makes an engine without scripts.
func New(o Options) *Engine {
	e := &Engine{o: o}
	e.mu.scripts, e.mu.bodies = map[string]*Script{}, map[string]*Script{}
	e.mu.libs = newLibraries()
	e.runs.all = map[*Run]struct{}{}
	return e
}

// SetMemoryLimit sets how much all scripts that run may hold together, in bytes.
func (e *Engine) SetMemoryLimit(n int64) { e.budget.SetLimit(n) }

// SetBusyAfter sets how long a script may run until others are told BUSY, and it
// may be killed; 0 is for ever.
func (e *Engine) SetBusyAfter(d time.Duration) { e.busyAfter.Store(int64(d)) }

// Stop ends all scripts that run, now and later.
func (e *Engine) Stop() { e.stopped.Store(true) }

// Script is a script of EVAL or SCRIPT LOAD. It does not change.
type Script struct {
	Body  string
	SHA   string
	Flags Flags

	fn   *lua.Function
	plan Plan
	node *list.Element // in the list of those that may go; nil after SCRIPT LOAD
}

// maxEvals is how many scripts of EVAL are kept, as in Redis: who makes a new one
// for each call fills no memory. Those of SCRIPT LOAD stay.
const maxEvals = 500

// Find looks a script up by its hash, in any case; nil where there is none.
func (e *Engine) Find(sha []byte) *Script {
	if len(sha) != 2*sha1.Size {
		return nil
	}
	var low [2 * sha1.Size]byte
	for i, c := range sha {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	e.mu.RLock()
	s := e.mu.scripts[string(low[:])]
	e.mu.RUnlock()
	return s
}

// Eval finds or compiles the script of an EVAL.
func (e *Engine) Eval(body []byte) (*Script, error) {
	e.mu.RLock()
	s := e.mu.bodies[string(body)]
	e.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	return e.load(string(body), true)
}

// Load compiles a script for SCRIPT LOAD, unless it is there already.
func (e *Engine) Load(body []byte) (*Script, error) { return e.load(string(body), false) }

func (e *Engine) load(body string, mayGo bool) (*Script, error) {
	sum := sha1.Sum([]byte(body))
	sha := hex.EncodeToString(sum[:])
	e.mu.RLock()
	s := e.mu.scripts[sha]
	e.mu.RUnlock()
	if s == nil {
		var err error
		if s, err = e.compile(body, sha); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old := e.mu.scripts[sha]; old != nil {
		s = old
	} else {
		e.mu.scripts[sha] = s
		e.mu.bytes += s.size()
		if mayGo {
			for e.mu.lru.Len() >= maxEvals {
				e.dropLocked(e.mu.lru.Front().Value.(*Script))
				e.evicted.Add(1)
			}
			s.node = e.mu.lru.PushBack(s)
		}
	}
	if mayGo {
		e.mu.bodies[s.Body] = s
	}
	return s, nil
}

func (e *Engine) compile(body, sha string) (*Script, error) {
	code, flags, err := shebang(body)
	if err != nil {
		return nil, err
	}
	p, err := lua.Compile(code, "@user_script", maxCode)
	if err != nil {
		return nil, resp.Error("ERR Error compiling script (new function): " + err.Error())
	}
	return &Script{Body: body, SHA: sha, Flags: flags, fn: lua.Main(p), plan: e.plan(p)}, nil
}

// maxCode is how much memory the code of a script may take.
const maxCode = 64 << 20

func (s *Script) size() int64 { return int64(2*len(s.Body) + 256) }

func (e *Engine) dropLocked(s *Script) {
	delete(e.mu.scripts, s.SHA)
	delete(e.mu.bodies, s.Body)
	e.mu.bytes -= s.size()
	if s.node != nil {
		e.mu.lru.Remove(s.node)
	}
}

// used moves a script of EVAL to the end of those that may go.
func (e *Engine) used(s *Script) {
	if s.node == nil {
		return
	}
	e.mu.RLock()
	last := e.mu.lru.Back() == s.node || e.mu.lru.Len() < maxEvals/2
	e.mu.RUnlock()
	if last { // nobody is about to go
		return
	}
	e.mu.Lock()
	if e.mu.scripts[s.SHA] == s {
		e.mu.lru.MoveToBack(s.node)
	}
	e.mu.Unlock()
}

// Flush forgets all scripts.
func (e *Engine) Flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.scripts, e.mu.bodies = map[string]*Script{}, map[string]*Script{}
	e.mu.lru.Init()
	e.mu.bytes = 0
}

// Stats are the figures that INFO tells.
type Stats struct {
	Scripts, Functions, Libraries int
	Evicted                       uint64
	ScriptBytes, FunctionBytes    int64 // texts and code, about
	RunBytes                      int64 // held by scripts that run
}

// Stats tells the figures of this moment.
func (e *Engine) Stats() Stats {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return Stats{
		Scripts: len(e.mu.scripts), Functions: len(e.mu.libs.funcs), Libraries: len(e.mu.libs.byName), Evicted: e.evicted.Load(),
		ScriptBytes: e.mu.bytes, FunctionBytes: e.mu.libs.bytes, RunBytes: e.budget.Used(),
	}
}
