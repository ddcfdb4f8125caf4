package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

// What pops of lists and of sorted sets have in common.

const (
	errMPopNumKeys  resp.Error = "ERR numkeys should be greater than 0"
	errMPopCount    resp.Error = "ERR count should be greater than 0"
	errTimeoutRange resp.Error = "ERR timeout is out of range"
)

// mPopArgs are those of all pops from the first of several keys.
type mPopArgs struct {
	keys    [][]byte
	high    bool // from the tail, or the highest score
	count   int64
	shape   popReply
	timeout timeout
}

// parseMPop reads numkeys and what follows; low and high are the words for the
// ends.
func parseMPop(waits bool, low, high string) func(*args.Parser) mPopArgs {
	return func(p *args.Parser) mPopArgs {
		var wait []byte
		if waits {
			wait = p.Bytes()
		}
		a := mPopArgs{count: -1, shape: popMulti}
		a.parse(p, low, high)
		if waits && p.Err() == nil { // Redis reads it last
			a.timeout = parseTimeout(wait)
		}
		return a
	}
}

func (a *mPopArgs) parse(p *args.Parser, low, high string) {
	n, ok := resp.ParseInt(p.Bytes())
	if p.Err() == nil && (!ok || n < 1) {
		p.Fail(errMPopNumKeys)
	}
	rest := p.Rest()
	if p.Err() != nil {
		return
	}
	if n >= int64(len(rest)) {
		p.Fail(resp.ErrSyntax)
		return
	}
	a.keys = rest[:n]
	switch where := rest[n]; {
	case args.EqualFold(where, low):
	case args.EqualFold(where, high):
		a.high = true
	default:
		p.Fail(resp.ErrSyntax)
	}
	var options args.Parser // skips the end, as if it were a command's name
	options.Reset(rest[n:])
	for options.More() && p.Err() == nil {
		if a.count != -1 || options.Len() < 2 || !options.Accept("COUNT") {
			p.Fail(resp.ErrSyntax)
			return
		}
		if a.count, ok = resp.ParseInt(options.Bytes()); !ok || a.count < 1 {
			p.Fail(errMPopCount)
		}
	}
	if a.count == -1 {
		a.count = 1
	}
}

// butLast are the keys of commands that end in a timeout.
var butLast = command.KeySpec{First: 1, Last: -2, Step: 1}

var bPopArgs = []command.Arg{{Name: "key", Type: "key", Multiple: true}, timeoutArg}

func parseBPop(high bool) func(*args.Parser) mPopArgs {
	return func(p *args.Parser) mPopArgs {
		rest := p.Rest()
		if len(rest) < 2 {
			p.Fail(resp.ErrSyntax)
			return mPopArgs{}
		}
		return mPopArgs{
			keys: rest[:len(rest)-1], high: high, count: 1, shape: popKeyed, timeout: parseTimeout(rest[len(rest)-1]),
		}
	}
}

// numKeys finds the keys that their number, at a place of argv, announces.
func numKeys(at int) func(argv [][]byte) [][]byte {
	return func(argv [][]byte) [][]byte {
		if at >= len(argv) {
			return nil
		}
		n, ok := resp.ParseInt(argv[at])
		if !ok || n < 1 || n > int64(len(argv)-at-1) {
			return nil
		}
		return argv[at+1 : at+1+int(n)]
	}
}

// timeout is how long a client is to wait. The zero value is that of commands
// which do not.
type timeout struct {
	waits  bool
	millis int64 // 0 for ever
	err    error
}

var timeoutArg = command.Arg{Name: "timeout", Type: "double"}

// parseTimeout reads a time in seconds.
func parseTimeout(b []byte) timeout {
	x, ok := parseLong(b)
	if !ok {
		return timeout{err: resp.ErrTimeout}
	}
	f, _ := x.Float64()
	f = math.Ceil(f * 1000)
	switch {
	case f >= math.MaxInt64:
		return timeout{err: errTimeoutRange}
	case f < 0:
		return timeout{err: resp.ErrTimeoutNeg}
	}
	return timeout{waits: true, millis: int64(f)}
}

// longestWait is the longest time to wait, in ms, that ends before Unix times do: Redis' limit, but for the years since 1970.
const longestWait = math.MaxInt64 - 1<<41

// parseMillis reads a time in milliseconds, 0 for ever.
func parseMillis(p *args.Parser) int64 {
	n, ok := resp.ParseInt(p.Bytes())
	switch {
	case !ok:
		p.Fail(resp.Error("ERR timeout is not an integer or out of range"))
	case n < 0:
		p.Fail(resp.ErrTimeoutNeg)
	case n > longestWait:
		p.Fail(errTimeoutRange)
	}
	return n
}

// ms is the time in milliseconds, 0 for ever, or what is wrong with it.
func (t timeout) ms(now int64) (int64, error) {
	if t.millis > math.MaxInt64-now {
		return 0, errTimeoutRange
	}
	return t.millis, t.err
}
