package resptest_test

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp/resptest"
)

// streamKeys are the keys of streams. The IDs of xi begin in the far future, so
// that both servers choose the same ones for *.
var streamKeys = []string{"x1", "x2", "x3", "xi"}

const farFuture = "9999999999999"

func (d *duel) stream() string {
	if d.rng.IntN(30) == 0 {
		return d.key()
	}
	return d.pick("x1", "x1", "x1", "x2", "x2", "x3")
}

// id names an entry: mostly one that is there or may be.
func (d *duel) id() string {
	switch d.rng.IntN(40) {
	case 0:
		return d.pick("0-0", "0", "-", "+", "$", ">", "abc", "1-", "-1", "1-1-1", "18446744073709551615-18446744073709551615", "18446744073709551616", "01-02", " 1-1", "+1", "1-*", "")
	case 1:
		return strconv.Itoa(d.rng.IntN(60))
	}
	return strconv.Itoa(1+d.rng.IntN(60)) + "-" + strconv.Itoa(d.rng.IntN(4))
}

func (d *duel) ids() (l []string) {
	for range 1 + d.rng.IntN(4) {
		l = append(l, d.id())
	}
	return l
}

func (d *duel) rangeEnd() string {
	return d.pick("", "", "(") + d.pick("-", "+", d.id(), d.id(), d.id())
}

func (d *duel) fieldsAndValues() (l []string) {
	if d.rng.IntN(2) == 0 { // mostly the same fields
		return []string{"temperature", d.value(), "place", d.value()}
	}
	n := 1 + d.rng.IntN(3)
	if d.rng.IntN(40) == 0 {
		n = 60
	}
	for range n {
		l = append(l, d.pick("f", "g", "7", d.field()), d.pick(d.value(), d.number(), strings.Repeat("y", d.rng.IntN(900))))
	}
	return l
}

func (d *duel) refs() []string { return []string{d.pick("KEEPREF", "DELREF", "ACKED")} }

func (d *duel) trim() []string {
	op := d.pick("", "=", "~", "~")
	l := []string{"MAXLEN", op, d.pick("0", "1", "5", "20", "100", d.number())}
	if d.rng.IntN(2) == 0 {
		l = []string{"MINID", op, d.id()}
	}
	if op == "" {
		l = slices.Delete(l, 1, 2)
	}
	return append(l, d.some([]string{"LIMIT", d.pick("0", "1", "100", "150", d.number())})...)
}

func (d *duel) group() string    { return d.pick("g1", "g1", "g2") }
func (d *duel) consumer() string { return d.pick("c1", "c2", "c3") }

// idle is a time that has passed for what was claimed with a TIME long ago, and
// for nothing else.
func (d *duel) idle() string { return d.pick("0", "0", "50000000", "90000000000000", d.number()) }

func (d *duel) idsBlock() []string {
	l := d.ids()
	n := strconv.Itoa(len(l))
	if d.rng.IntN(10) == 0 {
		n = d.number()
	}
	return append([]string{"IDS", n}, l...)
}

func (d *duel) readOptions() []string {
	return d.some([]string{"COUNT", d.pick("1", "2", "10", d.number())}, []string{"MAXCOUNT", d.pick("1", "3", "20", d.number())},
		[]string{"MAXSIZE", d.pick("1", "50", "200", "1000", d.number())})
}

// readFrom names streams, and an ID for each.
func (d *duel) readFrom(id func() string) []string {
	l := []string{"STREAMS"}
	n := 1 + d.rng.IntN(2)
	for range n {
		l = append(l, d.stream())
	}
	for range n {
		l = append(l, id())
	}
	return l
}

// streamArgs are the commands of streams.
var streamArgs = map[string]func(d *duel) []string{
	"xadd": func(d *duel) []string {
		if d.rng.IntN(8) == 0 {
			if d.rng.IntN(4) == 0 {
				return args("xi", farFuture+"-1", d.fieldsAndValues())
			}
			idmp := []string{"IDMP", d.pick("p1", "p2", ""), d.pick("1", "2", "3", "4", "")}
			if d.rng.IntN(2) == 0 {
				idmp = []string{"IDMPAUTO", d.pick("p1", "p2")}
			}
			return args("xi", "NOMKSTREAM", d.some(idmp), d.pick("*", "*", "*", farFuture+"-*"), "f", d.pick("1", "2", "3"))
		}
		return args(d.stream(), d.some([]string{"NOMKSTREAM"}, d.trim(), d.refs()), d.pick(d.id(), strconv.Itoa(1+d.rng.IntN(60))+"-*"), d.fieldsAndValues())
	},
	"xtrim": func(d *duel) []string { return args(d.stream(), d.trim(), d.some(d.refs())) },
	"xlen":  func(d *duel) []string { return args(d.stream()) },
	"xrange": func(d *duel) []string {
		return args(d.stream(), d.rangeEnd(), d.rangeEnd(), d.some([]string{"COUNT", d.pick("1", "3", d.number())}))
	},
	"xrevrange": func(d *duel) []string {
		return args(d.stream(), d.rangeEnd(), d.rangeEnd(), d.some([]string{"COUNT", d.pick("1", "3", d.number())}))
	},
	"xdel":   func(d *duel) []string { return args(d.stream(), d.ids()) },
	"xdelex": func(d *duel) []string { return args(d.stream(), d.some(d.refs()), d.idsBlock()) },
	"xsetid": func(d *duel) []string {
		return args(d.stream(), d.id(), d.some([]string{"ENTRIESADDED", d.number()}, []string{"MAXDELETEDID", d.id()}))
	},
	"xgroup": func(d *duel) []string {
		read := []string{"ENTRIESREAD", d.pick("0", "3", "10", "-1", d.number())}
		switch d.rng.IntN(12) {
		case 0, 1, 2, 3, 4, 5:
			return args("CREATE", d.stream(), d.group(), d.pick(d.id(), "0", "0", "$"), d.some([]string{"MKSTREAM"}, read))
		case 6:
			return args("DESTROY", d.stream(), d.group())
		case 7, 8:
			return args("SETID", d.stream(), d.group(), d.pick(d.id(), "0", "$"), d.some(read))
		case 9:
			return args("DELCONSUMER", d.stream(), d.group(), d.consumer())
		}
		return args("CREATECONSUMER", d.stream(), d.group(), d.consumer())
	},
	"xack":    func(d *duel) []string { return args(d.stream(), d.group(), d.ids()) },
	"xackdel": func(d *duel) []string { return args(d.stream(), d.group(), d.some(d.refs()), d.idsBlock()) },
	"xnack": func(d *duel) []string {
		return args(d.stream(), d.group(), d.pick("SILENT", "FAIL", "FATAL"), d.idsBlock(), d.some([]string{"RETRYCOUNT", d.number()}, []string{"FORCE"}))
	},
	"xread": func(d *duel) []string {
		return args(d.readOptions(), d.readFrom(func() string { return d.pick(d.id(), "0", "$", "+") }))
	},
	"xreadgroup": func(d *duel) []string {
		return args("GROUP", d.group(), d.consumer(), d.readOptions(), d.some([]string{"CLAIM", d.idle()}, []string{"NOACK"}),
			d.readFrom(func() string { return d.pick(">", ">", ">", "0", d.id()) }))
	},
	"xpending": func(d *duel) []string {
		if d.rng.IntN(3) == 0 {
			return args(d.stream(), d.group())
		}
		return args(d.stream(), d.group(), d.some([]string{"IDLE", d.idle()}), d.rangeEnd(), d.rangeEnd(), d.pick("10", "2", d.number()), d.pick("c1", "c2", "c3", "c4"))
	},
	"xclaim": func(d *duel) []string {
		return args(d.stream(), d.group(), d.consumer(), d.idle(), d.ids(), d.some([]string{d.pick("IDLE", "TIME"), d.pick("100000000", "100000001", "1", "-1", d.number())},
			[]string{"RETRYCOUNT", d.pick("3", d.number())}, []string{"FORCE"}, []string{"JUSTID"}, []string{"LASTID", d.id()}))
	},
	"xautoclaim": func(d *duel) []string {
		return args(d.stream(), d.group(), d.consumer(), d.idle(), d.rangeEnd(), d.some([]string{"COUNT", d.pick("1", "2", "0", "x")}, []string{"JUSTID"}))
	},
	"xinfo": func(d *duel) []string {
		switch d.rng.IntN(4) {
		case 0:
			return args("GROUPS", d.stream())
		case 1:
			return args("CONSUMERS", d.stream(), d.group())
		case 2:
			return args("STREAM", d.pick(d.stream(), "xi"), "FULL", d.some([]string{"COUNT", d.pick("0", "3", d.number())}))
		}
		return args("STREAM", d.pick(d.stream(), "xi"))
	},
	"xcfgset": func(d *duel) []string {
		return args(d.pick("xi", d.stream()), d.some([]string{"IDMP-DURATION", d.pick("100", "200", d.number())}, []string{"IDMP-MAXSIZE", d.pick("2", "3", d.number())}))
	},
	"xidmprecord": func(d *duel) []string {
		return args("xi", d.pick("p1", "p2", ""), d.pick("1", "2", "5"), d.pick(farFuture+"-"+strconv.Itoa(d.rng.IntN(5)), d.id()))
	},
}

// timed are the commands of streams whose replies hold times of now.
var timed = []string{"xpending", "xinfo", "xreadgroup"}

// withoutTimes is a reply with 0 for each time of now, or that since.
func withoutTimes(args []string, v resptest.Value) resptest.Value {
	name := strings.ToUpper(args[0])
	if name == "XPENDING" && len(args) > 3 {
		for _, e := range v.Elems {
			blank(e, 2)
		}
	}
	if name == "XREADGROUP" {
		for _, s := range v.Elems {
			list := s
			if v.Kind == resptest.Array {
				if len(s.Elems) < 2 {
					continue
				}
				list = s.Elems[1]
			}
			for _, e := range list.Elems {
				if len(e.Elems) == 4 {
					blank(e, 2)
				}
			}
		}
	}
	if name == "XINFO" {
		blankNamed(v)
	}
	return v
}

// blank makes a number that is a time 0; numbers that are none are far from both.
func blank(v resptest.Value, i int) {
	if i < len(v.Elems) && v.Elems[i].Kind == resptest.Int {
		if n, _ := strconv.ParseInt(v.Elems[i].Text, 10, 64); n >= 0 && n < 10_000 || n > 1_000_000_000 {
			v.Elems[i].Text = "0"
		}
	}
}

func blankNamed(v resptest.Value) {
	for i, e := range v.Elems {
		blankNamed(e)
		if i == 0 {
			continue
		}
		switch v.Elems[i-1].Text {
		case "idle", "inactive", "seen-time", "active-time":
			blank(v, i)
		case "radix-tree-nodes": // Redis may have more after blocks went
			v.Elems[i].Text = ""
		case "pending":
			for _, p := range e.Elems {
				blank(p, len(p.Elems)-2)
			}
		}
	}
}
