package commands

import (
	"strconv"

	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

var ftCursorCommand = &command.Spec{
	Name: "ft.cursor", Arity: -3, Flags: command.ReadOnly | command.FromModule, Group: command.GroupSearch,
	Since: "1.1.0", Summary: "Reads from a cursor, deletes it, or ends those that were idle for too long",
	Args: []command.Arg{
		{Name: "action", Type: "oneof", Args: []command.Arg{flagArg("read", "READ"), flagArg("del", "DEL"), flagArg("gc", "GC")}},
		ftIndexArg,
		{Name: "cursor_id", Type: "integer", Optional: true},
		{Name: "read_size", Type: "integer", Token: "COUNT", Optional: true},
	},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTCursor, runFTCursor),
}

type ftCursorAction uint8

const (
	cursorRead ftCursorAction = iota
	cursorDel
	cursorGC
)

type ftCursor struct {
	action ftCursorAction
	id     int64
	count  int64 // 0: as the cursor says
}

func parseFTCursor(a *args.Parser) ftCursor {
	var p ftCursor
	switch {
	case a.Accept("READ"):
	case a.Accept("DEL"):
		p.action = cursorDel
	case a.Accept("GC"):
		p.action = cursorGC
		a.Rest()
		return p
	default:
		a.Fail(resp.UnknownSubcommand([][]byte{a.Name(), a.Bytes()}))
		return p
	}
	a.Bytes() // the index; ids are unique among all
	if !a.More() {
		a.Fail(resp.WrongArgs("ft.cursor"))
		return p
	}
	var ok bool
	if p.id, ok = resp.ParseInt(a.Bytes()); !ok {
		a.Fail(resp.Error("Bad cursor ID"))
	}
	if p.action != cursorRead || a.Len() < 2 {
		a.Rest() // as there
		return p
	}
	if !a.Accept("COUNT") {
		a.Fail(resp.Error("Unknown argument `" + a.String() + "`"))
		return p
	}
	word := a.String()
	if p.count, ok = resp.ParseInt([]byte(word)); !ok || p.count < 0 {
		a.Fail(resp.Error("Bad value for COUNT: `" + word + "`"))
	}
	a.Rest()
	return p
}

func runFTCursor(c *command.Ctx, p ftCursor) error {
	cursors := &c.Catalog.Cursors
	now := c.Tx.Now
	switch p.action {
	case cursorGC:
		c.W.Int(int64(cursors.Sweep(now)))
		return nil
	case cursorDel:
		if !cursors.Delete(p.id) {
			return resp.Error("Cursor does not exist")
		}
		c.W.Status("OK")
		return nil
	}
	s, ok := cursors.Take(p.id, now)
	if !ok {
		return resp.Error("Cursor not found, id: " + strconv.FormatInt(p.id, 10))
	}
	if s == nil {
		return resp.Error("The index was dropped while the cursor was idle")
	}
	r := s.(*ftRun)
	if p.count > 0 {
		r.p.count = p.count
	}
	r.pipe.Use(&r.loader, r.p.deadline())
	return r.chunk(c, p.id, nil)
}

// startCursor makes a cursor of a query, and replies with its first rows.
func startCursor(c *command.Ctx, p *ftAggregate, ix *catalog.Index, r *ftRun, t *tracked) error {
	id, err := c.Catalog.Cursors.Open(ix.Name, agg.State(r), p.maxIdle, c.Tx.Now)
	if err != nil {
		r.Close()
		return resp.Error(err.Error())
	}
	return r.chunk(c, id, t)
}

// chunk replies with the next rows of a cursor, which the caller has taken.
func (r *ftRun) chunk(c *command.Ctx, id int64, t *tracked) error {
	rows := r.read(c, r.p.count)
	next := id
	if rows.end {
		next = 0
	}
	err := r.reply(c, rows, t, next)
	if rows.end || err != nil {
		c.Catalog.Cursors.End(id)
	} else {
		c.Catalog.Cursors.Put(id, c.Tx.Now)
	}
	return err
}
