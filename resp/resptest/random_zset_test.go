package resptest_test

import (
	"strconv"
	"strings"
)

// zsetKeys are the keys of sorted sets, in zl with equal scores, and of counts.
var zsetKeys = []string{"z1", "z2", "z3", "z4", "zl", "geo", "hll1", "hll2", "hll3"}

func (d *duel) zset() string {
	if d.rng.IntN(20) == 0 {
		return d.key()
	}
	return d.pick("z1", "z2", "z3", "z4", "z1", "z2")
}

func (d *duel) member() string {
	if d.rng.IntN(40) == 0 {
		return strings.Repeat("m", 60+d.rng.IntN(10))
	}
	if d.rng.IntN(3) == 0 {
		return "m" + strconv.Itoa(d.rng.IntN(300))
	}
	return d.pick("a", "b", "c", "d", "", "bin\x00", "10", "9", "ä")
}

func (d *duel) score() string {
	switch d.rng.IntN(6) {
	case 0:
		return d.float()
	case 1:
		return strconv.FormatFloat(d.rng.NormFloat64()*1000, 'g', -1, 64)
	case 2:
		return d.pick("1000000", "-1000000", "1e20", "-0", "4611686018427387904", "9007199254740993", "1.5e-10", "3e300", "123456789012345678")
	}
	return strconv.Itoa(d.rng.IntN(10) - 3)
}

// scorePairs are score, member, …; sometimes many.
func (d *duel) scorePairs() (l []string) {
	n := 1 + d.rng.IntN(3)
	if d.rng.IntN(30) == 0 {
		n = 100 + d.rng.IntN(60)
	}
	bad := d.rng.IntN(8) == 0 // one bad score refuses them all
	for range n {
		s := d.score()
		for !bad && strings.Trim(s, "0123456789.-e") != "" && !strings.Contains(s, "inf") {
			s = d.score()
		}
		l = append(l, s, d.member())
	}
	return l
}

func (d *duel) scoreEnd() string {
	return d.pick("", "(", "") + d.pick(d.score(), d.score(), "-inf", "+inf", "inf", "0", "")
}

func (d *duel) lexEnd() string {
	return d.pick("-", "+", "["+d.member(), "("+d.member(), "["+d.member(), "(", "[", d.member(), "")
}

func (d *duel) rank() string {
	return d.pick(d.small(), d.small(), "0", "-1", "1000", d.number())
}

func (d *duel) limit() []string {
	return []string{"LIMIT", d.pick("0", "1", "2", "-1", d.small()), d.pick("1", "5", "-1", "0", d.small())}
}

func (d *duel) zkeys() []string {
	n := 1 + d.rng.IntN(3)
	count := strconv.Itoa(n)
	if d.rng.IntN(10) == 0 {
		count = d.number()
	}
	l := []string{count}
	for range n {
		l = append(l, d.zset())
	}
	return l
}

func (d *duel) zopOptions(scores bool) []string {
	var l [][]string
	weights := []string{"WEIGHTS"}
	for range 1 + d.rng.IntN(3) {
		weights = append(weights, d.score())
	}
	l = append(l, []string{"AGGREGATE", d.pick("SUM", "MIN", "MAX", "COUNT", "x")})
	if d.rng.IntN(3) == 0 {
		l = append(l, weights)
	}
	if scores {
		l = append(l, []string{"WITHSCORES"})
	}
	return d.some(l...)
}

func zone(d *duel) []string     { return args(d.zset()) }
func zmember(d *duel) []string  { return args(d.zset(), d.member()) }
func zmembers(d *duel) []string { return args(d.zset(), d.member(), d.member(), d.member()) }
func zrank(d *duel) []string {
	return args(d.zset(), d.member(), d.some([]string{d.pick("WITHSCORE", "WITHSCORES")}))
}

func zcount(d *duel) []string { return args(d.zset(), d.scoreEnd(), d.scoreEnd()) }

// Ranges of members are decided only where all scores are equal, or there are few.
func zlex(d *duel) []string {
	return args(d.pick("zl", "zl", "zl", "zl", d.key()), d.lexEnd(), d.lexEnd())
}
func zranks(d *duel) []string { return args(d.zset(), d.rank(), d.rank()) }

func (d *duel) zrangeOptions(store bool) []string {
	scores := []string{"WITHSCORES"}
	if store && d.rng.IntN(10) > 0 {
		scores = nil
	}
	switch d.rng.IntN(4) {
	case 0:
		return args(d.zset(), d.scoreEnd(), d.scoreEnd(), "BYSCORE", d.some([]string{"REV"}, d.limit(), scores))
	case 1:
		return args("zl", d.lexEnd(), d.lexEnd(), "BYLEX", d.some([]string{"REV"}, d.limit(), scores))
	}
	return args(zranks(d), d.some([]string{"REV"}, scores, d.limit()))
}

// zsetArgs are the commands of sorted sets.
var zsetArgs = map[string]func(d *duel) []string{
	"zadd": func(d *duel) []string {
		if d.rng.IntN(4) == 0 {
			l := []string{"zl"}
			for range 1 + d.rng.IntN(4) {
				l = append(l, "1", d.member())
			}
			return l
		}
		return args(d.zset(), d.some([]string{d.pick("NX", "XX")}, []string{d.pick("GT", "LT")}, []string{"CH"}, []string{d.pick("INCR", "CH")}), d.scorePairs())
	},
	"zincrby": func(d *duel) []string { return args(d.zset(), d.score(), d.member()) },
	"zrem":    zmembers, "zscore": zmember, "zmscore": zmembers, "zcard": zone, "zrank": zrank, "zrevrank": zrank,
	"zcount": zcount, "zlexcount": zlex, "zremrangebyscore": zcount, "zremrangebylex": zlex, "zremrangebyrank": zranks,
	"zrange":      func(d *duel) []string { return d.zrangeOptions(false) },
	"zrangestore": func(d *duel) []string { return args(d.zset(), d.zrangeOptions(true)) },
	"zrevrange":   func(d *duel) []string { return args(zranks(d), d.some([]string{"WITHSCORES"})) },
	"zrangebyscore": func(d *duel) []string {
		return args(zcount(d), d.some([]string{"WITHSCORES"}, d.limit()))
	},
	"zrevrangebyscore": func(d *duel) []string {
		return args(zcount(d), d.some([]string{"WITHSCORES"}, d.limit()))
	},
	"zrangebylex":    func(d *duel) []string { return args(zlex(d), d.some(d.limit())) },
	"zrevrangebylex": func(d *duel) []string { return args(zlex(d), d.some(d.limit())) },
	"zpopmin":        func(d *duel) []string { return args(d.zset(), d.pick("", "1", "2", d.number())) },
	"zpopmax":        func(d *duel) []string { return args(d.zset(), d.pick("", "1", "2", d.number())) },
	"zmpop": func(d *duel) []string {
		return args(d.zkeys(), d.pick("MIN", "MAX", "x"), d.some([]string{"COUNT", d.pick("1", "3", d.number())}))
	},
	"bzpopmin": func(d *duel) []string { return args("zl", "z1", "z2", d.pick("0.01", "0.001", "-1", "abc")) },
	"bzmpop": func(d *duel) []string {
		return args("0.01", "2", "zl", "z1", d.pick("MIN", "MAX"), d.some([]string{"COUNT", d.pick("1", "3", d.number())}))
	},
	"zrandmember": func(d *duel) []string {
		return args(d.zset(), d.pick("0", "100000", "1000000"), d.some([]string{"WITHSCORES"}))
	},
	"zscan": func(d *duel) []string {
		return args(d.zset(), "0", "COUNT", "100000", d.some([]string{"MATCH", d.pick("*", "m*", "?")}, []string{d.pick("NOVALUES", "x")}))
	},
	"zunion": func(d *duel) []string { return args(d.zkeys(), d.zopOptions(true)) },
	"zinter": func(d *duel) []string { return args(d.zkeys(), d.zopOptions(true)) },
	"zdiff": func(d *duel) []string {
		return args(d.zkeys(), d.some([]string{"WITHSCORES"}, []string{d.pick("x", "WITHSCORES")}))
	},
	"zunionstore": func(d *duel) []string { return args(d.zset(), d.zkeys(), d.zopOptions(false)) },
	"zinterstore": func(d *duel) []string { return args(d.zset(), d.zkeys(), d.zopOptions(false)) },
	"zdiffstore":  func(d *duel) []string { return args(d.zset(), d.zkeys()) },
	"zintercard":  func(d *duel) []string { return args(d.zkeys(), d.some([]string{"LIMIT", d.number()})) },
	"pfadd": func(d *duel) []string {
		l := []string{d.hll()}
		n := d.rng.IntN(4)
		if d.rng.IntN(10) == 0 {
			n = d.rng.IntN(1500)
		}
		for range n {
			l = append(l, strconv.Itoa(d.rng.IntN(100_000)))
		}
		return l
	},
	"pfcount": func(d *duel) []string { return args(d.hll(), d.some([]string{d.hll()}, []string{d.hll()})) },
	"pfmerge": func(d *duel) []string { return args(d.hll(), d.some([]string{d.hll()}, []string{d.hll()})) },
	"pfdebug": func(d *duel) []string { return args(d.pick("GETREG", "DECODE", "ENCODING", "TODENSE", "x"), d.hll()) },
	"geoadd": func(d *duel) []string {
		l := []string{"geo"}
		l = append(l, d.some([]string{d.pick("NX", "XX")}, []string{"CH"})...)
		for range 1 + d.rng.IntN(4) {
			l = append(l, args(d.place(), d.member())...)
		}
		return l
	},
	"geodist": func(d *duel) []string { return args(d.geo(), d.member(), d.member(), d.some([]string{d.unit()})) },
	"geohash": func(d *duel) []string { return args(d.geo(), d.member(), d.member()) },
	"geopos":  func(d *duel) []string { return args(d.geo(), d.member(), d.member()) },
	"geosearch": func(d *duel) []string {
		return args(d.geo(), d.area(), d.geoOptions())
	},
	"geosearchstore": func(d *duel) []string {
		return args(d.zset(), d.geo(), d.area(), d.some([]string{"ASC"}, []string{"COUNT", d.number()}, []string{d.pick("WITHDIST", "x")}))
	},
	"georadius": func(d *duel) []string {
		return args(d.geo(), d.place(), d.length(), d.unit(), d.geoOptions(), d.some([]string{"STORE", d.zset()}))
	},
	"georadius_ro":         func(d *duel) []string { return args(d.geo(), d.place(), d.length(), d.unit(), d.geoOptions()) },
	"georadiusbymember":    func(d *duel) []string { return args(d.geo(), d.member(), d.length(), d.unit(), d.geoOptions()) },
	"georadiusbymember_ro": func(d *duel) []string { return args(d.geo(), d.member(), d.length(), d.unit(), d.geoOptions()) },
}

func (d *duel) geo() string {
	if d.rng.IntN(20) == 0 {
		return d.zset()
	}
	return "geo"
}

func (d *duel) place() []string {
	if d.rng.IntN(10) == 0 {
		return []string{d.pick("180", "-180", "181", "0", d.number()), d.pick("85.05112878", "-85.05112878", "86", "0", d.number())}
	}
	return []string{
		strconv.FormatFloat(d.rng.Float64()*360-180, 'f', d.rng.IntN(8), 64),
		strconv.FormatFloat(d.rng.Float64()*170-85, 'f', d.rng.IntN(8), 64),
	}
}

func (d *duel) unit() string { return d.pick("m", "km", "KM", "ft", "mi", "km", "x") }

func (d *duel) length() string {
	return d.pick("1", "100", "1000", "5000", "20000", "1e7", "0", d.float())
}

func (d *duel) area() []string {
	from := []string{"FROMMEMBER", d.member()}
	if d.rng.IntN(2) == 0 {
		from = append([]string{"FROMLONLAT"}, d.place()...)
	}
	by := []string{"BYRADIUS", d.length(), d.unit()}
	if d.rng.IntN(2) == 0 {
		by = []string{"BYBOX", d.length(), d.length(), d.unit()}
	}
	if d.rng.IntN(20) == 0 {
		return from
	}
	return append(from, by...)
}

func (d *duel) geoOptions() []string {
	return d.some([]string{"WITHDIST"}, []string{"WITHHASH"}, []string{"WITHCOORD"}, []string{d.pick("ASC", "DESC")},
		args("COUNT", d.pick("1", "3", "100", d.number()), d.some([]string{"ANY"})))
}

func (d *duel) hll() string {
	if d.rng.IntN(20) == 0 {
		return d.key()
	}
	return d.pick("hll1", "hll2", "hll3")
}
