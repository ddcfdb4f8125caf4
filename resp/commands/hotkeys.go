package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/hotkeys"
	"github.com/nearcache/nearcache/store"
)

const hotKeyFlags = command.Admin | command.NoScript | command.Keyless

var hotKeysCommand = &command.Spec{
	Name: "hotkeys", Arity: -2, Flags: containerFlag,
	Group: command.GroupServer, Since: "8.6.0", Summary: "A container for hotkeys tracking commands.",
	Sub: []*command.Spec{
		{
			Name: "get", Arity: 2, Flags: hotKeyFlags,
			Group: command.GroupServer, Since: "8.6.0", Summary: "Returns lists of top K hotkeys depending on metrics chosen in HOTKEYS START command.",
			Bind: command.Bind(command.None, runHotKeysGet),
		},
		hotKeysHelp,
		{
			Name: "reset", Arity: 2, Flags: hotKeyFlags,
			Group: command.GroupServer, Since: "8.6.0", Summary: "Release the resources used for hotkey tracking.",
			Bind: command.Bind(command.None, runHotKeysReset),
		},
		{
			Name: "start", Arity: -2, Flags: hotKeyFlags,
			Group: command.GroupServer, Since: "8.6.0", Summary: "Starts hotkeys tracking.",
			Args: []command.Arg{
				{Name: "metrics", Type: "block", Token: "METRICS", Args: []command.Arg{
					{Name: "count", Type: "integer"},
					{Name: "cpu", Type: "pure-token", Token: "CPU", Optional: true},
					{Name: "net", Type: "pure-token", Token: "NET", Optional: true},
				}},
				{Name: "k", Type: "integer", Token: "COUNT", Optional: true},
				{Name: "seconds", Type: "integer", Token: "DURATION", Optional: true},
				{Name: "ratio", Type: "integer", Token: "SAMPLE", Optional: true},
				{Name: "slots", Type: "block", Token: "SLOTS", Optional: true, Args: []command.Arg{
					{Name: "count", Type: "integer"},
					{Name: "slot", Type: "integer", Multiple: true},
				}},
			},
			Bind: command.Bind((*args.Parser).Rest, runHotKeysStart),
		},
		{
			Name: "stop", Arity: 2, Flags: hotKeyFlags,
			Group: command.GroupServer, Since: "8.6.0", Summary: "Stops hotkeys tracking.",
			Bind: command.Bind(command.None, runHotKeysStop),
		},
	},
}

var hotKeysHelp = func() *command.Spec {
	s := helpCommand(command.GroupServer, "8.6.1", "HOTKEYS", []string{
		"START <METRICS count [CPU] [NET]> [COUNT k] [DURATION duration] [SAMPLE ratio] [SLOTS count slot...]",
		"    Starts hotkeys tracking with specified metrics.",
		"    * METRICS count [CPU] [NET]",
		"        Specify count of metrics and choose amongst:",
		"        - CPU: Track hotkeys by CPU time percentage",
		"        - NET: Track hotkeys by network bytes percentage",
		"    * COUNT k",
		"        Specifies the value of K for the top-K hotkeys tracking. Default: 10",
		"    * DURATION duration",
		"        Specifies tracking duration in seconds. 0 means tracking will continue until manually stopped. Default: 0",
		"    * SAMPLE ratio",
		"        Keys are tracked with probability 1/ratio. Default: 1 (tracks every key)",
		"    * SLOTS count slot...",
		"        Specify which slots to track keys from. Only available in cluster mode. Default: empty (track all slots)",
		"STOP",
		"    Stop hotkeys tracking. Results are still available via GET",
		"GET",
		"    Get results from hotkeys tracking.",
		"RESET",
		"    Reset memory used for hotkeys tracking. Tracking must have been stopped.",
		"    Results will no longer be available after this command.",
	})
	s.Summary = "Return helpful text about HOTKEYS command parameters."
	return s
}()

var hotKeyMetrics = []struct {
	name   string
	metric hotkeys.Metrics
}{{"CPU", hotkeys.CPU}, {"NET", hotkeys.Net}}

const (
	errHotKeysActive  resp.Error = "ERR hotkey tracking session already in progress"
	errHotKeysStop    resp.Error = "ERR hotkey tracking session in progress, stop tracking first"
	errHotKeysMetrics resp.Error = "ERR METRICS parameter is required"
)

// runHotKeysStart reads its arguments itself: that a session is active is told
// before anything is wrong with them, as in Redis.
func runHotKeysStart(c *command.Ctx, words [][]byte) error {
	if c.HotKeys.Active() != nil {
		return errHotKeysActive
	}
	o, err := hotKeysOptions(words)
	if err != nil {
		return err
	}
	o.User, o.Sys = c.Server.CPUTime()
	if !c.HotKeys.Start(o, c.Tx.Now) {
		return errHotKeysActive
	}
	c.W.Status("OK")
	return nil
}

func hotKeysOptions(words [][]byte) (o hotkeys.Options, err error) {
	if len(words) < 2 || !args.EqualFold(words[0], "METRICS") {
		return o, errHotKeysMetrics
	}
	n, ok := resp.ParseInt(words[1])
	if !ok || n < 1 || n > 2 {
		return o, resp.Error("ERR METRICS count must be > 0 and <= 2")
	}
	rest := words[2:]
	for i := range n {
		if i == int64(len(rest)) {
			return o, resp.Error("ERR METRICS count does not match number of metric types provided")
		}
		for _, x := range hotKeyMetrics {
			if !args.EqualFold(rest[i], x.name) {
				continue
			}
			if o.Metrics&x.metric != 0 {
				return o, resp.Error("ERR METRICS " + x.name + " defined more than once!")
			}
			o.Metrics |= x.metric
		}
	}
	if o.Metrics == 0 {
		return o, resp.Error("ERR METRICS no valid metrics passed. Supported: CPU|NET")
	}
	o.Count, o.Sample = 10, 1
	for rest = rest[n:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) == 1 {
			return o, resp.ErrSyntax
		}
		v, isInt := resp.ParseInt(rest[1])
		in := func(lo, hi int64) bool { return isInt && lo <= v && v <= hi }
		switch {
		case args.EqualFold(rest[0], "COUNT"):
			if !in(1, 64) {
				return o, resp.Error("ERR COUNT must be between 1 and 64")
			}
			o.Count = int(v)
		case args.EqualFold(rest[0], "DURATION"):
			if !in(1, 1_000_000) {
				return o, resp.Error("ERR DURATION must be between 1 and 1000000")
			}
			o.Duration = v * 1000
		case args.EqualFold(rest[0], "SAMPLE"):
			if !in(1, math.MaxInt32) {
				return o, resp.Error("ERR SAMPLE ratio must be positive")
			}
			o.Sample = int(v)
		case args.EqualFold(rest[0], "SLOTS"):
			return o, resp.Error("ERR SLOTS parameter cannot be used in non-cluster mode")
		default:
			return o, resp.ErrSyntax
		}
	}
	return o, nil
}

func runHotKeysStop(c *command.Ctx, _ struct{}) error {
	if c.HotKeys.Stop(c.Tx.Now) {
		c.W.Status("OK")
	} else {
		c.W.Null()
	}
	return nil
}

func runHotKeysReset(c *command.Ctx, _ struct{}) error {
	if !c.HotKeys.Reset() {
		return errHotKeysStop
	}
	c.W.Status("OK")
	return nil
}

// runHotKeysGet answers an array of one map, so that those of the nodes of a
// cluster can be put together.
func runHotKeysGet(c *command.Ctx, _ struct{}) error {
	r, ok := c.HotKeys.Report(c.Tx.Now)
	if !ok {
		c.W.Null()
		return nil
	}
	n := 7
	if r.Metrics&hotkeys.CPU != 0 {
		n += 3
	}
	if r.Metrics&hotkeys.Net != 0 {
		n += 2
	}
	field := func(name string, v int64) {
		c.W.BulkString(name)
		c.W.Int(v)
	}
	list := func(name string, l []hotkeys.Key) {
		c.W.BulkString(name)
		c.W.Array(2 * len(l))
		for _, k := range l {
			field(k.Name, int64(k.Weight))
		}
	}
	c.W.Array(1)
	c.W.Map(n)
	active := int64(0)
	if r.Active {
		active = 1
	}
	field("tracking-active", active)
	field("sample-ratio", int64(r.Sample))
	c.W.BulkString("selected-slots")
	c.W.Array(1)
	c.W.Array(2)
	c.W.Int(0)
	c.W.Int(store.Slots - 1)
	field("all-commands-all-slots-us", int64(r.Time))
	field("net-bytes-all-commands-all-slots", int64(r.Bytes))
	field("collection-start-time-unix-ms", r.Began)
	field("collection-duration-ms", r.Lasted)
	if r.Metrics&hotkeys.CPU != 0 {
		user, sys := c.Server.CPUTime()
		field("total-cpu-time-user-ms", (user - r.User).Milliseconds())
		field("total-cpu-time-sys-ms", (sys - r.Sys).Milliseconds())
	}
	if r.Metrics&hotkeys.Net != 0 {
		field("total-net-bytes", int64(r.NetTotal))
	}
	if r.Metrics&hotkeys.CPU != 0 {
		list("by-cpu-time-us", r.ByTime)
	}
	if r.Metrics&hotkeys.Net != 0 {
		list("by-net-bytes", r.ByBytes)
	}
	return nil
}
