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
	switch p.replicas, ok = resp.ParseInt(a.Bytes()); {
	case !ok:
		a.Fail(resp.ErrNotInt)
	case p.replicas < 0:
		a.Fail(resp.Error("ERR value is out of range, must be positive"))
	}
	switch p.timeout, ok = resp.ParseInt(a.Bytes()); {
	case !ok:
		a.Fail(resp.Error("ERR timeout is not an integer or out of range"))
	case p.timeout < 0:
		a.Fail(resp.ErrTimeoutNeg)
	}
	return p
}

// runWaitAOF waits until what the client has written is on the disk. There are no
// replicas: who wants some waits for the end of the timeout.
func runWaitAOF(c *command.Ctx, p waitAOF) error {
	durable, enabled := c.Server.Durable(c.S.Wrote.Load())
	if p.local > 0 && !enabled {
		return resp.Error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
	}
	reply := func(w *resp.Writer) {
		local := int64(0)
		if durable, _ := c.Server.Durable(c.S.Wrote.Load()); durable {
			local = 1
		}
		w.Array(2)
		w.Int(local)
		w.Int(0)
	}
	if p.replicas == 0 && (durable || p.local == 0) || !c.MayBlock() {
		reply(c.W)
		return nil
	}
	c.BlockUntil(p.timeout, reply, func(end func()) (stop func()) {
		if p.replicas > 0 {
			return func() {}
		}
		return c.Server.AwaitDurable(c.S.Wrote.Load(), end)
	})
	return nil
}
