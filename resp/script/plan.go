package script

import (
	"strings"

	"github.com/nearcache/nearcache/resp/script/lua"
)

// Plan says which keys a script may touch, as far as its code tells.
type Plan struct {
	Wide bool     // any: the script needs all shards
	Keys [][]byte // beside those that are declared: constants
}

// Keys says which arguments of a command are keys: from First (1 is the first
// behind the name) to Last (negative counts from the end) by Step; First is 0
// where there are none.
type Keys struct{ First, Last, Step int }

// maxPlanned is how many constants may be keys of a plan: a script with more
// takes all shards.
const maxPlanned = 64

// Plan is what the script may touch.
func (s *Script) Plan() *Plan { return &s.plan }

// Plan is what the function may touch.
func (f *Func) Plan() *Plan { return &f.plan }

func (e *Engine) plan(p *lua.Proto) Plan {
	var plan planner
	plan.e = e
	if !p.Calls(plan.call) {
		return Plan{Wide: true}
	}
	return Plan{Keys: plan.keys}
}

func (e *Engine) planFunc(f *lua.Function) Plan {
	var plan planner
	plan.e = e
	if !f.CallsWithKeys(plan.call) {
		return Plan{Wide: true}
	}
	return Plan{Keys: plan.keys}
}

type planner struct {
	e    *Engine
	keys [][]byte
}

// call adds the keys of one call; false where they are not known.
func (p *planner) call(c lua.Call) bool {
	if len(c.Args) == 0 || c.Args[0].Kind != lua.ArgConst || p.e.o.Keys == nil {
		return false
	}
	sub := ""
	if len(c.Args) > 1 && c.Args[1].Kind == lua.ArgConst {
		sub = c.Args[1].Const
	}
	k, ok := p.e.o.Keys(c.Args[0].Const, sub, len(c.Args))
	if !ok {
		return false
	}
	if k.First == 0 {
		return true
	}
	last := k.Last
	if last < 0 {
		if c.Open {
			if k.Step != 1 || k.Last != -1 || c.Rest.Kind != lua.ArgKey {
				return false
			}
			last = len(c.Args) - 1
		} else {
			last += len(c.Args)
		}
	}
	if c.Open && last >= len(c.Args) && c.Rest.Kind != lua.ArgKey {
		return false
	}
	for i := k.First; i <= last && i < len(c.Args); i += k.Step {
		switch a := c.Args[i]; a.Kind {
		case lua.ArgKey:
		case lua.ArgConst:
			if len(p.keys) == maxPlanned {
				return false
			}
			p.keys = append(p.keys, []byte(strings.Clone(a.Const)))
		default:
			return false
		}
	}
	return true
}
