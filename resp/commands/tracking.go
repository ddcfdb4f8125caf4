package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store/catalog"
)

// The commands that show client tracking at work. Redis has none of them.
var trackingCommands = []*command.Spec{trackingStatsCommand, trackingReportCommand, trackingMonitorCommand}

// groupTracking is the family of these commands.
const groupTracking command.Group = "connection"

var trackingStatsCommand = &command.Spec{
	Name: "tracking.stats", Arity: -1, Flags: command.ReadOnly | command.Keyless | command.Loading | command.Stale, Group: groupTracking,
	Since: "1.0.0", Summary: "Returns what client tracking holds and has done, by prefix and for the keys that most clients hold.",
	Complexity: "O(N) with N being the number of tracked keys, a part of the table at a time",
	Args:       []command.Arg{{Name: "count", Type: "integer", Token: "TOP", Optional: true}},
	Bind:       command.Bind(parseTrackingStats, runTrackingStats),
}

type trackingStats struct{ top int }

// maxTop bounds the lists of TRACKING.STATS.
const maxTop = 1000

func parseTrackingStats(a *args.Parser) trackingStats {
	p := trackingStats{top: 10}
	if a.More() {
		if !a.Accept("TOP") {
			a.Fail(resp.ErrSyntax)
		}
		if n := a.Int(); a.Err() == nil {
			if n < 0 || n > maxTop {
				a.Fail(resp.Error("ERR TOP must be between 0 and 1000"))
			}
			p.top = int(n)
		}
	}
	return p
}

func runTrackingStats(c *command.Ctx, p trackingStats) error {
	s := c.Tracking.Stats()
	pending, searches := 0, 0
	c.Clients.Each(func(s *session.Session) {
		if s.Tracked.Load() {
			pending += s.PendingLen()
		}
	})
	_ = c.Catalog.Each(func(ix *catalog.Index) error {
		searches += ix.Search().Watches()
		return nil
	})
	rows := []struct {
		name string
		n    int64
	}{
		{"clients", s.Clients},
		{"keys", s.Keys},
		{"items", s.Items},
		{"bytes", s.Bytes},
		{"broadcast-prefixes", s.Prefixes},
		{"searches", int64(searches)},
		{"reads", s.Reads},
		{"invalidations", s.Invalidations},
		{"pushes", s.Pushes},
		{"pushes-pending-bytes", int64(pending)},
		{"keys-pushed-out", s.Forgotten},
		{"flushes", s.Flushes},
	}
	c.W.Map(len(rows) + 2)
	for _, r := range rows {
		c.W.BulkString(r.name)
		c.W.Int(r.n)
	}
	groups := c.Tracking.Groups(p.top)
	c.W.BulkString("prefixes")
	c.W.Array(len(groups))
	for i := range groups {
		g := &groups[i]
		c.W.Map(4)
		c.W.BulkString("prefix")
		c.W.BulkString(g.Prefix)
		c.W.BulkString("reads")
		c.W.Int(g.Reads)
		c.W.BulkString("invalidations")
		c.W.Int(g.Invalidations)
		c.W.BulkString("hit-rate")
		if r, ok := g.HitRate(); ok {
			c.W.Double(r)
		} else {
			c.W.Null() // no client has reported
		}
	}
	top := c.Tracking.Top(p.top)
	c.W.BulkString("top-keys")
	c.W.Map(len(top))
	for _, k := range top {
		c.W.BulkString(k.Key)
		c.W.Int(int64(k.Clients))
	}
	return nil
}

var trackingReportCommand = &command.Spec{
	Name: "tracking.report", Arity: -4, Flags: command.Keyless | command.Loading | command.Stale | command.Fast, Group: groupTracking,
	Since: "1.0.0", Summary: "Tells the server how often a client has answered from its copies, by prefix of the keys.",
	Complexity: "O(N) with N being the number of prefixes",
	Args: []command.Arg{{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{
		{Name: "prefix", Type: "string"}, {Name: "hits", Type: "integer"}, {Name: "misses", Type: "integer"},
	}}},
	Bind: command.Bind(parseTrackingReport, runTrackingReport),
}

type trackingReport struct {
	prefix       string
	hits, misses int64
}

func parseTrackingReport(a *args.Parser) (l []trackingReport) {
	for a.More() && a.Err() == nil {
		r := trackingReport{prefix: a.String(), hits: a.Int(), misses: a.Int()}
		if a.Err() == nil && (r.hits < 0 || r.misses < 0) {
			a.Fail(resp.Error("ERR value is out of range, must be positive"))
		}
		l = append(l, r)
	}
	return l
}

func runTrackingReport(c *command.Ctx, l []trackingReport) error {
	for _, r := range l {
		c.Tracking.Report(r.prefix, r.hits, r.misses)
	}
	c.W.Status("OK")
	return nil
}

var trackingMonitorCommand = &command.Spec{
	Name: "tracking.monitor", Arity: 1, Flags: command.Admin | command.NoScript | command.Keyless | command.Loading | command.Stale | command.NoMulti, Group: groupTracking,
	Since: "1.0.0", Summary: "Shows in real time which copies clients take and which of them die, and why.",
	Complexity: "O(1) for each copy",
	Bind:       command.Bind(command.None, runTrackingMonitor),
}

func runTrackingMonitor(c *command.Ctx, _ struct{}) error {
	c.Tracking.Monitor(c.S)
	c.W.Status("OK")
	return nil
}
