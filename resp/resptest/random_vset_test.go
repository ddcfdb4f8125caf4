package resptest_test

import (
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// vsetKeys are keys of vector sets, of one kind each: their dimensions are 3, 70
// (projected to 4), 2 and 70. They are few elements, of which Redis finds all that
// are near, too.
var vsetKeys = []string{"v1", "v2", "vr", "vf", "vb"}

// vsetKinds are what VADD says for them.
var vsetKinds = map[string]struct {
	dim  int
	more []string
}{
	"v1": {3, nil}, "v2": {3, []string{"Q8", "M", "8"}}, "vr": {70, nil}, "vf": {2, []string{"NOQUANT"}}, "vb": {70, []string{"BIN"}},
}

func (d *duel) vset() string {
	if d.rng.IntN(20) == 0 {
		return d.key()
	}
	return vsetKeys[d.rng.IntN(len(vsetKeys))]
}

func (d *duel) velement() string {
	return d.pick("", "bin\x00\xff", "e"+strconv.Itoa(d.rng.IntN(25)), "e"+strconv.Itoa(d.rng.IntN(25)))
}

func (d *duel) vector(dim int) []string {
	v := make([]float64, dim)
	for i := range v {
		v[i] = float64(d.rng.IntN(2001)-1000) / 64
	}
	if d.rng.IntN(30) == 0 {
		clear(v)
	}
	if d.rng.IntN(2) == 0 {
		return []string{d.cased("FP32"), string(indextest.Blob(index.Float32, v))}
	}
	l := []string{d.cased("VALUES"), strconv.Itoa(dim)}
	for _, x := range v {
		l = append(l, strconv.FormatFloat(x, 'g', -1, 64))
	}
	if dim > 2 && d.rng.IntN(30) == 0 { // NOQUANT, of which one is no set, keeps no infinity
		l[2+d.rng.IntN(dim)] = d.float()
	}
	return l
}

func (d *duel) vattr() string {
	return d.pick(`{"a":1,"b":"x","c":[1,"y",null]}`, `{"a":-2.5e1,"b":"long text","d":true}`, `{"b":{"a":1},"a":"12"}`, `{"a":null}`, "", "not json",
		`{"a":`+strconv.Itoa(d.rng.IntN(50))+`}`)
}

// vfilter is an expression, mostly one that means something.
func (d *duel) vfilter() string {
	if d.rng.IntN(8) == 0 {
		return d.pick("", "1 2", "(", ".a =", "'open", "[1,,]", "1e-5", "!!.a", "not", ".a == 1 )", "1 and", "\x00", "foo", ". == 1", ".a.b", "5 .a")
	}
	value := func() string {
		return d.pick(".a", ".b", ".c", ".d", ".nosuch", "1", "-3", "12.5", `"x"`, "'long'", "null", "''", "[1, 'x', -3]", "2e1", "(.a)", "!.d", "(1 + .a)")
	}
	out := value()
	for range d.rng.IntN(4) {
		out += d.pick(" ", "") + d.pick("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", " in ", " and ", "&&", " or ", "||") + d.pick(" ", "") + value()
	}
	return out
}

// vcommand is for commands of a key and an element.
func vcommand(d *duel) []string { return args(d.vset(), d.velement()) }
func vkey(d *duel) []string     { return args(d.vset()) }

func (d *duel) vend() string {
	return d.pick("-", "+", "["+d.velement(), "("+d.velement(), "[e", "(e2", "", "x", "[")
}

var vsetArgs = map[string]func(d *duel) []string{
	"vadd": func(d *duel) []string {
		key := vsetKeys[d.rng.IntN(len(vsetKeys))]
		kind := vsetKinds[key]
		var reduce []string
		if key == "vr" && d.rng.IntN(30) > 0 {
			reduce = []string{"REDUCE", "4"}
		}
		dim := kind.dim
		if d.rng.IntN(40) == 0 {
			dim = 1 + d.rng.IntN(4)
		}
		more := kind.more
		if d.rng.IntN(40) == 0 {
			more = d.some([]string{d.pick("BIN", "Q8", "NOQUANT")}, []string{"M", d.pick("4", "3", "5000", d.number())})
		}
		return args(key, reduce, d.vector(dim), d.velement(), more, d.some([]string{"CAS"}, []string{"EF", d.pick("100", "10", d.number())}, []string{"SETATTR", d.vattr()}))
	},
	// What an index finds is another matter than the order of equally near ones.
	"vsim": func(d *duel) []string {
		key := d.vset()
		l := []string{key, "ELE", d.velement()}
		if dim := vsetKinds[key].dim; dim > 0 && d.rng.IntN(2) == 0 {
			l = append([]string{key}, d.vector(dim)...)
		}
		return args(l, "TRUTH", d.some([]string{"WITHSCORES"}, []string{"WITHATTRIBS"}, []string{"COUNT", d.pick("1", "3", "100", d.number())},
			[]string{"EPSILON", d.pick("0.1", "0.5", "2", d.float())}, []string{"EF", d.pick("1", "50", d.number())}, []string{"NOTHREAD"},
			[]string{"FILTER", d.vfilter()}, []string{"FILTER", d.vfilter()}, []string{"FILTER-EF", d.pick("1", "100", d.number())}))
	},
	// A WATCH in Redis is touched by these whether they change anything or not, so
	// they keep to keys that nobody watches.
	"vrem":     func(d *duel) []string { return args(d.pick(vsetKeys...), d.velement()) },
	"vsetattr": func(d *duel) []string { return args(d.pick(vsetKeys...), d.velement(), d.vattr()) },
	"vgetattr": vcommand, "vismember": vcommand, "vcard": vkey, "vdim": vkey,
	"vemb":   func(d *duel) []string { return args(vcommand(d), d.some([]string{d.pick("RAW", "x")})) },
	"vrange": func(d *duel) []string { return args(d.vset(), d.vend(), d.vend(), d.some([]string{d.number()})) },
	"vrandmember": func(d *duel) []string {
		return args(d.vset(), d.pick("0", "1000", "100000"))
	},
}

// compareVSet compares all that a vector set holds.
func (d *duel) compareVSet(key string) {
	d.both(1, "VRANGE", key, "-", "+")
	d.both(1, "VCARD", key)
	for i := range 26 {
		name := "e" + strconv.Itoa(i)
		if i == 25 {
			name = ""
		}
		d.both(1, "VEMB", key, name, "RAW")
		d.both(1, "VEMB", key, name)
		d.both(1, "VGETATTR", key, name)
	}
	d.both(1, "OBJECT", "ENCODING", key)
	ours, theirs := d.conns[1][0].Do("VINFO", key), d.conns[1][1].Do("VINFO", key)
	for i := 0; i+1 < min(len(ours.Elems), len(theirs.Elems)); i += 2 {
		name := ours.Elems[i].Text
		if name == "hnsw-max-node-uid" && key == restored { // a payload has the IDs of the elements that are left
			continue
		}
		if name != "max-level" && name != "vset-uid" && ours.Elems[i+1].String() != theirs.Elems[i+1].String() {
			d.Errorf("VINFO %s: %s is %s, theirs %s\nafter\n  %s", key, name, ours.Elems[i+1], theirs.Elems[i+1], strings.Join(d.history[max(0, len(d.history)-100):], "\n  "))
		}
	}
}
