package commands

import (
	"math/bits"

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

// maxLCSCells bounds the table of common lengths, of four bytes each, as
// proto-max-bulk-len does in Redis. No such table is made here, but strings of more
// than maxLCSBytes together would still hold both keys for too long.
const (
	maxLCSCells = 512 << 20 / 4
	maxLCSBytes = 32 << 20
)

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
	if (len(x)+1)*(len(y)+1) > maxLCSCells || len(x)+len(y) > maxLCSBytes {
		return errLCSMemory
	}
	var steps lcsSteps
	if !a.length {
		steps = make(lcsSteps, (len(y)+63)/64*len(x))
	}
	n := lcsLength(x, y, steps)
	if a.length {
		c.W.Int(int64(n))
		return nil
	}
	a.reply(c, x, y, steps, n)
	return nil
}

// lcsSteps says where the common length of beginnings of two strings grows: bit j&63
// of word j/64*len(x)+i is 0 where the first i+1 bytes of x have one byte more in
// common with the first j+1 of y than with the first j.
type lcsSteps []uint64

func (s lcsSteps) grows(x []byte, i, j int) bool { return s[j>>6*len(x)+i]>>(j&63)&1 == 0 }

// lcsLength is the length of the longest common subsequence, 64 cells of the table at
// a time: H. Hyyrö, Bit-parallel LCS-length computation revisited, 2004. It fills
// steps, unless there are none.
func lcsLength(x, y []byte, steps lcsSteps) (n int) {
	carries := make([]uint8, len(x)) // from each row's word to the next
	var where [256]uint64            // the places of a byte in this word of y
	for k := 0; k < len(y); k += 64 {
		word := y[k:min(k+64, len(y))]
		for j, b := range word {
			where[b] |= 1 << j
		}
		row := ^uint64(0)
		for i, b := range x {
			both := row & where[b]
			sum, carry := bits.Add64(row, both, uint64(carries[i]))
			carries[i] = uint8(carry)
			row = sum | row&^both
			if steps != nil {
				steps[k>>6*len(x)+i] = row
			}
		}
		n += bits.OnesCount64(^row)
		for _, b := range word {
			where[b] = 0
		}
	}
	return n
}

// reply walks back, as Redis does where there is a choice, and replies with the
// string or with its ranges, the last first.
func (a *lcsArgs) reply(c *command.Ctx, x, y []byte, steps lcsSteps, n int) {
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
		if steps.grows(x, i-1, j-1) {
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
