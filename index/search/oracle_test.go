package search_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/kinds"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/index/search/searchtest"
)

// Random schemas, documents and queries must give the matches, scores, orders and
// pages of [searchtest.Oracle]:
//
//	NEARCACHE_ORACLE=100000 NEARCACHE_SEED=7 go test ./index/search -run Oracle -timeout 1h
//
// asks that many instead of the few of every run, and others for another seed.

func newOracle(t *testing.T, schema string) (*search.Index, *searchtest.Oracle) {
	t.Helper()
	var args [][]byte
	for _, s := range strings.Fields(schema) {
		args = append(args, []byte(s))
	}
	s, err := search.ParseSchema(args)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := search.New(s, kinds.All)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	})
	return ix, searchtest.New(ix.Schema())
}

func put(ix *search.Index, name string, version uint64, expireAt int64, d searchtest.Doc) error {
	return ix.PutValues(name, version, expireAt, search.Extra{}, func(i int) (search.Value, bool) {
		return d.Value(&ix.Schema().Fields[i])
	})
}

func TestOracle(t *testing.T) {
	const seeds = 3
	n := searchtest.Queries(2400) / seeds
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			g := searchtest.NewGenerator(searchtest.Seed()*seeds+uint64(seed), 8)
			for done := 0; done < n; done += 100 {
				testOracle(t, g, min(100, n-done), seed > 0)
				if t.Failed() {
					return
				}
			}
		})
	}
}

func testOracle(t *testing.T, g searchtest.Generator, queries int, several bool) {
	ix, o := newOracle(t, g.Schema(false))
	version := uint64(0)
	versions := map[string]uint64{}
	expires := map[string]int64{}
	now := int64(1000)
	for range queries {
		now += int64(g.IntN(2))
		for range g.IntN(4) {
			name := fmt.Sprint("k", g.IntN(60))
			version++
			if g.IntN(5) == 0 {
				ix.Delete(name, version)
				delete(o.Docs, name)
				continue
			}
			d := g.Doc(several)
			if old := o.Docs[name]; old != nil && g.IntN(2) == 0 { // keep the vector
				delete(d, "v")
				if v, ok := old["v"]; ok {
					d["v"] = v
				}
			}
			expires[name] = 0
			if g.IntN(3) == 0 {
				expires[name] = now + int64(g.IntN(9))
			}
			if err := put(ix, name, version, expires[name], d); err != nil {
				t.Fatal(err)
			}
			o.Docs[name], versions[name] = d, version
			if g.IntN(6) == 0 { // EXPIRE, PERSIST
				version++
				expires[name] = (now + int64(g.IntN(5))) * int64(g.IntN(2))
				if !ix.Expire(name, version, expires[name]) {
					t.Fatalf("%s is not known", name)
				}
			}
		}
		if g.IntN(20) == 0 {
			group, words := fmt.Sprint(g.IntN(3)), []string{g.Word(), g.Word()}
			ix.AddSynonyms(group, words)
			o.Synonyms[group] = append(o.Synonyms[group], words...)
		}
		o.Count()
		vectors := g.IntN(4) == 0
		text := g.Query(o.Schema, g.IntN(4), vectors)
		params := g.Params()
		k := 0
		if g.IntN(5) == 0 {
			k = 1 + g.IntN(15)
			text = fmt.Sprintf("(%s)=>[KNN %d @v $b AS d]", text, k)
		}
		q, err := query.Parse([]byte(text), query.Options{Params: params, StopWord: ix.Schema().StopWord})
		if err != nil {
			t.Fatal(text, err)
		}
		score := map[string]float64{}
		var want []string
		options := search.Options{Num: -1, WithScores: true, Now: now}
		passes := narrow(g, o, &options)
		for name, d := range o.Docs {
			if q.Root == nil {
				break
			}
			if at := expires[name]; at > 0 && at <= now || !passes(name) {
				continue
			}
			w, ok := o.Match(q.Root, name)
			if _, has := d["v"]; ok && (k == 0 || has) {
				want, score[name] = append(want, name), w
			}
		}
		o := checkOrder{Oracle: o, score: score, versions: versions, q: q, options: options}
		if k == 0 {
			o.options.SortBy = []string{"", "", "n0", "n1", "g1", "__key"}[g.IntN(6)]
			o.options.Desc = o.options.SortBy != "" && g.IntN(2) == 0
		}
		if g.IntN(2) == 0 {
			o.options.Offset, o.options.Num = g.IntN(10), 1+g.IntN(12)
		}
		o.options.Load = func(doc, id string) ([]byte, bool) {
			f := slices.IndexFunc(o.Schema.Fields, func(f search.Field) bool { return f.Identifier == id })
			v, ok := o.Docs[doc].Value(&o.Schema.Fields[f])
			return v.Data, ok
		}
		res, err := ix.Search(q, o.options)
		if err != nil {
			t.Fatal(text, err)
		}
		if err := o.check(res, want, k); err != nil {
			t.Fatalf("%s %+v\nof %d documents: %v", text, o.options, len(o.Docs), err)
		}
		res.Release()
	}
}

// narrow draws what options add to a query, and returns which documents pass those.
func narrow(g searchtest.Generator, o *searchtest.Oracle, to *search.Options) func(name string) bool {
	o.InFields, o.Verbatim = nil, false
	var nodes []*query.Node
	switch g.IntN(12) {
	case 0:
		to.Verbatim, o.Verbatim = true, true
	case 1:
		o.InFields = []string{"t0", "t1"}[g.IntN(2):][:1]
		to.InFields = o.InFields
	case 2:
		to.HasInKeys = true
		for range g.IntN(40) {
			to.InKeys = append(to.InKeys, fmt.Sprint("k", g.IntN(60)))
		}
	case 3:
		f := search.NumericFilter{Field: "n0", Min: float64(g.IntN(6)), Max: float64(6 + g.IntN(6)), MinExcl: g.IntN(2) == 0, MaxExcl: g.IntN(2) == 0}
		to.Filters = []search.NumericFilter{f}
		nodes = append(nodes, &query.Node{Kind: query.Numeric, Field: "n0", Min: f.Min, Max: f.Max, MinExcl: f.MinExcl, MaxExcl: f.MaxExcl})
	case 4:
		f := search.GeoFilter{Field: "loc", Lon: g.Float64() * 4, Lat: g.Float64() * 4, Radius: float64(1 + g.IntN(300)), Unit: "km"}
		to.Around = []search.GeoFilter{f}
		nodes = append(nodes, &query.Node{Kind: query.Geo, Field: "loc", Lon: f.Lon, Lat: f.Lat, Radius: f.Radius, Unit: "km"})
	}
	return func(name string) bool {
		for _, n := range nodes {
			if _, ok := o.Match(n, name); !ok {
				return false
			}
		}
		return !to.HasInKeys || slices.Contains(to.InKeys, name)
	}
}

// checkOrder compares a result with what the oracle found.
type checkOrder struct {
	*searchtest.Oracle
	score    map[string]float64
	versions map[string]uint64
	q        *query.Query
	options  search.Options
}

func (o *checkOrder) check(res *search.Result, want []string, k int) error {
	dist := func(name string) float64 { return searchtest.Nearest(o.Docs[name]["v"], o.q.KNN.Blob) }
	less := func(a, b string) int {
		c := 0
		key := func(field string) (string, string, bool, bool) {
			x, okX := o.Docs[a].Value(o.Schema.Field(field))
			y, okY := o.Docs[b].Value(o.Schema.Field(field))
			return string(x.Data), string(y.Data), okX, okY
		}
		switch o.options.SortBy {
		case "__key":
			c = cmp.Compare(a, b)
		case "n0", "n1", "g1":
			x, y, okX, okY := key(o.options.SortBy)
			switch {
			case okX != okY && okX:
				return -1
			case okX != okY:
				return 1
			case !okX:
			case o.options.SortBy != "g1":
				p, _ := strconv.ParseFloat(x, 64)
				q, _ := strconv.ParseFloat(y, 64)
				c = cmp.Compare(p, q)
			default:
				if f := o.Schema.Field("g1"); !f.UNF {
					x, y = strings.ToLower(x), strings.ToLower(y)
				}
				c = cmp.Compare(x, y)
			}
		default:
			if k > 0 {
				c = cmp.Compare(dist(a), dist(b))
			} else if d := o.score[a] - o.score[b]; math.Abs(d) > 1e-9 {
				c = -cmp.Compare(d, 0)
			}
		}
		if c == 0 {
			c = cmp.Compare(o.versions[a], o.versions[b])
		}
		if o.options.Desc {
			c = -c
		}
		return c
	}
	slices.SortFunc(want, less)
	if k > 0 {
		want = want[:min(k, len(want))]
	}
	if res.Total != len(want) {
		var got []string
		for _, r := range res.Rows {
			got = append(got, r.Name)
		}
		return fmt.Errorf("total %d, want %d: %v, want %v", res.Total, len(want), got, want)
	}
	page := want[min(o.options.Offset, len(want)):]
	if o.options.Num >= 0 {
		page = page[:min(o.options.Num, len(page))]
	}
	if len(page) != len(res.Rows) {
		return fmt.Errorf("%d rows, want %d", len(res.Rows), len(page))
	}
	for i, r := range res.Rows {
		if _, ok := o.score[r.Name]; !ok {
			return fmt.Errorf("row %d: %s does not match", i, r.Name)
		}
		if math.Abs(r.Score-o.score[r.Name]) > 1e-9 {
			return fmt.Errorf("row %d: %s scores %v, want %v", i, r.Name, r.Score, o.score[r.Name])
		}
		if k > 0 {
			if d, ok := res.Distance(i, 0); !ok || d != dist(r.Name) {
				return fmt.Errorf("row %d: %s is %v away, want %v", i, r.Name, d, dist(r.Name))
			}
		}
		// Of equal distance any may be among the k; of scores that differ only in
		// the order of a sum, either may come first.
		if r.Name != page[i] && !(k > 0 && dist(r.Name) == dist(page[i])) && !(o.options.SortBy == "" && k == 0 && math.Abs(o.score[r.Name]-o.score[page[i]]) < 1e-9) {
			return fmt.Errorf("row %d is %s, want %s", i, r.Name, page[i])
		}
	}
	return nil
}
