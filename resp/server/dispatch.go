package server

import (
	"bytes"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
)

const (
	errMulti = resp.Error("ERR Command not allowed inside a transaction")
)

// outcome is what has become of a command.
type outcome uint8

const (
	executed outcome = iota // or refused, or queued
	paused                  // CLIENT PAUSE holds it back: to be dispatched again
	long                    // it may take time: to be dispatched again where that is no harm
)

// dispatch runs one command, or queues or refuses it, in the order of Redis'
// processCommand. With quick it runs only what takes no time. spec is its row, or nil
// if nobody has looked for it.
func (s *Server) dispatch(c *command.Ctx, spec *command.Spec, argv [][]byte, quick bool) outcome {
	ses := c.S
	ses.BeginReply()
	spec, err := s.check(c, spec, argv)
	switch {
	case err != nil:
		if c.Queue.Open {
			c.Queue.Abort = true
		}
		if spec != nil && spec.Name == "exec" { // refused as a whole
			c.Begin()
			c.Discard()
			c.Tx.End()
			err = resp.ExecAbort(err)
		}
	case c.Queue.Open && queued(spec):
		err = s.enqueue(c, spec, argv)
	default:
		if s.paused(c, spec, argv) {
			return paused
		}
		if quick && (s.mayTakeTime(c, spec) || c.Unsettled() > 0 && settles(spec)) {
			if c.RunQuick(spec, argv) {
				break
			}
			return long
		}
		if spec.Flags&mayLog != 0 {
			if log := s.aof.Load(); log != nil {
				log.Throttle()
			}
			s.ks.CatchUp()
		}
		if err = c.Run(spec, argv); err != nil {
			c.W.Error(resp.ErrorText(err))
			err = nil
		}
		if spec.Flags&mayLog != 0 || spec.Name == "exec" {
			if log := s.aof.Load(); log != nil {
				ses.Wrote.Store(log.Appended())
			}
			if s.source.backlog.On() {
				ses.Sent.Store(s.source.backlog.Offset())
			}
		}
	}
	if err != nil {
		text := resp.ErrorText(err)
		c.W.Error(text)
		s.env.Table.Observer.Rejected(spec.Row(), text)
	}
	ses.EndReply()
	if spec != nil {
		if p := spec.FullNamePtr(); ses.LastCmd.Load() != p {
			ses.LastCmd.Store(p)
		}
	}
	if ses.Tracked.Load() && !c.Queue.Open && (spec == nil || !strings.HasPrefix(spec.FullName(), "client|")) {
		s.env.Tracking.EndCaching(ses)
	}
	return executed
}

// countHits adds what was found and missed to the figures of INFO.
func (s *Server) countHits(c *command.Ctx) {
	if hits, misses := c.Tx.TakeHits(); hits|misses != 0 {
		s.stats.Hits.Add(int64(hits))
		s.stats.Misses.Add(int64(misses))
	}
}

// mayLog are the commands that wait while the log has fallen behind.
const mayLog = command.Write | command.ScriptRunner

// mayTakeTime reports whether other clients should not wait for a command: it
// looks at the whole keyspace, searches, sleeps, or the log has fallen behind.
// Others that turn out to be long are noticed while they run.
func (s *Server) mayTakeTime(c *command.Ctx, spec *command.Spec) bool {
	if spec.NeedsAll() || spec.Flags&command.Admin != 0 || spec.Flags&mayLog != 0 && s.behind() {
		return true
	}
	return spec.Flags&command.OwnLock != 0 || spec.Name == "exec" && slices.ContainsFunc(c.Queue.Cmds, func(q command.Queued) bool { return s.mayTakeTime(c, q.Spec) && q.Spec != spec })
}

// settles reports whether a command may begin with [command.Ctx.Settle].
func settles(spec *command.Spec) bool {
	return spec.Group == command.GroupSearch || spec.Flags&command.ScriptRunner != 0 || spec.Name == "exec"
}

// behind reports whether a write would have to wait for the disk.
func (s *Server) behind() bool {
	log := s.aof.Load()
	return log != nil && log.Full() || s.ks.Behind()
}

// check finds the row of a command, unless it is given, and says whether it may run
// now.
func (s *Server) check(c *command.Ctx, spec *command.Spec, argv [][]byte) (*command.Spec, error) {
	if spec == nil {
		spec = s.env.Table.Find(argv[0])
	}
	if spec == nil {
		if isHTTP(argv[0]) {
			s.cfg.Logger().Warn("possible cross-protocol attack: closing a connection that speaks HTTP", "client", c.S.Addr)
			c.S.CloseAfter = true
		}
		return nil, resp.UnknownCommand(argv)
	}
	if len(spec.Sub) > 0 && len(argv) > 1 {
		sub := spec.Match(argv[1])
		if sub == nil {
			return nil, resp.UnknownSubcommand(argv)
		}
		spec = sub
	}
	if !spec.ArityOK(len(argv)) {
		return spec, resp.WrongArgs(spec.Title())
	}
	if !c.S.Authed.Load() && spec.Flags&command.NoAuth == 0 && s.env.Server.NeedsAuth() {
		return spec, resp.ErrNoAuth
	}
	if c.Queue.Open && spec.Flags&command.NoMulti != 0 {
		return spec, errMulti
	}
	if err := s.replicaRefuses(c, spec, argv); err != nil {
		return spec, err
	}
	c.Full = false
	if s.ks.MaxMemory() > 0 {
		if c.Full = s.ks.FreeMemory() != nil; c.Full && anyHas(c, spec, argv, command.DenyOOM) {
			return spec, resp.ErrOOM
		}
	}
	if err := s.unwritable(); err != nil && anyHas(c, spec, argv, command.Write) {
		return spec, err
	}
	if c.S.InPubSub() && c.S.Proto.Load() == 2 && !allowedInPubSub(spec) {
		return spec, resp.InSubscribeMode(spec.Title())
	}
	if s.Stale() && anyLacks(c, spec, argv, command.Stale) {
		return spec, resp.ErrMasterDown
	}
	if s.loading.on() && anyLacks(c, spec, argv, command.Loading) {
		return spec, resp.ErrLoading
	}
	return spec, nil
}

func isHTTP(name []byte) bool {
	return bytes.EqualFold(name, []byte("post")) || bytes.EqualFold(name, []byte("host:"))
}

func anyHas(c *command.Ctx, spec *command.Spec, argv [][]byte, f command.Flags) bool {
	return anyRuns(c, spec, argv, func(q command.Queued) bool { return q.Flags&f != 0 })
}

func anyLacks(c *command.Ctx, spec *command.Spec, argv [][]byte, f command.Flags) bool {
	return anyRuns(c, spec, argv, func(q command.Queued) bool { return q.Flags&f == 0 })
}

// anyRuns reports whether the command is one that is asked about, or EXEC of one. Ask only where something is
// refused: every command comes by here.
func anyRuns(c *command.Ctx, spec *command.Spec, argv [][]byte, is func(command.Queued) bool) bool {
	return is(command.Queued{Spec: spec, Args: argv, Flags: spec.FlagsOf(c, argv)}) || spec.Name == "exec" && slices.ContainsFunc(c.Queue.Cmds, is)
}

func allowedInPubSub(spec *command.Spec) bool {
	switch spec.Name {
	case "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "ping", "quit", "reset":
		return true
	}
	return false
}

// queued reports whether MULTI collects the command rather than running it.
func queued(spec *command.Spec) bool {
	switch spec.FullName() {
	case "exec", "discard", "multi", "watch", "quit", "reset":
		return false
	}
	return true
}

// enqueue copies a command into the session's MULTI.
func (s *Server) enqueue(c *command.Ctx, spec *command.Spec, argv [][]byte) error {
	n := 0
	for _, a := range argv {
		n += len(a)
	}
	if c.Queue.Bytes += n; int64(c.Queue.Bytes) > s.cfg.QueryBufferLimit() {
		c.S.CloseAfter = true
		return resp.Error("ERR the transaction is larger than client-query-buffer-limit")
	}
	all := make([]byte, 0, n)
	cp := make([][]byte, len(argv))
	for i, a := range argv {
		all = append(all, a...)
		cp[i] = all[len(all)-len(a) : len(all) : len(all)]
	}
	c.Queue.Cmds = append(c.Queue.Cmds, command.Queued{Spec: spec, Args: cp, Flags: spec.FlagsOf(c, cp)})
	c.S.Multi.Store(int32(len(c.Queue.Cmds)))
	c.S.Queued.Store(int64(c.Queue.Bytes))
	c.W.Status("QUEUED")
	return nil
}
