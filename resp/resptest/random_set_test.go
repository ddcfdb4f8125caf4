package resptest_test

import (
	"strconv"
	"strings"
)

var setKeys = []string{"s1", "s2", "s3", "ints"}

func (d *duel) set() string {
	if d.rng.IntN(20) == 0 {
		return d.key()
	}
	return d.pick("s1", "s2", "s3", "s1", "s2", "ints")
}

// setMember is mostly an integer or a short string.
func (d *duel) setMember() string {
	switch d.rng.IntN(40) {
	case 0:
		return strings.Repeat("m", 60+d.rng.IntN(10))
	case 1:
		return d.value()
	}
	if d.rng.IntN(3) > 0 {
		return strconv.Itoa(d.rng.IntN(200) * d.rng.IntN(5))
	}
	return d.pick("a", "b", "c", "", "-1", "70000", "9223372036854775807", "-9223372036854775808", "007", "bin\x00")
}

// setMembers are sometimes many, or all integers.
func (d *duel) setMembers() (l []string) {
	n := 1 + d.rng.IntN(4)
	if d.rng.IntN(15) == 0 {
		n = d.rng.IntN(700)
	}
	ints := d.rng.IntN(2) == 0
	for range n {
		if ints {
			l = append(l, strconv.Itoa(d.rng.IntN(1000)))
		} else {
			l = append(l, d.setMember())
		}
	}
	return l
}

func (d *duel) sets() (l []string) {
	for range 1 + d.rng.IntN(3) {
		l = append(l, d.set())
	}
	return l
}

// skeys are numkeys, keys and options.
func (d *duel) skeys(options ...[]string) []string {
	l := d.sets()
	count := strconv.Itoa(len(l))
	if d.rng.IntN(10) == 0 {
		count = d.number()
	}
	return args(count, l, d.some(options...))
}

func (d *duel) setLimit() []string { return []string{"LIMIT", d.pick("0", "1", "3", d.number())} }

func sone(d *duel) []string     { return args(d.set()) }
func smembers(d *duel) []string { return args(d.set(), d.setMembers()) }
func smany(d *duel) []string    { return d.sets() }
func sstore(d *duel) []string   { return args(d.set(), d.sets()) }

// setArgs are the commands of sets. What is random is asked for in ways that
// leave nothing to chance.
var setArgs = map[string]func(d *duel) []string{
	"sadd": smembers, "srem": smembers, "smismember": smembers, "scard": sone, "smembers": sone,
	"sismember": func(d *duel) []string { return args(d.set(), d.setMember()) },
	"smove":     func(d *duel) []string { return args(d.set(), d.set(), d.setMember()) },
	"spop":      func(d *duel) []string { return args(d.set(), d.pick("0", "100000", "1000000", "-1", "x")) },
	"srandmember": func(d *duel) []string {
		return args(d.set(), d.pick("0", "100000", "1000000", "x", "-9223372036854775808"))
	},
	"sscan": func(d *duel) []string {
		return args(d.set(), "0", "COUNT", "100000", d.some([]string{"MATCH", d.pick("*", "m*", "?", "1*")}, []string{d.pick("NOVALUES", "x")}))
	},
	"sinter": smany, "sunion": smany, "sdiff": smany,
	"sinterstore": sstore, "sunionstore": sstore, "sdiffstore": sstore,
	"sintercard": func(d *duel) []string { return d.skeys(d.setLimit(), []string{d.pick("x", "LIMIT")}) },
	"sdiffcard":  func(d *duel) []string { return d.skeys(d.setLimit(), []string{d.pick("APPROX", "LIMIT")}) },
	"sunioncard": func(d *duel) []string { return d.skeys(d.setLimit(), []string{"APPROX"}) },
}
