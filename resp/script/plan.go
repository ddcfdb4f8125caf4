package script

import "github.com/nearcache/nearcache/resp/script/lua"

// Plan says which keys a script may touch, as far as its code tells.
type Plan struct {
	Wide bool     // any; the script needs all shards
	Keys [][]byte // beside those that are declared: constants
}

// Keys says which arguments of a command are keys, as command.KeySpec does.
type Keys struct {
	First, Last, Step int
	None              bool // it touches no key
}

func (e *Engine) plan(*lua.Proto, bool) Plan  { return Plan{Wide: true} }
func (e *Engine) planFunc(*lua.Function) Plan { return Plan{Wide: true} }
func (s *Script) Plan() *Plan                 { return &s.plan }
func (f *Func) Plan() *Plan                   { return &f.plan }
