package resptest_test

import (
	"strconv"
	"strings"
)

var listKeys = []string{"l1", "l2", "l3", "big"}

func (d *duel) list() string {
	if d.rng.IntN(20) == 0 {
		return d.key()
	}
	return d.pick("l1", "l2", "l3", "l1", "l2", "big")
}

// element is mostly short; some are longer than a listpack or a node may be.
func (d *duel) element() string {
	switch d.rng.IntN(60) {
	case 0:
		return strings.Repeat("e", 1000+d.rng.IntN(3000))
	case 1:
		return strings.Repeat("E", 8180+d.rng.IntN(30))
	}
	return d.pick("a", "b", "c", "", "10", "-1", "300", "70000", "9223372036854775807", "007", "bin\x00", strings.Repeat("x", 60), d.value())
}

func (d *duel) elements() (l []string) {
	n := 1 + d.rng.IntN(4)
	if d.rng.IntN(20) == 0 {
		n = d.rng.IntN(300)
	}
	for range n {
		l = append(l, d.element())
	}
	return l
}

func (d *duel) index() string { return d.pick(d.small(), "0", "-1", "1", d.number()) }
func (d *duel) side() string  { return d.pick("LEFT", "RIGHT", "left", "right", "LEFT", "RIGHT", "x") }

func (d *duel) timeout() string {
	return d.pick("0.01", "0.001", "-1", "abc", "0.01", "9223372036854775", "inf", "1e-4")
}

func (d *duel) count() string { return d.pick("1", "2", "3", "100", d.number()) }

func lone(d *duel) []string      { return args(d.list()) }
func lpush(d *duel) []string     { return args(d.list(), d.elements()) }
func lpop(d *duel) []string      { return args(d.list(), d.some([]string{d.count()})) }
func lrange(d *duel) []string    { return args(d.list(), d.index(), d.index()) }
func lmove(d *duel) []string     { return args(d.list(), d.list()) }
func lmoveEnds(d *duel) []string { return args(lmove(d), d.side(), d.side()) }

// lkeys are numkeys, keys, an end and a count.
func (d *duel) lkeys(list func() string) []string {
	n := 1 + d.rng.IntN(3)
	count := strconv.Itoa(n)
	if d.rng.IntN(10) == 0 {
		count = d.number()
	}
	l := []string{count}
	for range n {
		l = append(l, list())
	}
	return args(l, d.side(), d.some([]string{"COUNT", d.count()}))
}

func (d *duel) howMany() []string {
	return d.some([]string{d.pick("COUNT", "EXACTLY", "exactly"), d.count(), d.pick("OBO", "BULK", "bulk", "x")})
}

// listArgs are the commands of lists.
var listArgs = map[string]func(d *duel) []string{
	"lpush": lpush, "rpush": lpush, "lpushx": lpush, "rpushx": lpush, "lpop": lpop, "rpop": lpop,
	"llen": lone, "lrange": lrange,
	"ltrim": func(d *duel) []string {
		if d.rng.IntN(3) > 0 {
			return args(d.list(), d.pick("0", "1", "-100"), d.pick("-1", "-2", "100"))
		}
		return lrange(d)
	},
	"lindex": func(d *duel) []string { return args(d.list(), d.index()) },
	"lset":   func(d *duel) []string { return args(d.list(), d.index(), d.element()) },
	"linsert": func(d *duel) []string {
		return args(d.list(), d.pick("BEFORE", "AFTER", "after", "x"), d.element(), d.element())
	},
	"lrem": func(d *duel) []string {
		return args(d.list(), d.pick("0", "1", "-1", "2", "-2", d.number()), d.element())
	},
	"lpos": func(d *duel) []string {
		return args(d.list(), d.element(), d.some([]string{"RANK", d.pick("1", "2", "-1", "-2", d.number())},
			[]string{"COUNT", d.pick("0", "1", "2", d.number())}, []string{"MAXLEN", d.pick("0", "1", "5", d.number())}))
	},
	"lmove": lmoveEnds, "rpoplpush": lmove,
	"lmovem": func(d *duel) []string { return args(lmoveEnds(d), d.howMany()) },
	"lmpop":  func(d *duel) []string { return d.lkeys(d.list) },
	"blpop":  func(d *duel) []string { return args(d.list(), d.list(), d.timeout()) },
	"brpop":  func(d *duel) []string { return args(d.list(), d.timeout()) },
	"blmove": func(d *duel) []string { return args(lmoveEnds(d), d.timeout()) },
	"brpoplpush": func(d *duel) []string {
		return args(lmove(d), d.timeout())
	},
	"blmovem": func(d *duel) []string { return args(lmoveEnds(d), d.timeout(), d.howMany()) },
	"blmpop":  func(d *duel) []string { return args(d.timeout(), d.lkeys(d.list)) },
}
