package search

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/resp/client"
)

// corpus is the documents and what is asked of them: the last texts of the set,
// which are not loaded.
type corpus struct {
	texts   []string
	vectors *datasets.Embedded
	docs    int // the first ones
	words   []string
}

const groups = 100 // tags, each of one document in a hundred

func newCorpus(docs, queries int) (*corpus, error) {
	m, err := datasets.Open("")
	if err != nil {
		return nil, err
	}
	e, err := m.MiniLM()
	if err != nil {
		return nil, err
	}
	c := &corpus{texts: e.Texts, vectors: e, docs: min(docs, len(e.Texts)-queries)}
	if c.docs < 1 {
		return nil, fmt.Errorf("%d queries of %d texts", queries, len(e.Texts))
	}
	seen := map[string]int{}
	for _, t := range c.texts[:c.docs] {
		for _, w := range strings.FieldsFunc(strings.ToLower(t), func(r rune) bool { return r < 'a' || r > 'z' }) {
			if len(w) > 3 {
				if seen[w]++; seen[w] == 20 { // neither in all nor in few
					c.words = append(c.words, w)
				}
			}
		}
	}
	return c, nil
}

// query is the place of a query's text.
func (c *corpus) query(i int) int { return c.docs + i%(len(c.texts)-c.docs) }

func (c *corpus) group(i int) string { return "g" + strconv.Itoa(i%groups) }
func (c *corpus) number(i int) int   { return i * 7919 % 10000 }

// create makes the index and loads the documents. It returns the time until all
// of them are indexed.
func (c *corpus) create(p *peer.Server) (time.Duration, error) {
	_, err := p.Ctl.Do("FT.CREATE", "idx", "PREFIX", "1", "d:", "SCHEMA", "text", "TEXT", "group", "TAG", "number", "NUMERIC", "SORTABLE",
		"v", "VECTOR", "HNSW", "6", "TYPE", "FLOAT32", "DIM", c.vectors.Dim, "DISTANCE_METRIC", "COSINE")
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := c.load(p.Ctl, "d:", c.docs); err != nil {
		return 0, err
	}
	return time.Since(begun), indexed(p.Ctl, "idx", c.docs)
}

// batch is how many writes are sent together.
const batch = 256

// load writes n documents.
func (c *corpus) load(conn *client.Conn, prefix string, n int) error {
	return pipelined(conn, n, func(p *client.Pipeline, i int) {
		p.Add("HSET", prefix+strconv.Itoa(i), "text", c.texts[i], "group", c.group(i), "number", c.number(i), "v", c.vectors.Row(i))
	})
}

// loadMore writes n documents with the texts again, each with a vector of its own: between two of the set's.
func (c *corpus) loadMore(conn *client.Conn, prefix string, n int) error {
	rng := rand.New(rand.NewPCG(3, 4))
	v := make([]float32, c.vectors.Dim)
	return pipelined(conn, n, func(p *client.Pipeline, i int) {
		k, share := i%c.docs, rng.Float32()
		other := c.vectors.Row(rng.IntN(c.docs))
		for d, x := range c.vectors.Row(k) {
			v[d] = x + share*other[d]
		}
		p.Add("HSET", prefix+strconv.Itoa(i), "text", c.texts[k], "group", c.group(k), "number", c.number(k), "v", v)
	})
}

func pipelined(conn *client.Conn, n int, add func(p *client.Pipeline, i int)) error {
	p := conn.Pipeline()
	for i := range n {
		add(p, i)
		if p.Len() < batch && i < n-1 {
			continue
		}
		var failed error
		err := p.Each(func(_ int, v client.Value) {
			if err := v.Err(); err != nil {
				failed = err
			}
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	return nil
}

// indexed waits until a search sees n documents.
func indexed(conn *client.Conn, index string, n int) error {
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		v, err := conn.Do("FT.SEARCH", index, "*", "LIMIT", "0", "0")
		if err != nil {
			return err
		}
		if len(v.Elems) == 1 && v.Elems[0].Int == int64(n) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: %d documents are not indexed", index, n)
		}
	}
}

// createWide makes an index of n documents with a number and tags alone. It returns the time until all
// of them are indexed.
func createWide(p *peer.Server, n int) (time.Duration, error) {
	if _, err := p.Ctl.Do("FT.CREATE", "wide", "PREFIX", "1", "w:", "SCHEMA", "number", "NUMERIC", "many", "TAG", "few", "TAG"); err != nil {
		return 0, err
	}
	begun := time.Now()
	rng := rand.New(rand.NewPCG(1, 2))
	err := pipelined(p.Ctl, n, func(pl *client.Pipeline, i int) {
		pl.Add("HSET", "w:"+strconv.Itoa(i), "number", rng.IntN(wideNumbers), "many", "m"+strconv.Itoa(rng.IntN(wideTags)), "few", "f"+strconv.Itoa(rng.IntN(4)))
	})
	if err == nil {
		err = indexed(p.Ctl, "wide", n)
	}
	return time.Since(begun), err
}

const (
	wideNumbers = 1_000_000
	wideTags    = 10_000
)
