package searchtest

import (
	"math"
	"slices"
	"strconv"

	"github.com/nearcache/nearcache/index/aggregate"
)

// reducer makes the value of a group's rows, which stand in the order they came in.
type reducer struct {
	as   string
	make func(l []line) any
}

func (g Generator) group(p *Pipeline) {
	of := &aggregate.Group{}
	for range g.IntN(3) {
		if x, ok := g.any(p, "ntl"); ok && !slices.Contains(of.By, x.name) {
			of.By = append(of.By, x.name)
		}
	}
	args := []string{"GROUPBY", strconv.Itoa(len(of.By))}
	for _, name := range of.By {
		args = append(args, "@"+name)
	}
	var after []prop
	for _, x := range p.props {
		if slices.Contains(of.By, x.name) {
			if x.kind == 'l' { // each element has a group
				x.kind = 't'
			}
			after = append(after, x)
		}
	}
	var l []reducer
	for range g.IntN(4) {
		r, kind, name, words := g.reducer(p)
		if r == nil {
			continue
		}
		as := p.name()
		l = append(l, reducer{as, r})
		of.Reduces = append(of.Reduces, aggregate.Reduce{Name: name, Args: words, As: as})
		args = append(args, "REDUCE", name, strconv.Itoa(len(words)))
		args = append(append(args, words...), "AS", as)
		if kind != 0 {
			after = append(after, prop{as, kind})
		}
	}
	by := of.By
	p.then(func(rows []line) []line {
		if failing(rows) {
			return []line{{failed: true}}
		}
		out := groups(rows, by, l)
		p.total = len(out)
		return out
	})
	p.step(aggregate.Step{Group: of}, args...)
	p.props, p.rows, p.arrange, p.filters, p.Total = after, false, nil, false, true
}

// groups makes one row of all that have the same values. A list stands for each of its elements, and NULL for what is missing.
func groups(rows []line, by []string, l []reducer) (out []line) {
	members := map[string][]line{}
	var order []string
	values := map[string]Row{}
	var put func(x line, at int, r Row, key string)
	put = func(x line, at int, r Row, key string) {
		if at == len(by) {
			if _, ok := values[key]; !ok {
				order, values[key] = append(order, key), r
			}
			members[key] = append(members[key], x)
			return
		}
		v, ok := x.Row[by[at]]
		each := []any{v}
		if list, is := v.([]any); is {
			each = list
		}
		if !ok || len(each) == 0 {
			each = []any{Null{}}
		}
		for _, e := range each {
			with := Row{by[at]: e}
			for k, v := range r {
				with[k] = v
			}
			put(x, at+1, with, key+same(e)+"\n")
		}
	}
	for _, x := range rows {
		put(x, 0, Row{}, "")
	}
	for _, key := range order {
		r := values[key]
		for _, reduce := range l {
			r[reduce.as] = reduce.make(members[key])
		}
		out = append(out, line{Row: r})
	}
	return out
}

// reducer draws REDUCE, and tells what kind of property it makes: 0, one that is not used any more.
func (g Generator) reducer(p *Pipeline) (of func([]line) any, kind byte, name string, args []string) {
	x, ok := g.any(p, "ntl")
	name = g.of("COUNT", "COUNT_DISTINCT", "COUNT_DISTINCTISH", "SUM", "AVG", "MIN", "MAX", "STDDEV", "QUANTILE", "TOLIST", "FIRST_VALUE", "FIRST_VALUE", "RANDOM_SAMPLE", "COLLECT")
	if name == "COUNT" {
		return func(l []line) any { return float64(len(l)) }, 'n', name, nil
	}
	if !ok {
		return nil, 0, "", nil
	}
	args = []string{"@" + x.name}
	numbers := func(l []line, each bool) (out []float64) {
		for _, r := range l {
			list := []any{r.Row[x.name]}
			if of, is := list[0].([]any); is && each {
				list = of
			}
			for _, v := range list {
				if n, ok := numeric(v); ok {
					out = append(out, n)
				}
			}
		}
		return out
	}
	sum := func(l []float64) (s float64) {
		for _, n := range l {
			s += n
		}
		return s
	}
	switch name {
	case "COUNT_DISTINCT", "COUNT_DISTINCTISH": // which is exact for as few
		return func(l []line) any {
			seen := map[string]bool{}
			for _, r := range l {
				if v, ok := r.Row[x.name]; ok && v != any(Null{}) {
					seen[same(v)] = true
				}
			}
			return float64(len(seen))
		}, 'n', name, args
	case "SUM", "AVG":
		return func(l []line) any {
			v := numbers(l, false)
			switch {
			case len(v) == 0:
				return math.NaN()
			case name == "AVG":
				return sum(v) / float64(len(v))
			}
			return sum(v)
		}, 'n', name, args
	case "MIN", "MAX":
		return func(l []line) any {
			best := math.Inf(1)
			if name == "MAX" {
				best = math.Inf(-1)
			}
			for _, n := range numbers(l, false) { // NaN is none
				if name == "MAX" && n > best || name == "MIN" && n < best {
					best = n
				}
			}
			return best
		}, 'n', name, args
	case "STDDEV":
		return func(l []line) any {
			v := numbers(l, true)
			if len(v) < 2 {
				return 0.0
			}
			mean, s := sum(v)/float64(len(v)), 0.0
			for _, n := range v {
				s += (n - mean) * (n - mean)
			}
			return math.Sqrt(s / float64(len(v)-1))
		}, 0, name, args
	case "QUANTILE":
		at := float64(g.IntN(21)) / 20
		return func(l []line) any {
			v := slices.DeleteFunc(numbers(l, true), math.IsNaN)
			if len(v) == 0 {
				return math.NaN()
			}
			slices.Sort(v)
			rank := math.Ceil(at * float64(len(v)))
			rank += math.Floor(rank / 100) // the error that it allows itself
			return v[min(max(int(rank), 1), len(v))-1]
		}, 0, name, append(args, strconv.FormatFloat(at, 'g', -1, 64))
	case "TOLIST":
		kind := byte('l')
		if x.kind == 'n' {
			kind = 0
		}
		return func(l []line) any {
			out, seen := []any{}, map[string]bool{}
			for _, r := range l {
				v, ok := r.Row[x.name]
				each := []any{v}
				if list, is := v.([]any); is {
					each = list
				}
				for _, e := range each {
					if ok && !seen[same(e)] {
						seen[same(e)] = true
						out = append(out, e)
					}
				}
			}
			return out
		}, kind, name, args
	case "RANDOM_SAMPLE":
		return func(l []line) any { // of more than there are
			out := []any{}
			for _, r := range l {
				if v, ok := r.Row[x.name]; ok {
					out = append(out, v)
				}
			}
			return out
		}, 0, name, append(args, "1000")
	case "FIRST_VALUE":
		return g.firstValue(p, x, args)
	}
	return g.collect(p)
}

func (g Generator) firstValue(p *Pipeline, x prop, args []string) (func([]line) any, byte, string, []string) {
	by, ok := g.any(p, "nt")
	desc := g.IntN(2) == 0
	if ok = ok && g.IntN(3) > 0; ok {
		if args = append(args, "BY", "@"+by.name); desc {
			args = append(args, "DESC")
		}
	}
	return func(l []line) any {
		best := l[0]
		for _, r := range l {
			if !ok {
				break
			}
			v, has := r.Row[by.name]
			old, had := best.Row[by.name]
			if !has || v == any(Null{}) {
				continue
			}
			if c := compare(v, old); !had || old == any(Null{}) || desc && c > 0 || !desc && c < 0 {
				best = r
			}
		}
		if v, ok := best.Row[x.name]; ok {
			return v
		}
		return Null{}
	}, x.kind, "FIRST_VALUE", args
}

func (g Generator) collect(p *Pipeline) (func([]line) any, byte, string, []string) {
	var fields []string
	var keys []sortKey
	args := []string{"FIELDS", ""}
	for range 1 + g.IntN(3) {
		if x, ok := g.any(p, "ntl"); ok && !slices.Contains(fields, x.name) {
			fields, args = append(fields, x.name), append(args, "@"+x.name)
		}
	}
	if fields == nil {
		return nil, 0, "", nil
	}
	args[1] = strconv.Itoa(len(fields))
	if x, ok := g.any(p, "nt"); ok && g.IntN(2) == 0 {
		keys = append(keys, sortKey{x.name, g.IntN(2) == 0})
		args = append(args, "SORTBY", "2", "@"+x.name, map[bool]string{true: "DESC", false: "ASC"}[keys[0].desc])
	}
	skip, most := 0, math.MaxInt
	if g.IntN(3) == 0 {
		skip, most = g.IntN(3), 1+g.IntN(4)
		args = append(args, "LIMIT", strconv.Itoa(skip), strconv.Itoa(most))
	}
	return func(l []line) any {
		l = slices.Clone(l)
		sortRows(l, keys, func(x line) Row { return x.Row })
		l = l[min(skip, len(l)):]
		out := []any{}
		for _, x := range l[:min(most, len(l))] {
			r := Row{}
			for _, f := range fields {
				if v, ok := x.Row[f]; ok {
					r[f] = v
				}
			}
			out = append(out, r)
		}
		return out
	}, 0, "COLLECT", args
}
