package aggregate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/expr"
)

// docs are the documents of a test: field → text. Those called n… are NUMERIC, s…
// are SORTABLE, as far as a test's schema goes.
type docs struct {
	list []map[string]string
	at   int
	gone map[string]bool
	buf  []byte
}

func (d *docs) Total() int               { return len(d.list) }
func (d *docs) Terms(*Doc, int) []string { return nil }
func (d *docs) Begin()                   { clear(d.buf); d.buf = d.buf[:0] } // so that what was not cloned shows
func (d *docs) Next(x *Doc, _ []float64) bool {
	if d.at == len(d.list) {
		return false
	}
	x.Name = strconv.Itoa(d.at)
	d.at++
	return true
}

func (d *docs) text(s string) expr.Value {
	if cap(d.buf)-len(d.buf) < len(s) {
		d.buf = make([]byte, 0, 2*cap(d.buf)+len(s))
	}
	n := len(d.buf)
	d.buf = append(d.buf, s...)
	return expr.Str(unsafeString(d.buf[n:]))
}

func (d *docs) doc(name string) (map[string]string, bool) {
	i, _ := strconv.Atoi(name)
	return d.list[i], !d.gone[name]
}

func (d *docs) Load(name string, wants []Want, row []expr.Value) bool {
	doc, ok := d.doc(name)
	for _, w := range wants {
		v, has := doc[w.Identifier]
		switch {
		case w.Identifier == "__key":
			row[w.Slot] = d.text(name)
		case !has:
		case w.Numeric:
			x, _ := strconv.ParseFloat(v, 64)
			row[w.Slot] = expr.Num(x)
		case w.Fold:
			row[w.Slot] = d.text(strings.ToLower(v))
		default:
			row[w.Slot] = d.text(v)
		}
	}
	return ok
}

func (d *docs) LoadAll(name string, set func(string, expr.Value)) bool {
	doc, ok := d.doc(name)
	for _, f := range slices.Sorted(mapKeys(doc)) {
		set(f, d.text(doc[f]))
	}
	return ok
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func testSchema(name string) (Field, bool) {
	f, ok := map[string]Field{
		"n": {Identifier: "n", Numeric: true}, "ns": {Identifier: "ns", Numeric: true, Sortable: true},
		"t": {Identifier: "t"}, "ts": {Identifier: "ts", Sortable: true, Fold: true},
	}[name]
	return f, ok
}

// runAll gives the rows as texts: name=value …
func runAll(t testing.TB, plan Plan, d *docs, o Options) (rows []string, total int, err error) {
	t.Helper()
	o.Schema, o.Source, o.Exact = testSchema, d, true
	p, err := New(plan, o)
	if err != nil {
		return nil, 0, err
	}
	p.Use(d, o.Stop)
	for {
		r, ok, err := p.Next()
		if err != nil {
			return rows, p.Total(), err
		}
		if !ok {
			return rows, p.Total(), nil
		}
		var s []string
		p.Each(r, func(name string, v *expr.Value) { s = append(s, name+"="+show(v)) })
		rows = append(rows, strings.Join(s, " "))
	}
}

func show(v *expr.Value) string {
	switch v.Kind() {
	case expr.Null:
		return "NULL"
	case expr.List:
		var l []string
		for i := range v.List() {
			l = append(l, show(&v.List()[i]))
		}
		return "[" + strings.Join(l, ",") + "]"
	case expr.Map:
		var l []string
		for i := range v.List() {
			l = append(l, show(&v.List()[i]))
		}
		return "{" + strings.Join(l, ",") + "}"
	}
	return v.String()
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	f := func(q float64, want string, values ...string) {
		t.Helper()
		d := &docs{}
		for _, v := range values {
			d.list = append(d.list, map[string]string{"n": v})
		}
		plan := Plan{Steps: []Step{{Group: &Group{Reduces: []Reduce{{"QUANTILE", []string{"n", fmt.Sprint(q)}, "q"}}}}}}
		rows, _, err := runAll(t, plan, d, Options{})
		if err != nil || len(rows) != 1 || rows[0] != "q="+want {
			t.Errorf("%v: %q %v, want %s", q, rows, err, want)
		}
	}
	var all []string
	for i := range 101 {
		all = append(all, strconv.Itoa(i))
	}
	f(0.95, "95", all...) // RediSearch's own test
	f(0.9, "90", all...)
	f(0.5, "50", all...)
	values := strings.Fields("880000 685000 590000 1200000 1170000 1145000 3950000 620000 758000 4850000 800000 340000 " +
		"530000 500000 540000 2500000 330000 525000 2500000 350000 590000 1250000 799000 1380000")
	f(0.95, "3950000", values...)
	f(0.9, "2500000", values...)
	f(0.8, "1380000", values...)
	f(0.7, "1170000", values...)
	f(0.6, "880000", values...)
	f(0.5, "758000", values...)
}

// A stream's quantile is off by at most a few hundredths of its length.
func TestQuantileOfAStream(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 50000
	for _, at := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
		q := &quantile{at: at, size: 500}
		p := &Pipeline{o: Options{Budget: DefaultBudget}}
		for _, i := range rng.Perm(n) {
			if err := q.add(p, &Row{Vals: []expr.Value{expr.Num(float64(i))}}); err != nil {
				t.Fatal(err)
			}
		}
		v := q.value()
		x, _ := v.Float()
		if math.Abs(x-at*n) > 0.04*n {
			t.Errorf("the %v quantile is %v", at, x)
		}
		if len(q.samples) > 5000 {
			t.Errorf("%d samples are kept", len(q.samples))
		}
	}
}

func TestCountDistinctish(t *testing.T) {
	t.Parallel()
	p := &Pipeline{o: Options{Budget: DefaultBudget}}
	for _, n := range []int{0, 1, 256, 257, 5000, 200000} {
		d := &distinctish{}
		for i := range 2 * n {
			if err := d.add(p, &Row{Vals: []expr.Value{expr.Num(float64(i % n))}}); err != nil {
				t.Fatal(err)
			}
		}
		v := d.value()
		if x, _ := v.Float(); math.Abs(x-float64(n)) > 0.05*float64(n) {
			t.Errorf("of %d: %v", n, x)
		}
	}
}

func TestRandomSampleIsEven(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	p := &Pipeline{o: Options{Budget: DefaultBudget, Random: rng.IntN}}
	hits := make([]int, 20)
	for range 5000 {
		s := &randomSample{most: 5}
		for i := range hits {
			if err := s.add(p, &Row{Vals: []expr.Value{expr.Num(float64(i))}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range s.list {
			x, _ := v.Float()
			hits[int(x)]++
		}
	}
	for i, n := range hits {
		if n < 1000 || n > 1500 {
			t.Errorf("%d was drawn %d times of 1250", i, n)
		}
	}
}

func TestTheBudgetEndsAQuery(t *testing.T) {
	t.Parallel()
	d := &docs{}
	for i := range 5000 {
		d.list = append(d.list, map[string]string{"t": strings.Repeat("x", 100) + strconv.Itoa(i)})
	}
	for name, plan := range map[string]Plan{
		"SORTBY":      {Steps: []Step{{Arrange: &Arrange{Keys: []SortKey{{Name: "t"}}, Limit: 5000}}}},
		"GROUPBY":     {Steps: []Step{{Group: &Group{By: []string{"t"}}}}},
		"TOLIST":      {Steps: []Step{{Group: &Group{Reduces: []Reduce{{"TOLIST", []string{"t"}, "l"}}}}}},
		"COLLECT":     {Steps: []Step{{Group: &Group{Reduces: []Reduce{{"COLLECT", []string{"FIELDS", "1", "@t"}, "l"}}}}}},
		"COUNT_DISTI": {Steps: []Step{{Group: &Group{Reduces: []Reduce{{"COUNT_DISTINCT", []string{"t"}, "l"}}}}}},
	} {
		d.at = 0
		_, _, err := runAll(t, plan, d, Options{Budget: 100_000})
		if e := (*Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Msg, "too much memory") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStopEndsAQueryEarly(t *testing.T) {
	t.Parallel()
	d := &docs{}
	for range 1000 {
		d.list = append(d.list, map[string]string{"n": "1"})
	}
	asked := 0
	o := Options{Stop: func() bool { asked++; return asked > 10 }}
	rows, _, err := runAll(t, Plan{Steps: []Step{{Group: &Group{Reduces: []Reduce{{"COUNT", nil, "c"}}}}}}, d, o)
	if err != nil || len(rows) != 1 || rows[0] != "c=175" {
		t.Fatal(rows, err)
	}
	// A row of very many groups is no way around it.
	long := strings.Repeat("a,", 1000)
	d = &docs{list: []map[string]string{{"t": long, "ts": long}}}
	for _, s := range []*string{&long} {
		*s = strings.Repeat("a,b,", 500)
	}
	for i := range 1000 {
		d.list[0]["t"] += strconv.Itoa(i) + ","
		d.list[0]["ts"] += strconv.Itoa(i) + ","
	}
	split := func(name string) Step { return Step{Apply: &Apply{"split(@" + name + ")", name}} }
	plan := Plan{Steps: []Step{{Load: &Load{Fields: []LoadField{{"t", "t"}, {"ts", "ts"}}}}, split("t"), split("ts"), {Group: &Group{By: []string{"t", "ts"}}}}}
	asked = 0
	rows, _, err = runAll(t, plan, d, o)
	if err != nil || len(rows) > 20000 {
		t.Fatal(len(rows), err)
	}
}

func TestADocumentThatHasGoneIsLeftOut(t *testing.T) {
	t.Parallel()
	d := &docs{list: []map[string]string{{"n": "1"}, {"n": "2"}, {"n": "3"}}, gone: map[string]bool{"1": true}}
	rows, total, err := runAll(t, Plan{Steps: []Step{{Load: &Load{Fields: []LoadField{{"n", "n"}}}}}}, d, Options{})
	if err != nil || total != 2 || !slices.Equal(rows, []string{"n=1", "n=3"}) {
		t.Fatal(rows, total, err)
	}
}

// brute evaluates a plan the slow way: whole tables from step to step, rows as
// maps, with its own arithmetic.
type brute struct {
	order []string // of the columns
	rows  []map[string]any
}

func (b *brute) column(name string) {
	if !slices.Contains(b.order, name) {
		b.order = append(b.order, name)
	}
}

func num(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case string:
		f, err := strconv.ParseFloat(x, 64)
		return f, err == nil
	}
	return 0, false
}

// less orders values of one kind; nil before all.
func cmpAny(a, b any) int {
	if x, ok := a.(float64); ok {
		if y, ok := b.(float64); ok {
			return int(expr2(x < y)*-1 + expr2(x > y))
		}
	}
	if a == nil || b == nil {
		return int(expr2(a != nil) - expr2(b != nil))
	}
	return strings.Compare(a.(string), b.(string))
}

func expr2(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func text(v any) string {
	switch x := v.(type) {
	case nil:
		return "NULL"
	case float64:
		return string(expr.AppendNumber(nil, x))
	case []any:
		var l []string
		for _, e := range x {
			l = append(l, text(e))
		}
		return "[" + strings.Join(l, ",") + "]"
	}
	return v.(string)
}

func (b *brute) String() string {
	var l []string
	for _, r := range b.rows {
		var s []string
		for _, c := range b.order {
			if v, ok := r[c]; ok {
				s = append(s, c+"="+text(v))
			}
		}
		l = append(l, strings.Join(s, " "))
	}
	return strings.Join(l, "\n")
}

var fraction = regexp.MustCompile(`-?[0-9]+\.[0-9]+(e-?[0-9]+)?`)

// rounded writes all numbers with fewer digits: the order of adding shows in the last ones.
func rounded(s string) string {
	return fraction.ReplaceAllStringFunc(s, func(n string) string {
		x, _ := strconv.ParseFloat(n, 64)
		return strconv.FormatFloat(math.Round(x*1e9)/1e9, 'g', 9, 64)
	})
}

// TestAgainstBruteForce runs random plans both ways.
func TestAgainstBruteForce(t *testing.T) {
	t.Parallel()
	rounds := 2000
	if testing.Short() {
		rounds = 500
	}
	for seed := range rounds {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		d := &docs{}
		b := &brute{}
		for range rng.IntN(40) {
			doc, row := map[string]string{}, map[string]any{}
			for _, f := range []string{"n", "ns", "t", "ts"} {
				if rng.IntN(5) == 0 {
					continue
				}
				if f[0] == 'n' {
					x := float64(rng.IntN(9)-4) / 2
					doc[f] = strconv.FormatFloat(x, 'g', -1, 64)
				} else {
					doc[f] = []string{"a", "B", "bb", "c"}[rng.IntN(4)]
				}
			}
			d.list, b.rows = append(d.list, doc), append(b.rows, row)
		}
		plan, steps := randomPlan(rng, d, b)
		rows, total, err := runAll(t, plan, d, Options{})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, steps)
		}
		if got, want := rounded(strings.Join(rows, "\n")), rounded(b.String()); got != want {
			t.Fatalf("seed %d:\n%s\n---- got\n%s\n---- want\n%s", seed, steps, got, want)
		}
		if total < len(rows) {
			t.Fatalf("seed %d: %d rows, total %d", seed, len(rows), total)
		}
	}
}

// randomPlan makes a plan, and applies each of its steps to b.
func randomPlan(rng *rand.Rand, d *docs, b *brute) (plan Plan, log string) {
	note := func(f string, args ...any) { log += fmt.Sprintf(f, args...) + "\n" }
	load := func(name, as string) {
		b.column(as)
		for i := range b.rows {
			v, ok := d.list[i][name]
			if !ok {
				delete(b.rows[i], as)
				continue
			}
			if b.rows[i][as] = any(v); name[0] == 'n' {
				b.rows[i][as], _ = num(v)
			}
		}
	}
	var l Load
	for _, f := range []string{"n", "ns", "t", "ts"} {
		as := f
		if rng.IntN(3) == 0 {
			as = "x" + f
		}
		l.Fields = append(l.Fields, LoadField{f, as})
		load(f, as)
	}
	plan.Steps = append(plan.Steps, Step{Load: &l})
	note("LOAD %v", l.Fields)
	for n := range 1 + rng.IntN(5) {
		if len(b.order) == 0 {
			break
		}
		col := b.order[rng.IntN(len(b.order))]
		switch rng.IntN(5) {
		case 0: // APPLY
			as := "a" + strconv.Itoa(n)
			plan.Steps = append(plan.Steps, Step{Apply: &Apply{"case(exists(@" + col + "), format('<%s>', @" + col + "), 'none')", as}})
			b.column(as)
			for _, r := range b.rows {
				r[as] = "none"
				if v, ok := r[col]; ok {
					if r[as] = "<" + text(v) + ">"; v == nil {
						r[as] = "<(null)>"
					} else if _, list := v.([]any); list {
						r[as] = "<>"
					}
				}
			}
			note("APPLY %s", col)
		case 1: // FILTER
			limit := float64(rng.IntN(5) - 2)
			plan.Steps = append(plan.Steps, Step{Filter: &Filter{fmt.Sprintf("exists(@%s) && @%s != %v", col, col, limit)}})
			b.rows = slices.DeleteFunc(b.rows, func(r map[string]any) bool {
				v, ok := r[col]
				x, isNum := num(v)
				return !ok || isNum && (x == limit || math.IsNaN(x)) // NaN is equal to all, as there
			})
			note("FILTER %s != %v", col, limit)
			d = nil // rows are not the documents any more
		case 2: // SORTBY
			if slices.ContainsFunc(plan.Steps, func(s Step) bool { return s.Arrange != nil }) {
				continue
			}
			a := &Arrange{}
			for range 1 + rng.IntN(2) {
				a.Keys = append(a.Keys, SortKey{b.order[rng.IntN(len(b.order))], rng.IntN(2) == 0})
			}
			a.Offset, a.Limit = rng.IntN(3), 1+rng.IntN(50)
			plan.Steps = append(plan.Steps, Step{Arrange: a})
			if a.Keys[len(a.Keys)-1].Desc {
				slices.Reverse(b.rows) // equal ones come the other way round
			}
			sort.SliceStable(b.rows, func(i, j int) bool {
				for _, k := range a.Keys {
					x, rankX := sortedBy(b.rows[i], k.Name)
					y, rankY := sortedBy(b.rows[j], k.Name)
					if rankX != rankY {
						return rankX < rankY
					}
					if rankX > 0 {
						continue
					}
					c := cmpAny(x, y)
					if k.Desc {
						c = -c
					}
					if c != 0 {
						return c < 0
					}
				}
				return false
			})
			b.rows = b.rows[min(a.Offset, len(b.rows)):]
			b.rows = b.rows[:min(a.Limit, len(b.rows))]
			note("SORTBY %v LIMIT %d %d", a.Keys, a.Offset, a.Limit)
		default: // GROUPBY
			other := b.order[rng.IntN(len(b.order))]
			g := &Group{By: []string{col}}
			for _, name := range []string{"COUNT", "SUM", "AVG", "MIN", "MAX", "COUNT_DISTINCT", "COUNT_DISTINCTISH", "TOLIST", "FIRST_VALUE", "STDDEV"} {
				r := Reduce{Name: name, Args: []string{"@" + other}, As: strings.ToLower(name) + strconv.Itoa(n)}
				if name == "COUNT" {
					r.Args = nil
				}
				g.Reduces = append(g.Reduces, r)
			}
			plan.Steps = append(plan.Steps, Step{Group: g})
			note("GROUPBY %s of %s", col, other)
			b.group(g, col, other)
		}
	}
	return plan, log
}

// same is equality of which NaN and lists are capable.
func same(a, b any) bool { return fmt.Sprintf("%T%v", a, a) == fmt.Sprintf("%T%v", b, b) }

// sortedBy is what a row is sorted by, and whether it stands behind the others.
func sortedBy(r map[string]any, name string) (any, int) {
	v, ok := r[name]
	if !ok {
		return nil, 2
	}
	if l, ok := v.([]any); ok {
		if len(l) == 0 {
			return nil, 0 // an empty list is before the others
		}
		v = l[0]
	}
	if x, ok := v.(float64); ok && math.IsNaN(x) {
		return nil, 1
	}
	return v, 0
}

func (b *brute) group(g *Group, col, other string) {
	type bucket struct {
		key  any
		rows []map[string]any
	}
	var buckets []*bucket
	for _, r := range b.rows {
		keys := []any{r[col]}
		if l, ok := r[col].([]any); ok {
			if keys = l; len(l) == 0 {
				keys = []any{nil}
			}
		}
		for _, k := range keys {
			i := slices.IndexFunc(buckets, func(b *bucket) bool { return same(b.key, k) })
			if i < 0 {
				i = len(buckets)
				buckets = append(buckets, &bucket{key: k})
			}
			buckets[i].rows = append(buckets[i].rows, r)
		}
	}
	b.order, b.rows = []string{col}, nil
	for _, r := range g.Reduces {
		b.order = append(b.order, r.As)
	}
	for _, k := range buckets {
		var nums, flat []float64
		var list, whole []any
		for _, r := range k.rows {
			v, ok := r[other]
			if !ok {
				continue
			}
			if x, ok := num(v); ok {
				nums, flat = append(nums, x), append(flat, x)
			}
			elems := []any{v}
			if l, ok := v.([]any); ok {
				elems = l
				for _, e := range l {
					if x, ok := num(e); ok {
						flat = append(flat, x)
					}
				}
			}
			for _, e := range elems {
				if !slices.ContainsFunc(list, func(x any) bool { return same(x, e) }) {
					list = append(list, e)
				}
			}
			if v != nil && !slices.ContainsFunc(whole, func(w any) bool { return same(w, v) }) {
				whole = append(whole, v)
			}
		}
		row := map[string]any{col: k.key}
		for _, r := range g.Reduces {
			var v any
			sum, least, most := 0.0, math.Inf(1), math.Inf(-1)
			for _, x := range nums {
				if sum += x; x < least {
					least = x
				}
				if x > most {
					most = x
				}
			}
			switch r.Name {
			case "COUNT":
				v = float64(len(k.rows))
			case "SUM":
				if v = sum; len(nums) == 0 {
					v = math.NaN()
				}
			case "AVG":
				v = sum / float64(len(nums))
			case "MIN":
				v = least
			case "MAX":
				v = most
			case "COUNT_DISTINCT", "COUNT_DISTINCTISH":
				v = float64(len(whole))
			case "TOLIST":
				if list == nil {
					list = []any{}
				}
				v = list
			case "FIRST_VALUE":
				v = k.rows[0][other]
			case "STDDEV":
				mean, dev := 0.0, 0.0 // by the same method, or later steps part by the last digit
				for i, x := range flat {
					before := x - mean
					mean += before / float64(i+1)
					dev += before * (x - mean)
				}
				if v = 0.0; len(flat) > 1 {
					v = math.Sqrt(dev / float64(len(flat)-1))
				}
			}
			row[r.As] = v
		}
		b.rows = append(b.rows, row)
	}
}
