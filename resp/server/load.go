package server

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/persist"
)

// loader replays what the data folder holds: by commands, but for the strings of a
// base, which most large ones consist of. They go straight into the keyspace, in
// the order that they have among all else: what is loaded does not depend on it.
type loader struct {
	s    *Server
	c    *command.Ctx
	fill *store.Filler
	base bool // nothing but a base was loaded yet
	now  int64

	place *place // of what was loaded, nil where that is not known
	last  place  // that was told
}

func newLoader(s *Server) *loader {
	return &loader{s: s, c: s.replayCtx(), fill: store.NewFiller(s.ks), base: true}
}

// record replays a record, whose slices are valid until it returns.
func (l *loader) record(r *persist.Record) error {
	base := r.LSN == 0
	if !base {
		l.endBase()
		l.place = nil
	}
	l.freeze(r.At, base)
	for i := range r.Commands {
		cmd := &r.Commands[i]
		if base {
			l.freeze(deadline(cmd.Args)-1, true)
			if l.string(cmd) {
				continue
			}
		}
		if string(cmd.Args[0]) == string(wordPlace) {
			if l.place = nil; l.last.read(cmd.Args) && l.last.id != "" {
				p := l.last
				l.place = &p
			}
			continue
		}
		l.fill.Flush(l.now)
		if err := l.s.replay(l.c, *cmd); err != nil {
			return err
		}
	}
	l.fill.Flush(l.now)
	return nil
}

// freeze sets the time of what is replayed. In a base it only goes back, before all that is due: a key that was due at
// its moment was there, and what the log says of it may be from before that, by a clock that was set back.
func (l *loader) freeze(at int64, base bool) {
	if !base || at > 0 && (l.now == 0 || at < l.now) {
		l.now = at
		l.s.clock.Freeze(at)
	}
}

// deadline is when what a command of encodeEntry makes is due, 0 for never.
func deadline(args [][]byte) (at int64) {
	switch name := string(args[0]); {
	case name == "SET" && len(args) == 5:
		at, _ = resp.ParseInt(args[4])
	case name == "PEXPIREAT" && len(args) == 3:
		at, _ = resp.ParseInt(args[2])
	case name == "HSETEX" && len(args) > 3:
		at, _ = resp.ParseInt(args[3])
	}
	return at
}

// string takes a command of encodeEntry that makes a string nobody has to hear of;
// false for all others.
func (l *loader) string(cmd *persist.Command) bool {
	args := cmd.Args
	at := int64(0)
	switch {
	case uint(cmd.DB) >= store.Databases || string(args[0]) != "SET":
		return false
	case len(args) == 3:
	case len(args) == 5 && string(args[3]) == "PXAT":
		var ok bool
		if at, ok = resp.ParseInt(args[4]); !ok || at <= 1 {
			return false
		}
	default:
		return false
	}
	key := args[1]
	if cmd.DB == 0 && l.s.env.Catalog.Minds(key) || l.s.env.Semantic.Minds(cmd.DB, key) {
		return false
	}
	l.fill.Add(cmd.DB, key, args[2], at)
	return true
}

// endBase is called behind the base.
func (l *loader) endBase() {
	if l.base {
		l.base = false
		l.s.env.Semantic.BaseLoaded()
	}
}

// end ends the replay.
func (l *loader) end() {
	l.endBase()
	l.c.Settle()
	l.s.clock.Freeze(0)
}
