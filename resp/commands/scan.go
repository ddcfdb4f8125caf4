package commands

import (
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/glob"
)

var scanCommand = &command.Spec{
	Name: "scan", Arity: -2, Flags: command.ReadOnly, Group: command.GroupGeneric, Since: "2.8.0",
	Summary: "Iterates over the key names in the database.",
	Args: []command.Arg{
		{Name: "cursor", Type: "integer"},
		{Name: "pattern", Type: "pattern", Token: "MATCH", Optional: true},
		{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
		{Name: "type", Type: "string", Token: "TYPE", Since: "6.0.0", Optional: true},
	},
	Bind: command.Bind(parseScan, runScan),
}

// scanArgs are those of SCAN and its kin.
type scanArgs struct {
	key      []byte // of HSCAN
	cursor   uint64
	pattern  string
	all      bool // every name matches
	count    int
	typ      string
	noValues bool
	err      error // of the options
}

// maxScanCount bounds COUNT: beyond, one call would hold a shard for too long.
const maxScanCount = 1 << 30

func parseScan(p *args.Parser) scanArgs {
	cursor, ok := parseCursor(p.Bytes())
	if !ok {
		p.Fail(resp.ErrCursor)
	}
	a := scanArgs{cursor: cursor}
	a.options(p, true)
	return a
}

// options reads what follows the cursor. Only SCAN knows TYPE, and only HSCAN
// has values to leave out.
func (a *scanArgs) options(p *args.Parser, scan bool) {
	a.all, a.count = true, 10
	for p.More() {
		switch {
		case p.Accept("COUNT"):
			n := p.Int()
			if n < 1 {
				p.Fail(resp.ErrSyntax)
			}
			a.count = int(min(n, maxScanCount))
		case p.Accept("MATCH"):
			a.pattern = p.String()
			a.all = a.pattern == "*"
		case scan && p.Accept("TYPE"):
			a.typ = strings.ToLower(p.String())
		case p.Accept("NOVALUES"):
			if scan {
				p.Fail(errNoValues)
			}
			a.noValues = true
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
}

const errNoValues resp.Error = "ERR NOVALUES option can only be used in HSCAN"

// parseCursor reads a cursor as loosely as Redis does, which takes what strtoul
// of C takes.
func parseCursor(b []byte) (uint64, bool) {
	if n, ok := resp.ParseInt(b); ok {
		return uint64(n), n >= 0
	}
	text := strings.TrimPrefix(strings.TrimLeft(string(b), " \t\n\v\f\r"), "+")
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

func (a *scanArgs) matches(name string) bool { return a.all || glob.MatchString(a.pattern, name) }

func runScan(c *command.Ctx, a scanArgs) error {
	var found resp.Writer
	n := 0
	next := c.Tx.Scan(a.cursor, a.count, func(e *store.Entry) {
		if (a.typ == "" || e.Type().Name == a.typ) && a.matches(e.Key()) {
			found.BulkString(e.Key())
			n++
		}
	})
	replyScan(c, next, n, &found)
	return nil
}

func replyScan(c *command.Ctx, next uint64, n int, found *resp.Writer) {
	var text [20]byte
	c.W.Array(2)
	c.W.Bulk(strconv.AppendUint(text[:0], next, 10))
	c.W.Array(n)
	c.W.Raw(found.Bytes())
}
