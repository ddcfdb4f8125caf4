package commands

import (
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/observe"
)

var latencyCommand = &command.Spec{
	Name: "latency", Arity: -2, Flags: containerFlag,
	Group: command.GroupServer, Since: "2.8.13", Summary: "A container for latency diagnostics commands.",
	Sub: []*command.Spec{
		{
			Name: "doctor", Arity: 2, Flags: adminFlags,
			Group: command.GroupServer, Since: "2.8.13", Summary: "Returns a human-readable latency analysis report.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.W.Verbatim("txt", c.Table.Observer.Spikes.Report())
				return nil
			}),
		},
		{
			Name: "graph", Arity: 3, Flags: adminFlags,
			Group: command.GroupServer, Since: "2.8.13", Summary: "Returns a latency graph for an event.",
			Args: []command.Arg{{Name: "event", Type: "string"}},
			Bind: command.Bind((*args.Parser).Bytes, runLatencyGraph),
		},
		helpCommand(command.GroupServer, "2.8.13", "LATENCY", []string{
			"DOCTOR",
			"    Return a human readable latency analysis report.",
			"GRAPH <event>",
			"    Return an ASCII latency graph for the <event> class.",
			"HISTORY <event>",
			"    Return time-latency samples for the <event> class.",
			"LATEST",
			"    Return the latest latency samples for all events.",
			"RESET [<event> ...]",
			"    Reset latency data of one or more <event> classes.",
			"    (default: reset all data for all event classes)",
			"HISTOGRAM [COMMAND ...]",
			"    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
			"    If no commands are specified then all histograms are replied.",
		}),
		{
			Name: "histogram", Arity: -2, Flags: adminFlags,
			Group: command.GroupServer, Since: "7.0.0", Summary: "Returns the cumulative distribution of latencies of a subset or all commands.",
			Args: []command.Arg{{Name: "command", Type: "string", Optional: true, Multiple: true}},
			Bind: command.Bind((*args.Parser).Rest, runLatencyHistogram),
		},
		{
			Name: "history", Arity: 3, Flags: adminFlags,
			Group: command.GroupServer, Since: "2.8.13", Summary: "Returns timestamp-latency samples for an event.",
			Args: []command.Arg{{Name: "event", Type: "string"}},
			Bind: command.Bind((*args.Parser).Bytes, runLatencyHistory),
		},
		{
			Name: "latest", Arity: 2, Flags: adminFlags,
			Group: command.GroupServer, Since: "2.8.13", Summary: "Returns the latest latency samples for all events.",
			Bind: command.Bind(command.None, runLatencyLatest),
		},
		{
			Name: "reset", Arity: -2, Flags: adminFlags,
			Group: command.GroupServer, Since: "2.8.13", Summary: "Resets the latency data for one or more events.",
			Args: []command.Arg{{Name: "event", Type: "string", Optional: true, Multiple: true}},
			Bind: command.Bind((*args.Parser).Rest, runLatencyReset),
		},
	},
}

func runLatencyGraph(c *command.Ctx, event []byte) error {
	text, ok := c.Table.Observer.Spikes.Graph(string(event))
	if !ok {
		return resp.UnknownOption("No samples available for event", event)
	}
	c.W.Verbatim("txt", text)
	return nil
}

func runLatencyHistory(c *command.Ctx, event []byte) error {
	samples := c.Table.Observer.Spikes.History(string(event))
	c.W.Array(len(samples))
	for _, s := range samples {
		c.W.Array(2)
		c.W.Int(s.Unix)
		c.W.Int(s.Millis)
	}
	return nil
}

func runLatencyLatest(c *command.Ctx, _ struct{}) error {
	events := c.Table.Observer.Spikes.Latest()
	c.W.Array(len(events))
	for _, e := range events {
		c.W.Array(4)
		c.W.BulkString(e.Event)
		c.W.Int(e.Unix)
		c.W.Int(e.Millis)
		c.W.Int(e.Max)
	}
	return nil
}

func runLatencyReset(c *command.Ctx, events [][]byte) error {
	var names []string
	for _, e := range events {
		names = append(names, string(e))
	}
	c.W.Int(int64(c.Table.Observer.Spikes.Clear(names...)))
	return nil
}

func runLatencyHistogram(c *command.Ctx, names [][]byte) error {
	c.Meter.Flush()
	figures := slices.DeleteFunc(c.Table.Observer.Figures(), func(f observe.Figures) bool { return f.Histogram == nil || f.Calls == 0 })
	if len(names) > 0 {
		figures = named(figures, names)
	}
	c.W.Map(len(figures))
	for i := range figures {
		f := &figures[i]
		type step struct{ us, n int64 }
		var steps []step
		all := f.Histogram.Count()
		f.Histogram.Below(func(ns, n int64) {
			steps = append(steps, step{(ns + ns/128 - 1) / 1000, int64(float64(n) / float64(all) * float64(f.Calls))})
		})
		c.W.BulkString(f.Name)
		c.W.Map(2)
		c.W.BulkString("calls")
		c.W.Int(f.Calls)
		c.W.BulkString("histogram_usec")
		c.W.Map(len(steps))
		for _, s := range steps {
			c.W.Int(s.us)
			c.W.Int(s.n)
		}
	}
	return nil
}

// named picks the commands that are named, or whose containers are, in that order.
func named(all []observe.Figures, names [][]byte) (l []observe.Figures) {
	for _, name := range names {
		for _, f := range all {
			container, _, _ := strings.Cut(f.Name, "|")
			if args.EqualFold(name, f.Name) || args.EqualFold(name, container) {
				l = append(l, f)
			}
		}
	}
	return l
}
