package load

import (
	"fmt"

	"github.com/tidwall/redcon"
)

// op is one command: a row of ops.
type op struct {
	name, summary string
	replies       string // first bytes of the replies that are right
	fill          fill   // what it needs
	append        func(b []byte, s *source, m *material, key uint64) []byte
	missed        func(reply []byte) bool // a right reply that found nothing
	reads         bool                    // a client's own copy of the key answers it
	search        bool                    // on the vectors of datasets; run without pipelining
}

// elements is how many fields, members or elements a collection has.
const elements = 10

var ops = []*op{
	{name: "get", summary: "GET of a key that exists", replies: "$_", fill: fillStrings, append: appendGet, missed: nullReply, reads: true},
	{name: "set", summary: "SET", replies: "+", fill: fillStrings, append: appendSet},
	{
		name: "setex", summary: "SET with EX 3600", replies: "+", fill: fillStrings,
		append: func(b []byte, s *source, m *material, key uint64) []byte {
			b = append(b, "*5\r\n$3\r\nSET\r\n$16\r\n"...)
			b = appendKey(b, "key:", key)
			b = redcon.AppendBulk(b, m.value(s))
			return append(b, "$2\r\nEX\r\n$4\r\n3600\r\n"...)
		},
	},
	{
		name: "expire", summary: "EXPIRE of a string, 3600 s", replies: ":", fill: fillStrings,
		append: func(b []byte, _ *source, _ *material, key uint64) []byte {
			b = append(b, "*3\r\n$6\r\nEXPIRE\r\n$16\r\n"...)
			b = appendKey(b, "key:", key)
			return append(b, "$4\r\n3600\r\n"...)
		},
		missed: zeroReply,
	},
	{name: "incr", summary: "INCR", replies: ":", fill: fillNothing, append: appendOne("INCR", "num:")},
	{
		name: "hset", summary: "HSET of one of ten fields", replies: ":", fill: fillHashes,
		append: func(b []byte, s *source, m *material, key uint64) []byte {
			b = append(b, "*4\r\n$4\r\nHSET\r\n$16\r\n"...)
			b = appendKey(b, "hash", key)
			b = append(b, "$6\r\nfield"...)
			b = append(b, '0'+byte(s.below(elements)), '\r', '\n')
			return redcon.AppendBulk(b, m.value(s))
		},
	},
	{name: "hgetall", summary: "HGETALL of a hash with ten fields", replies: "*%", fill: fillHashes, append: appendOne("HGETALL", "hash"), missed: emptyReply},
	{
		name: "lrange", summary: "LRANGE of a list with ten elements", replies: "*", fill: fillLists, missed: emptyReply,
		append: func(b []byte, _ *source, _ *material, key uint64) []byte {
			b = append(b, "*4\r\n$6\r\nLRANGE\r\n$16\r\n"...)
			b = appendKey(b, "list", key)
			return append(b, "$1\r\n0\r\n$2\r\n-1\r\n"...)
		},
	},
	{
		name: "sismember", summary: "SISMEMBER of a set with ten members", replies: ":", fill: fillSets, missed: zeroReply,
		append: func(b []byte, s *source, _ *material, key uint64) []byte {
			b = append(b, "*3\r\n$9\r\nSISMEMBER\r\n$16\r\n"...)
			b = appendKey(b, "set:", key)
			return appendMember(b, s)
		},
	},
	{
		name: "zadd", summary: "ZADD of one of ten members", replies: ":", fill: fillZsets,
		append: func(b []byte, s *source, _ *material, key uint64) []byte {
			b = append(b, "*4\r\n$4\r\nZADD\r\n$16\r\n"...)
			b = appendKey(b, "zset", key)
			b = append(b, "$1\r\n"...)
			b = append(b, '0'+byte(s.below(10)), '\r', '\n')
			return appendMember(b, s)
		},
	},
	{
		name: "knn-hnsw", summary: "FT.SEARCH KNN 10 on an HNSW index of MiniLM embeddings", replies: "*%", search: true,
		fill: fillVectors("HNSW", "10", "M", "16", "EF_CONSTRUCTION", "200"), append: appendQuery(knnQuery), missed: emptySearch,
	},
	{
		name: "knn-flat", summary: "FT.SEARCH KNN 10 on a FLAT index of MiniLM embeddings", replies: "*%", search: true,
		fill: fillVectors("FLAT", "6"), append: appendQuery(knnQuery), missed: emptySearch,
	},
	{
		name: "range-flat", summary: "FT.SEARCH VECTOR_RANGE 0.2 LIMIT 0 1 on a FLAT index, as RedisVL's SemanticCache asks", replies: "*%", search: true,
		fill: fillVectors("FLAT", "6"), append: appendQuery(rangeQuery), missed: emptySearch,
	},
}

func (o *op) expects(first byte) bool {
	for i := range len(o.replies) {
		if o.replies[i] == first {
			return true
		}
	}
	return false
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

// keyNumber reads a name of appendKey that begins with the letters.
func keyNumber(letters string, name []byte) (n uint64, ok bool) {
	if len(name) != 16 || string(name[:4]) != letters {
		return 0, false
	}
	for _, c := range name[4:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

func appendGet(b []byte, _ *source, _ *material, key uint64) []byte {
	b = append(b, "*2\r\n$3\r\nGET\r\n$16\r\n"...)
	return appendKey(b, "key:", key)
}

func appendSet(b []byte, s *source, m *material, key uint64) []byte {
	b = append(b, "*3\r\n$3\r\nSET\r\n$16\r\n"...)
	b = appendKey(b, "key:", key)
	return redcon.AppendBulk(b, m.value(s))
}

// appendOne is a command with a key and nothing else.
func appendOne(name, letters string) func([]byte, *source, *material, uint64) []byte {
	head := fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$16\r\n", len(name), name)
	return func(b []byte, _ *source, _ *material, key uint64) []byte {
		return appendKey(append(b, head...), letters, key)
	}
}

func appendMember(b []byte, s *source) []byte {
	b = append(b, "$7\r\nmember"...)
	return append(b, '0'+byte(s.below(elements)), '\r', '\n')
}

func nullReply(reply []byte) bool  { return reply[0] == '_' || reply[1] == '-' }
func zeroReply(reply []byte) bool  { return reply[1] == '0' }
func emptyReply(reply []byte) bool { return reply[1] == '0' }

// emptySearch looks at the total, the first element of the array in RESP2 and
// the first number after its name in RESP3.
func emptySearch(reply []byte) bool {
	if reply[0] == '%' {
		const total = "total_results\r\n:"
		for i := 0; i+len(total) < len(reply); i++ {
			if string(reply[i:i+len(total)]) == total {
				return reply[i+len(total)] == '0'
			}
		}
		return false
	}
	i := 0
	for i < len(reply) && reply[i] != '\n' {
		i++
	}
	return i+2 < len(reply) && reply[i+1] == ':' && reply[i+2] == '0'
}
