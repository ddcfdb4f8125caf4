package load

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/resp/client"
)

// material is what commands are made of. It is read only while a window runs.
type material struct {
	keys    int
	sizes   *sizes
	pool    []byte // values are cut out of it
	docs    *datasets.Embedded
	docRows []int // rows that are stored
	knn     [][]byte
	ranges  [][]byte
}

const poolSize = 1 << 16

// newMaterial makes random values, which do not compress.
func newMaterial(keys int, z *sizes, seed uint64) *material {
	m := &material{keys: keys, sizes: z, pool: make([]byte, poolSize+z.most)}
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = rng.Read(m.pool) // never fails
	return m
}

// withVectors adds the embeddings: the test questions of Banking77 are the
// queries, all other rows are stored.
func (m *material) withVectors() error {
	man, err := datasets.Open("")
	if err != nil {
		return err
	}
	if m.docs, err = man.MiniLM(); err != nil {
		return err
	}
	questions, err := man.Banking77()
	if err != nil {
		return err
	}
	for i := range m.docs.Rows {
		if i >= len(questions) || questions[i].Split != "test" {
			m.docRows = append(m.docRows, i)
			continue
		}
		v := vectorBytes(m.docs.Row(i))
		m.knn = append(m.knn, knnCommand(v))
		m.ranges = append(m.ranges, rangeCommand(v))
	}
	return nil
}

func (m *material) value(s *source) []byte {
	at := int(s.below(poolSize))
	return m.pool[at : at+m.sizes.draw(s)]
}

func vectorBytes(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// fill stores what a command needs. It calls flush after each command it adds,
// with the number of commands from which on a pipeline is worth sending.
type fill func(p *client.Pipeline, m *material, flush func(atLeast int) error) error

// fillPeer empties the server and stores what w needs. It returns the number
// of commands and the time they took.
func fillPeer(p *peer.Server, w *workload, m *material) (int, time.Duration, error) {
	// Only servers with search know the first; it fails where there is no index.
	_, err := p.Ctl.Do("FT.DROPINDEX", "bench")
	if err != nil && !errors.As(err, new(client.Error)) {
		return 0, 0, err
	}
	if _, err := p.Ctl.Do("FLUSHALL"); err != nil {
		return 0, 0, err
	}
	pipe := p.Ctl.Pipeline()
	n := 0
	start := time.Now()
	for _, f := range w.fills() {
		err = f(pipe, m, func(atLeast int) error {
			if pipe.Len() < atLeast {
				return nil
			}
			replies, err := pipe.Run()
			if err != nil {
				return err
			}
			n += len(replies)
			for _, v := range replies {
				if err := v.Err(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			break
		}
	}
	return n, time.Since(start), err
}

func fillStrings(p *client.Pipeline, m *material, flush func(int) error) error {
	s := source{}
	for i := range m.keys {
		p.Add("SET", keyName("key:", i), m.value(&s))
		if err := flush(500); err != nil {
			return err
		}
	}
	return flush(1)
}

func fillHashes(p *client.Pipeline, m *material, flush func(int) error) error {
	s := source{}
	args := make([]any, 2+2*elements)
	args[0] = "HSET"
	for i := range m.keys {
		args[1] = keyName("hash", i)
		for f := range elements {
			args[2+2*f] = "field" + strconv.Itoa(f)
			args[3+2*f] = m.value(&s)
		}
		p.Add(args...)
		if err := flush(100); err != nil {
			return err
		}
	}
	return flush(1)
}

// fillElements stores collections of ten members by one command each.
func fillElements(name, letters string, member func(i int) []any) fill {
	return func(p *client.Pipeline, m *material, flush func(int) error) error {
		args := []any{name, nil}
		for e := range elements {
			args = append(args, member(e)...)
		}
		for i := range m.keys {
			args[1] = keyName(letters, i)
			p.Add(args...)
			if err := flush(100); err != nil {
				return err
			}
		}
		return flush(1)
	}
}

func element(i int) string { return "member" + strconv.Itoa(i) }

var (
	fillLists = fillElements("RPUSH", "list", func(i int) []any { return []any{element(i)} })
	fillSets  = fillElements("SADD", "set:", func(i int) []any { return []any{element(i)} })
	fillZsets = fillElements("ZADD", "zset", func(i int) []any { return []any{i, element(i)} })
)

func fillNothing(*client.Pipeline, *material, func(int) error) error { return nil }

func fillVectors(algorithm, n string, more ...string) fill {
	return func(p *client.Pipeline, m *material, flush func(int) error) error {
		args := []any{
			"FT.CREATE", "bench", "ON", "HASH", "PREFIX", "1", "doc:", "SCHEMA",
			"e", "VECTOR", algorithm, n, "TYPE", "FLOAT32", "DIM", m.docs.Dim, "DISTANCE_METRIC", "COSINE",
		}
		for _, a := range more {
			args = append(args, a)
		}
		p.Add(args...)
		if err := flush(1); err != nil {
			return err
		}
		for _, row := range m.docRows {
			p.Add("HSET", keyName("doc:", row), "text", m.docs.Texts[row], "e", m.docs.Row(row))
			if err := flush(100); err != nil {
				return err
			}
		}
		return flush(1)
	}
}

const (
	knnQuery = iota
	rangeQuery
)

func appendQuery(kind int) func([]byte, *source, *material, uint64) []byte {
	return func(b []byte, s *source, m *material, _ uint64) []byte {
		q := m.knn
		if kind == rangeQuery {
			q = m.ranges
		}
		return append(b, q[s.below(uint64(len(q)))]...)
	}
}

func knnCommand(v []byte) []byte {
	return mustCommand("FT.SEARCH", "bench", "*=>[KNN 10 @e $v AS d]", "RETURN", "1", "d", "SORTBY", "d", "ASC",
		"DIALECT", "2", "LIMIT", "0", "10", "PARAMS", "2", "v", v)
}

func rangeCommand(v []byte) []byte {
	return mustCommand("FT.SEARCH", "bench", "@e:[VECTOR_RANGE $r $v]=>{$YIELD_DISTANCE_AS: d}", "RETURN", "2", "text", "d",
		"SORTBY", "d", "ASC", "DIALECT", "2", "LIMIT", "0", "1", "PARAMS", "4", "v", v, "r", "0.2")
}

func mustCommand(args ...any) []byte {
	b, err := client.AppendCommand(nil, args...)
	if err != nil {
		panic(err) // a literal above is wrong
	}
	return b
}
