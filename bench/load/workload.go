package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/resp/client"
	"github.com/tidwall/redcon"
)

// workload is one test: what a server is filled with and what it is asked.
type workload struct {
	name    string
	summary string
	replies string // first bytes of the replies that are right
	fill    func(p *client.Pipeline, m *material, flush func(atLeast int) error) error
	next    func(b []byte, s *source, m *material) []byte
	missed  func(reply []byte) bool // a right reply that found nothing
	search  bool                    // on the vectors of datasets; run without pipelining
}

func (w *workload) expects(first byte) bool {
	for i := range len(w.replies) {
		if w.replies[i] == first {
			return true
		}
	}
	return false
}

// workloads are the tests by name.
var workloads = []*workload{
	{
		name: "get", summary: "GET of keys that exist", replies: "$_",
		fill: fillStrings, next: appendGet, missed: nullReply,
	},
	{
		name: "set", summary: "SET", replies: "+",
		fill: fillStrings, next: appendSet,
	},
	{
		name: "get-set", summary: "GET and SET, 9 to 1", replies: "$_+",
		fill: fillStrings, missed: nullReply,
		next: func(b []byte, s *source, m *material) []byte {
			if s.below(10) == 0 {
				return appendSet(b, s, m)
			}
			return appendGet(b, s, m)
		},
	},
	{
		name: "hset", summary: "HSET of one of ten fields", replies: ":",
		fill: fillHashes,
		next: func(b []byte, s *source, m *material) []byte {
			b = append(b, "*4\r\n$4\r\nHSET\r\n$16\r\n"...)
			b = appendKey(b, "hash", s.key())
			b = append(b, "$6\r\nfield"...)
			b = append(b, '0'+byte(s.below(hashFields)), '\r', '\n')
			return redcon.AppendBulk(b, m.value(s))
		},
	},
	{
		name: "hgetall", summary: "HGETALL of hashes with ten fields", replies: "*%",
		fill: fillHashes,
		next: func(b []byte, s *source, m *material) []byte {
			b = append(b, "*2\r\n$7\r\nHGETALL\r\n$16\r\n"...)
			return appendKey(b, "hash", s.key())
		},
		missed: func(reply []byte) bool { return len(reply) < 8 },
	},
	{
		name: "knn-hnsw", summary: "FT.SEARCH KNN 10 on an HNSW index of MiniLM embeddings", replies: "*%",
		fill: fillVectors("HNSW", "10", "M", "16", "EF_CONSTRUCTION", "200"), next: appendQuery(knnQuery), missed: emptySearch, search: true,
	},
	{
		name: "knn-flat", summary: "FT.SEARCH KNN 10 on a FLAT index of MiniLM embeddings", replies: "*%",
		fill: fillVectors("FLAT", "6"), next: appendQuery(knnQuery), missed: emptySearch, search: true,
	},
	{
		name: "range-flat", summary: "FT.SEARCH VECTOR_RANGE 0.2 LIMIT 0 1 on a FLAT index, as RedisVL's SemanticCache asks", replies: "*%",
		fill: fillVectors("FLAT", "6"), next: appendQuery(rangeQuery), missed: emptySearch, search: true,
	},
}

func workloadNamed(name string) (*workload, error) {
	for _, w := range workloads {
		if w.name == name {
			return w, nil
		}
	}
	return nil, fmt.Errorf("no test %q", name)
}

const hashFields = 10

// material is what commands are made of. It is read only while a window runs.
type material struct {
	keys      int
	valueSize int
	pool      []byte // values are cut out of it
	docs      *datasets.Embedded
	docRows   []int // rows that are stored
	knn       [][]byte
	ranges    [][]byte
}

const poolSize = 1 << 16

// newMaterial makes random values, which do not compress.
func newMaterial(keys, valueSize int, seed uint64) *material {
	m := &material{keys: keys, valueSize: valueSize, pool: make([]byte, poolSize+valueSize)}
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
	return m.pool[at : at+m.valueSize]
}

func vectorBytes(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// appendKey appends the name as a bulk of 16 bytes, its header excepted: four
// letters and twelve digits.
func appendKey(b []byte, letters string, n uint64) []byte {
	b = append(b, letters...)
	at := len(b)
	b = append(b, "000000000000\r\n"...)
	for i := at + 11; n > 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
	return b
}

func keyName(letters string, n int) string { return fmt.Sprintf("%s%012d", letters, n) }

func appendGet(b []byte, s *source, _ *material) []byte {
	b = append(b, "*2\r\n$3\r\nGET\r\n$16\r\n"...)
	return appendKey(b, "key:", s.key())
}

func appendSet(b []byte, s *source, m *material) []byte {
	b = append(b, "*3\r\n$3\r\nSET\r\n$16\r\n"...)
	b = appendKey(b, "key:", s.key())
	return redcon.AppendBulk(b, m.value(s))
}

func nullReply(reply []byte) bool { return reply[0] == '_' || reply[1] == '-' }

// emptySearch looks at the total, the first element of the array in RESP2.
func emptySearch(reply []byte) bool {
	i := 0
	for i < len(reply) && reply[i] != '\n' {
		i++
	}
	return i+2 < len(reply) && reply[i+1] == ':' && reply[i+2] == '0'
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
	args := make([]any, 2+2*hashFields)
	args[0] = "HSET"
	for i := range m.keys {
		args[1] = keyName("hash", i)
		for f := range hashFields {
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

func fillVectors(algorithm, n string, more ...string) func(*client.Pipeline, *material, func(int) error) error {
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

func appendQuery(kind int) func([]byte, *source, *material) []byte {
	return func(b []byte, s *source, m *material) []byte {
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
