package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
)

// transactionFlags are those of the commands that MULTI never queues.
const transactionFlags = command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy | command.Keyless

var transactionCommands = []*command.Spec{
	{
		Name: "multi", Arity: 1, Flags: transactionFlags, Group: command.GroupTransactions,
		Since: "1.2.0", Summary: "Starts a transaction.",
		Bind: command.Bind(command.None, runMulti),
	},
	{
		Name: "exec", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.SkipSlowlog | command.Keyless,
		Group: command.GroupTransactions, Since: "1.2.0", Summary: "Executes all commands in a transaction.",
		Bind: command.Bind(command.None, runExec),
	},
	{
		Name: "discard", Arity: 1, Flags: transactionFlags, Group: command.GroupTransactions,
		Since: "2.0.0", Summary: "Discards a transaction.",
		Bind: command.Bind(command.None, runDiscard),
	},
	{
		Name: "watch", Arity: -2, Flags: transactionFlags &^ command.Keyless, Keys: command.AllKeys, Group: command.GroupTransactions,
		Since: "2.2.0", Summary: "Monitors changes to keys to determine the execution of a transaction.",
		Args: []command.Arg{{Name: "key", Type: "key", Multiple: true}},
		Bind: command.Bind(parseWatch, runWatch),
	},
	{
		Name: "unwatch", Arity: 1, Flags: transactionFlags, Group: command.GroupTransactions,
		Since: "2.2.0", Summary: "Forgets about watched keys of a transaction.",
		Bind: command.Bind(command.None, runUnwatch),
	},
}

const (
	errNestedMulti  resp.Error = "ERR MULTI calls can not be nested"
	errExecAlone    resp.Error = "ERR EXEC without MULTI"
	errDiscardAlone resp.Error = "ERR DISCARD without MULTI"
	errWatchInMulti resp.Error = "ERR WATCH inside MULTI is not allowed"
)

func runMulti(c *command.Ctx, _ struct{}) error {
	if c.Queue.Open {
		return errNestedMulti
	}
	c.Queue.Open = true
	c.S.Multi.Store(0)
	c.W.Status("OK")
	return nil
}

// runExec locks the shards of everything queued and watched, and runs the
// queue as one Tx: one moment, one commit, one record in the log.
func runExec(c *command.Ctx, _ struct{}) error {
	if !c.Queue.Open {
		return errExecAlone
	}
	c.Settle() // a search below would, and by then it may have to wait for who needs a shard
	exec := c.Spec
	q := c.Queue
	var set store.LockSet
	for _, cmd := range q.Cmds {
		if cmd.Spec.NeedsAll() || cmd.Spec.Locks != nil && cmd.Spec.Locks(c, cmd.Args, set.Add) {
			set.AddAll()
			break
		}
	}
	c.Watch.Each(func(_ int, key string) { set.Add([]byte(key)) })
	err := c.Lock(set, func(f func(key []byte)) {
		for _, cmd := range q.Cmds {
			cmd.Spec.Keys.Each(cmd.Args, f)
			if cmd.Spec.Locks != nil {
				cmd.Spec.Locks(c, cmd.Args, f)
			}
		}
	})
	if err != nil {
		c.Discard()
		return resp.ExecAbort(err)
	}
	c.S.MergePushes()
	c.Watch.Each(func(db int, key string) { // what is past its time has changed
		c.Tx.DB = db
		c.Tx.Peek([]byte(key))
	})
	c.Tx.DB = c.S.DB
	dirty := c.Watch.Dirty()
	c.Discard()
	switch {
	case q.Abort:
		return resp.ErrExecAbort
	case dirty:
		c.W.NullArray()
		return nil
	}
	c.InExec = true
	c.W.Array(len(q.Cmds))
	for _, cmd := range q.Cmds {
		if err := c.Run(cmd.Spec, cmd.Args); err != nil {
			c.W.Error(resp.ErrorText(err))
		}
	}
	c.InExec = false
	c.Spec, c.Args = exec, nil
	return nil
}

func runDiscard(c *command.Ctx, _ struct{}) error {
	if !c.Queue.Open {
		return errDiscardAlone
	}
	c.Discard()
	c.W.Status("OK")
	return nil
}

func parseWatch(a *args.Parser) [][]byte { return a.Rest() }

func runWatch(c *command.Ctx, keys [][]byte) error {
	if c.Queue.Open {
		return errWatchInMulti
	}
	for _, k := range keys {
		c.Tx.Watch(&c.Watch, k)
	}
	c.S.Watching.Store(int32(c.Watch.Len()))
	c.W.Status("OK")
	return nil
}

func runUnwatch(c *command.Ctx, _ struct{}) error {
	c.Tx.Unwatch(&c.Watch)
	c.S.Watching.Store(0)
	c.W.Status("OK")
	return nil
}
