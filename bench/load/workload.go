package load

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// workload is one test: a command, or several in proportions.
type workload struct {
	name   string
	ops    []*op
	shares []uint64 // of all up to and with this one, of 2^32
	search bool
}

// mixes are tests that have a name of their own.
var mixes = map[string]string{"get-set": "get:9+set:1"}

// parseWorkload reads the name of a command, or a mix of them: get:8+set:1+expire:1.
func parseWorkload(name string) (*workload, error) {
	spec := name
	if m, ok := mixes[name]; ok {
		spec = m
	}
	w := &workload{name: name}
	var parts []float64
	total := 0.0
	for f := range strings.SplitSeq(spec, "+") {
		n, share, ok := strings.Cut(f, ":")
		part := 1.0
		if ok {
			var err error
			if part, err = strconv.ParseFloat(share, 64); err != nil || !(part > 0 && part < 1e9) {
				return nil, fmt.Errorf("test %q: share %q", name, share)
			}
		}
		o := opNamed(n)
		if o == nil {
			return nil, fmt.Errorf("no test %q; there are %s, and mixes like get:8+set:1+expire:1", n, testNames())
		}
		w.ops = append(w.ops, o)
		w.search = w.search || o.search
		parts = append(parts, part)
		total += part
	}
	if w.search && len(w.ops) > 1 {
		return nil, fmt.Errorf("test %q: searches are not mixed with others", name)
	}
	sum := 0.0
	for _, p := range parts {
		sum += p
		w.shares = append(w.shares, uint64(sum/total*(1<<32)))
	}
	w.shares[len(w.shares)-1] = 1 << 32
	return w, nil
}

func opNamed(name string) *op {
	for _, o := range ops {
		if o.name == name {
			return o
		}
	}
	return nil
}

func testNames() string {
	names := make([]string, len(ops))
	for i, o := range ops {
		names[i] = o.name
	}
	return strings.Join(append(names, "get-set"), ", ")
}

func (w *workload) pick(s *source) *op {
	if len(w.ops) == 1 {
		return w.ops[0]
	}
	r := s.random() >> 32
	for i, share := range w.shares {
		if r < share {
			return w.ops[i]
		}
	}
	return w.ops[len(w.ops)-1]
}

// fills are what its commands need, each once.
func (w *workload) fills() (l []fill) {
	seen := map[uintptr]bool{}
	for _, o := range w.ops {
		at := reflect.ValueOf(o.fill).Pointer()
		if !seen[at] || o.search {
			l = append(l, o.fill)
		}
		seen[at] = true
	}
	return l
}
