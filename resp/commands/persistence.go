package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var saveCommand = &command.Spec{
	Name: "save", Arity: 1, Flags: command.Admin | command.NoScript | command.NoMulti | command.NoAsyncLoading | command.Keyless,
	Group: command.GroupServer, Since: "1.0.0", Summary: "Synchronously saves the database(s) to disk.",
	Bind: command.Bind(command.None, runSave),
}

func runSave(c *command.Ctx, _ struct{}) error {
	c.Settle()
	if err := c.Server.Save(); err != nil {
		return err
	}
	c.W.Status("OK")
	return nil
}

var bgSaveCommand = &command.Spec{
	Name: "bgsave", Arity: -1, Flags: command.Admin | command.NoScript | command.NoAsyncLoading | command.Keyless,
	Group: command.GroupServer, Since: "1.0.0", Summary: "Asynchronously saves the database(s) to disk.",
	Args: []command.Arg{{Name: "schedule", Type: "pure-token", Token: "SCHEDULE", Since: "3.2.2", Optional: true}},
	Bind: command.Bind(parseBgSave, runBgSave),
}

func parseBgSave(a *args.Parser) (schedule bool) {
	if schedule = a.Len() == 1 && a.Accept("schedule"); a.More() {
		a.Fail(resp.ErrSyntax)
	}
	return schedule
}

func runBgSave(c *command.Ctx, schedule bool) error {
	text, err := c.Server.BackgroundSave(schedule, c.InExec)
	if err != nil {
		return err
	}
	c.W.Status(text)
	return nil
}

var bgRewriteAOFCommand = &command.Spec{
	Name: "bgrewriteaof", Arity: 1, Flags: command.Admin | command.NoScript | command.NoAsyncLoading | command.Keyless,
	Group: command.GroupServer, Since: "1.0.0", Summary: "Asynchronously rewrites the append-only file to disk.",
	Bind: command.Bind(command.None, runBgRewriteAOF),
}

func runBgRewriteAOF(c *command.Ctx, _ struct{}) error {
	text, err := c.Server.RewriteLog(c.InExec)
	if err != nil {
		return err
	}
	c.W.Status(text)
	return nil
}

var waitAOFCommand = &command.Spec{
	Name: "waitaof", Arity: 4, Flags: command.Blocking | command.Keyless,
	Group: command.GroupGeneric, Since: "7.2.0", Summary: "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.",
	Args: []command.Arg{{Name: "numlocal", Type: "integer"}, {Name: "numreplicas", Type: "integer"}, {Name: "timeout", Type: "integer"}},
	Bind: command.Bind(parseWaitAOF, runWaitAOF),
}

type waitAOF struct{ local, replicas, timeout int64 }

func parseWaitAOF(a *args.Parser) (p waitAOF) {
	var ok bool
	switch p.local, ok = resp.ParseInt(a.Bytes()); {
	case !ok:
		a.Fail(resp.ErrNotInt)
	case p.local < 0 || p.local > 1:
		a.Fail(resp.Error("ERR value is out of range, value must between 0 and 1"))
	}
	if p.replicas, ok = resp.ParseInt(a.Bytes()); !ok || p.replicas < 0 {
		a.Fail(resp.ErrNotPositive)
	}
	p.timeout = parseMillis(a)
	return p
}

const errWaitAOFReplica resp.Error = "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated."

const errWaitAOFOff resp.Error = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."

// runWaitAOF waits until what the client has written is on the disk here, and on those of
// replicas.
func runWaitAOF(c *command.Ctx, p waitAOF) error {
	if _, ok := c.Server.Master(); ok {
		return errWaitAOFReplica
	}
	lsn, offset := c.S.Wrote.Load(), c.S.Sent.Load()
	off := func() bool {
		_, enabled := c.Server.Durable(lsn)
		return p.local > 0 && !enabled
	}
	if off() {
		return errWaitAOFOff
	}
	count := func() (local, replicas int64) {
		if durable, _ := c.Server.Durable(lsn); durable {
			local = 1
		}
		return local, c.Server.ReplicasAt(offset, true)
	}
	reply := func(w *resp.Writer) {
		if off() { // since then
			w.Error(string(errWaitAOFOff))
			return
		}
		local, replicas := count()
		w.Array(2)
		w.Int(local)
		w.Int(replicas)
	}
	done := func() bool {
		local, replicas := count()
		return local >= p.local && replicas >= p.replicas
	}
	if done() || !c.MayBlock() {
		reply(c.W)
		return nil
	}
	c.BlockUntil(p.timeout, reply, func(end func()) (stop func()) {
		check := func() {
			if done() || off() {
				end()
			}
		}
		stops := [2]func(){func() {}, func() {}}
		if p.local > 0 {
			stops[0] = c.Server.AwaitDurable(lsn, check)
		}
		if p.replicas > 0 {
			stops[1] = c.Server.AwaitReplicas(offset, p.replicas, true, check)
		}
		return func() {
			stops[0]()
			stops[1]()
		}
	})
	return nil
}
