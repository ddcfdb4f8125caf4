package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var lcsCommand = &command.Spec{
	Name: "lcs", Arity: -3, Flags: command.ReadOnly, Keys: command.TwoKeys, Group: command.GroupString, Since: "7.0.0",
	Summary: "Finds the longest common substring.",
	Args: []command.Arg{
		{Name: "key1", Type: "key"},
		{Name: "key2", Type: "key"},
		optional(flagArg("len", "LEN")),
		optional(flagArg("idx", "IDX")),
		{Name: "min-match-len", Type: "integer", Token: "MINMATCHLEN", Optional: true},
		optional(flagArg("withmatchlen", "WITHMATCHLEN")),
	},
	Bind: command.Bind(parseLCS, runLCS),
}

const (
	errLCSKeys   resp.Error = "ERR The specified keys must contain string values"
	errLCSBoth   resp.Error = "ERR If you want both the length and indexes, please just use IDX."
	errLCSMemory resp.Error = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
)

// maxLCSCells bounds the table of the two strings' lengths. Redis goes four
// times as far; here both keys are held while it is filled.
const maxLCSCells = 32 << 20

type lcsArgs struct {
	a, b          []byte
	length, index bool
	withLength    bool
	shortest      int64
	err           error // of the options: keys of another type hide it
}

func parseLCS(p *args.Parser) lcsArgs {
	a := lcsArgs{a: p.Bytes()}
	rest := p.Rest()
	if len(rest) == 0 {
		p.Fail(resp.ErrSyntax)
		return a
	}
	a.b = rest[0]
	var options args.Parser // skips the second key, as if it were a command's name
	options.Reset(rest)
	for options.More() {
		switch {
		case options.Accept("LEN"):
			a.length = true
		case options.Accept("IDX"):
			a.index = true
		case options.Accept("WITHMATCHLEN"):
			a.withLength = true
		case options.Accept("MINMATCHLEN"):
			a.shortest = max(0, options.Int())
		default:
			options.Fail(resp.ErrSyntax)
		}
	}
	if a.length && a.index {
		options.Fail(errLCSBoth)
	}
	a.err = options.Err()
	return a
}

func runLCS(c *command.Ctx, a lcsArgs) error {
	va, errA := asString(c.Tx.Get(a.a))
	vb, errB := asString(c.Tx.Get(a.b))
	if errA != nil || errB != nil {
		return errLCSKeys
	}
	if a.err != nil {
		return a.err
	}
	var x, y []byte
	if va != nil {
		x = va.B
	}
	if vb != nil {
		y = vb.B
	}
	if (len(x)+1)*(len(y)+1) > maxLCSCells {
		return errLCSMemory
	}
	// cell(i, j) is the length for the first i bytes of x and j of y.
	width := len(y) + 1
	table := make([]uint32, (len(x)+1)*width)
	for i := 1; i <= len(x); i++ {
		above, row := table[(i-1)*width:i*width], table[i*width:(i+1)*width]
		for j := 1; j <= len(y); j++ {
			if x[i-1] == y[j-1] {
				row[j] = above[j-1] + 1
			} else {
				row[j] = max(above[j], row[j-1])
			}
		}
	}
	n := int(table[len(table)-1])
	if a.length {
		c.W.Int(int64(n))
		return nil
	}
	a.reply(c, x, y, table, n)
	return nil
}

// reply walks back through the table, as Redis does where there is a choice,
// and replies with the string or with its ranges, the last first.
func (a *lcsArgs) reply(c *command.Ctx, x, y []byte, table []uint32, n int) {
	width := len(y) + 1
	result := make([]byte, n)
	var ranges resp.Writer
	count, length := 0, 0 // ranges so far; bytes of the one that ends at i, j
	emit := func(i, j int) {
		if length == 0 {
			return
		}
		if int64(length) >= a.shortest {
			count++
			if a.withLength {
				ranges.Array(3)
			} else {
				ranges.Array(2)
			}
			for _, from := range []int{i, j} {
				ranges.Array(2)
				ranges.Int(int64(from))
				ranges.Int(int64(from + length - 1))
			}
			if a.withLength {
				ranges.Int(int64(length))
			}
		}
		length = 0
	}
	i, j := len(x), len(y)
	for i > 0 && j > 0 {
		if x[i-1] == y[j-1] {
			i, j, n, length = i-1, j-1, n-1, length+1
			result[n] = x[i]
			continue
		}
		emit(i, j)
		if table[(i-1)*width+j] > table[i*width+j-1] {
			i--
		} else {
			j--
		}
	}
	emit(i, j)
	if !a.index {
		c.W.Bulk(result)
		return
	}
	c.W.Map(2)
	c.W.BulkString("matches")
	c.W.Array(count)
	c.W.Raw(ranges.Bytes())
	c.W.BulkString("len")
	c.W.Int(int64(len(result)))
}
