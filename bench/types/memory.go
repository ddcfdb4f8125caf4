package types

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/bench/peer"
)

// memoryCase is many values of a kind.
type memoryCase struct {
	name     string
	keys     int
	elements int // of each
	word     string
	args     func(i int) []string
}

// Elements of about ten bytes, as they often are.
var memoryCases = []memoryCase{
	{"list, 10 elements", 50_000, 10, "RPUSH", member},
	{"list, 100k elements", 10, large, "RPUSH", member},
	{"list, 100k integers", 10, large, "RPUSH", number},
	{"set, 10 members", 50_000, 10, "SADD", member},
	{"set, 100 members", 5000, 100, "SADD", member},
	{"set, 1000 members", 500, 1000, "SADD", member},
	{"set, 100k members", 10, large, "SADD", member},
	{"set, 10 integers", 50_000, 10, "SADD", number},
	{"set, 500 integers", 1000, 500, "SADD", number},
	{"set, 100k integers", 10, large, "SADD", number},
	{"hash, 10 fields", 50_000, 10, "HSET", field},
	{"hash, 100 fields", 5000, 100, "HSET", field},
	{"hash, 1000 fields", 500, 1000, "HSET", field},
	{"hash, 100k fields", 10, large, "HSET", field},
	{"sorted set, 10 members", 50_000, 10, "ZADD", scored},
	{"sorted set, 100 members", 5000, 100, "ZADD", scored},
	{"sorted set, 100k members", 10, large, "ZADD", scored},
}

type memoryRow struct {
	Name string    `json:"name"`
	Used []float64 `json:"used"` // bytes an element, as the server says
	RSS  []float64 `json:"rss"`  // the same of its process
}

func (o *options) memory(ctx context.Context, specs []peer.Spec, at *peer.Place, progress io.Writer) ([]memoryRow, error) {
	var rows []memoryRow
	for _, c := range memoryCases {
		if !o.match.MatchString(c.name) {
			continue
		}
		row := memoryRow{Name: c.name}
		for _, spec := range specs {
			used, rss, err := c.measure(ctx, spec, at)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			row.Used, row.RSS = append(row.Used, used), append(row.RSS, rss)
		}
		fmt.Fprintf(progress, "%-30s %.1f\n", c.name, row.Used)
		rows = append(rows, row)
	}
	return rows, nil
}

// measure starts a server for the case alone, where the spec says how.
func (c memoryCase) measure(ctx context.Context, spec peer.Spec, at *peer.Place) (used, rss float64, err error) {
	s, err := at.Open(ctx, spec)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	nc, err := dial(s.Addr)
	if err != nil {
		return 0, 0, err
	}
	defer nc.nc.Close()
	r := runner{costCase: costCase{}, c: nc}
	if err := r.prepare(); err != nil { // flushes
		return 0, 0, err
	}
	memory := func() (int64, int64) {
		n, _ := strconv.ParseInt(s.Info()["used_memory"], 10, 64)
		return n, s.RSS()
	}
	used0, rss0 := memory()
	for k := range c.keys {
		f := fill{c.word, "key:" + strconv.Itoa(k), c.elements, c.args}
		n := 0
		f.each(func(words ...string) { nc.add(words...); n++ })
		if err := nc.flush(n); err != nil {
			return 0, 0, err
		}
	}
	used1, rss1 := memory()
	n := float64(c.keys * c.elements)
	return float64(used1-used0) / n, float64(rss1-rss0) / n, nil
}

func (r *report) writeMemory(w io.Writer) {
	head(w, "values", r.Servers)
	for _, row := range r.Memory {
		cells := make([]string, len(row.Used))
		for i := range cells {
			cells[i] = fmt.Sprintf("%.1f (%.1f)", row.Used[i], row.RSS[i])
		}
		fmt.Fprintf(w, "| %s | %s |\n", row.Name, strings.Join(cells, " | "))
	}
}
