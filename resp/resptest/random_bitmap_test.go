package resptest_test

import "strconv"

var bitKeys = []string{"b1", "b2", "b3"}

func (d *duel) bits() string {
	if d.rng.IntN(12) == 0 {
		return d.key()
	}
	return d.pick("b1", "b2", "b3")
}

// bitOffset is mostly near.
func (d *duel) bitOffset() string {
	switch d.rng.IntN(30) {
	case 0:
		return d.number()
	case 1:
		return d.pick("4294967296", "4294967295000", "100000", "-1", "#1", "#-1", "#x")
	}
	return strconv.Itoa(d.rng.IntN(400))
}

func (d *duel) bitEnd() string { return d.pick(d.small(), d.small(), "0", "-1", "100", d.number()) }

func (d *duel) bitField() []string {
	typ := d.pick("u", "i") + strconv.Itoa(1+d.rng.IntN(64))
	if d.rng.IntN(30) == 0 {
		typ = d.pick("u0", "i65", "x8", "u", "8", "", "u8\x00x")
	}
	at := d.bitOffset()
	if d.rng.IntN(4) == 0 {
		at = "#" + strconv.Itoa(d.rng.IntN(20))
	}
	return []string{typ, at}
}

func (d *duel) bitValue() string {
	if d.rng.IntN(2) == 0 {
		return d.number()
	}
	return strconv.FormatInt(int64(d.rng.Uint64())>>d.rng.IntN(64), 10)
}

func (d *duel) bitFieldOps(write bool) (l []string) {
	for range 1 + d.rng.IntN(4) {
		switch n := d.rng.IntN(8); {
		case !write && n > 0 || n < 2:
			l = append(l, args("GET", d.bitField())...)
		case n < 4:
			l = append(l, args(d.pick("SET", "set"), d.bitField(), d.bitValue())...)
		case n < 6:
			l = append(l, args("INCRBY", d.bitField(), d.bitValue())...)
		default:
			l = append(l, "OVERFLOW", d.pick("WRAP", "SAT", "FAIL", "sat", "x"))
		}
	}
	return l
}

// bitArgs are the commands of bitmaps.
var bitArgs = map[string]func(d *duel) []string{
	"setbit": func(d *duel) []string { return args(d.bits(), d.bitOffset(), d.pick("0", "1", "1", "2", "x")) },
	"getbit": func(d *duel) []string { return args(d.bits(), d.bitOffset()) },
	"bitcount": func(d *duel) []string {
		return args(d.bits(), d.some(args(d.bitEnd(), d.bitEnd(), d.some([]string{d.pick("BIT", "BYTE", "bit", "x")}))))
	},
	"bitpos": func(d *duel) []string {
		return args(d.bits(), d.pick("0", "1", "0", "1", "2", "x"),
			d.some(args(d.bitEnd(), d.some(args(d.bitEnd(), d.some([]string{d.pick("BIT", "BYTE", "bit", "x")}))))))
	},
	"bitop": func(d *duel) []string {
		l := []string{d.pick("AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE", "one", "x"), d.bits()}
		for range 1 + d.rng.IntN(3) {
			l = append(l, d.bits())
		}
		return l
	},
	"bitfield":    func(d *duel) []string { return args(d.bits(), d.bitFieldOps(true)) },
	"bitfield_ro": func(d *duel) []string { return args(d.bits(), d.bitFieldOps(false)) },
}
