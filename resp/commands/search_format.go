package commands

import (
	"math"
	"sync"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/types/json"
)

// FORMAT EXPAND: replies in RESP3 whose JSON values are arrays, maps and numbers in
// place of text.

const (
	errExpandRESP3   resp.Error = "EXPAND format is only supported with RESP3"
	errExpandJSON    resp.Error = "EXPAND format is only supported with JSON"
	errExpandDialect resp.Error = "EXPAND format requires dialect 3 or greater"
)

// expandDialect is the least in which documents are shown where they are expanded.
const expandDialect = 3

// parseFormat reads what stands behind FORMAT; true for EXPAND.
func parseFormat(a *args.Parser) (expand bool) {
	switch {
	case !a.More():
		a.Fail(resp.Error("Need an argument for FORMAT"))
	case a.Accept("STRING"):
	case a.Accept("EXPAND"):
		return true
	default:
		a.Fail(resp.Error("FORMAT " + a.String() + " is not supported"))
	}
	return false
}

// checkExpand refuses a query with a dialect that it names, 0 for none, in which
// values are not expanded.
func checkExpand(a *args.Parser, dialect int) {
	if dialect > 0 && dialect < expandDialect {
		a.Fail(errExpandDialect)
	}
}

// expandable is why replies about an index cannot be expanded for the client, nil if they can.
func expandable(c *command.Ctx, ix *catalog.Index) error {
	switch {
	case c.W.Proto() != 3:
		return errExpandRESP3
	case !ix.JSON:
		return errExpandJSON
	}
	return nil
}

func formatName(expand bool) string {
	if expand {
		return "EXPAND"
	}
	return "STRING"
}

var jsonDocs = sync.Pool{New: func() any { return new(json.Doc) }}

// writeJSON writes the value of a JSON text in the terms of RESP3.
func writeJSON(w *resp.Writer, text []byte) {
	d := jsonDocs.Get().(*json.Doc)
	defer jsonDocs.Put(d)
	if d.Parse(text) != nil {
		w.Bulk(text)
		return
	}
	writeNode(w, d.Root())
}

// writeNode is RediSearch's way, which is not that of JSON.GET: a truth value is a
// number, and a number without a fraction an integer.
func writeNode(w *resp.Writer, n json.Node) {
	switch n.Kind() {
	case json.Null:
		w.Null()
	case json.Bool:
		x := int64(0)
		if n.Bool() {
			x = 1
		}
		w.Int(x)
	case json.Integer, json.Number:
		x, _ := n.Float()
		writeFigure(w, x)
	case json.String:
		w.Bulk(n.Bytes())
	case json.Array:
		w.Array(n.Len())
		for i := range n.Len() {
			writeNode(w, n.Elem(i))
		}
	default:
		w.Map(n.Len())
		for i := range n.Len() {
			key, v := n.Member(i)
			w.Bulk(key)
			writeNode(w, v)
		}
	}
}

func writeFigure(w *resp.Writer, x float64) {
	if i := int64(x); float64(i) == x && math.Abs(x) < 1<<63 {
		w.Int(i)
	} else {
		w.Double(x)
	}
}
