package types

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A case is a command on a large value.
type costCase struct {
	name  string
	fill  []fill                                    // what is there before
	do    func(rng *rand.Rand, add func(...string)) // adds one or more commands
	batch int                                       // how often do is called for one write, 1 if 0
}

// fill makes a value: word key first(0) second(0) first(1) …
type fill struct {
	word, key string
	n         int
	args      func(i int) []string
}

// each calls add with commands of up to 500 elements.
func (f fill) each(add func(words ...string)) {
	for i := 0; i < f.n; {
		words := []string{f.word, f.key}
		for ; i < f.n && len(words) < 1000; i++ {
			words = append(words, f.args(i)...)
		}
		add(words...)
	}
}

const (
	large  = 100_000
	larger = 1_000_000
)

func number(i int) []string { return []string{strconv.Itoa(i)} }
func member(i int) []string { return []string{"member:" + strconv.Itoa(i)} }
func field(i int) []string  { return []string{"field:" + strconv.Itoa(i), "value:" + strconv.Itoa(i)} }
func scored(i int) []string { return []string{strconv.Itoa(i), "member:" + strconv.Itoa(i)} }

// bitmap fills a string by SETRANGE, 64 kB a command.
func bitmap(key string, bytes int, pattern string) fill {
	const piece = 64 << 10
	return fill{"", key, bytes / piece, func(i int) []string {
		return []string{"SETRANGE", key, strconv.Itoa(i * piece), strings.Repeat(pattern, piece/len(pattern))}
	}}
}

// always is a command without chance.
func always(line string) func(*rand.Rand, func(...string)) {
	words := strings.Fields(line)
	return func(_ *rand.Rand, add func(...string)) { add(words...) }
}

// any is a command with a random number below n in place of each %.
func randomly(n int, line string) func(*rand.Rand, func(...string)) {
	words := strings.Fields(line)
	return func(rng *rand.Rand, add func(...string)) {
		out := make([]string, len(words))
		for i, w := range words {
			out[i] = strings.ReplaceAll(w, "%", strconv.Itoa(rng.IntN(n)))
		}
		add(out...)
	}
}

// both does one after the other.
func both(f ...func(*rand.Rand, func(...string))) func(*rand.Rand, func(...string)) {
	return func(rng *rand.Rand, add func(...string)) {
		for _, g := range f {
			g(rng, add)
		}
	}
}

// with is a command followed by n words.
func with(line string, n int, word func(rng *rand.Rand, i int) []string) func(*rand.Rand, func(...string)) {
	return func(rng *rand.Rand, add func(...string)) {
		words := strings.Fields(line)
		for i := range n {
			words = append(words, word(rng, i)...)
		}
		add(words...)
	}
}

func fresh(prefix string) func(*rand.Rand, int) []string {
	return func(rng *rand.Rand, _ int) []string { return []string{prefix + strconv.FormatUint(rng.Uint64(), 36)} }
}

var (
	list100k = fill{"RPUSH", "list", large, member}
	list1m   = fill{"RPUSH", "list", larger, member}
	set100k  = fill{"SADD", "set", large, member}
	other    = fill{"SADD", "other", large, func(i int) []string { return member(i + large/2) }}
	ints     = fill{"SADD", "ints", large, number}
	hash100k = fill{"HSET", "hash", large, field}
	zset100k = fill{"ZADD", "zset", large, scored}
	zother   = fill{"ZADD", "zother", large, func(i int) []string { return scored(i + large/2) }}
)

// costCases are all cases.
var costCases = []costCase{
	{"rpush + lpop, 1M elements", []fill{list1m}, both(always("RPUSH list element"), always("LPOP list")), 50},
	{"lpush + rpop, 1M elements", []fill{list1m}, both(always("LPUSH list element"), always("RPOP list")), 50},
	{"lindex, 1M elements", []fill{list1m}, randomly(larger, "LINDEX list %"), 50},
	{"lset, 1M elements", []fill{list1m}, randomly(larger, "LSET list % other"), 50},
	{"lrange of 100 at an end, 1M elements", []fill{list1m}, always("LRANGE list 0 99"), 10},
	{"lrange of 100 in the middle, 1M elements", []fill{list1m}, always("LRANGE list 500000 500099"), 10},
	{"lrange of all, 100k elements", []fill{list100k}, always("LRANGE list 0 -1"), 1},
	{"lpos of a missing one, 100k elements", []fill{list100k}, always("LPOS list missing"), 1},
	{"lpos of integers, 100k integers", []fill{{"RPUSH", "list", large, number}}, always("LPOS list 99999"), 1},
	{"linsert + lrem in the middle, 100k elements", []fill{list100k}, both(always("LINSERT list AFTER member:50000 new"), always("LREM list 1 new")), 1},
	{"ltrim + rpush of 100, 1M elements", []fill{list1m}, both(always("LTRIM list 100 -1"), with("RPUSH list", 100, fresh("e"))), 5},
	{"lmove around, 1M elements", []fill{list1m}, always("LMOVE list list LEFT RIGHT"), 50},
	{"lmpop + rpush of 100, 1M elements", []fill{list1m}, both(always("LMPOP 1 list LEFT COUNT 100"), with("RPUSH list", 100, fresh("e"))), 5},
	{"rpush of 100k + del", nil, both(with("RPUSH list", large, func(_ *rand.Rand, i int) []string { return member(i) }), always("DEL list")), 1},
	{"copy, 100k elements", []fill{list100k}, always("COPY list copy REPLACE"), 1},

	{"sismember, 100k members", []fill{set100k}, randomly(2*large, "SISMEMBER set member:%"), 50},
	{"sadd + srem, 100k members", []fill{set100k}, both(always("SADD set new"), always("SREM set new")), 50},
	{"sadd of 100 new + srem, 100k members", []fill{set100k}, func(rng *rand.Rand, add func(...string)) {
		words := []string{"SADD", "set"}
		for range 100 {
			words = append(words, fresh("new")(rng, 0)...)
		}
		add(words...)
		add(append([]string{"SREM"}, words[1:]...)...)
	}, 5},
	{"sadd of 100k + del", nil, both(with("SADD set", large, func(_ *rand.Rand, i int) []string { return member(i) }), always("DEL set")), 1},
	{"sadd of 100k integers + del", nil, both(with("SADD set", large, func(_ *rand.Rand, i int) []string { return number(i) }), always("DEL set")), 1},
	{"smembers, 100k members", []fill{set100k}, always("SMEMBERS set"), 1},
	{"smembers, 100k integers", []fill{ints}, always("SMEMBERS ints"), 1},
	{"smembers, 512 integers", []fill{{"SADD", "few", 512, number}}, always("SMEMBERS few"), 5},
	{"sismember, 512 integers", []fill{{"SADD", "few", 512, number}}, randomly(1024, "SISMEMBER few %"), 50},
	{"sismember, 128 members", []fill{{"SADD", "few", 128, member}}, randomly(256, "SISMEMBER few member:%"), 50},
	{"srandmember, 100k members", []fill{set100k}, always("SRANDMEMBER set"), 50},
	{"srandmember of 1000, 100k members", []fill{set100k}, always("SRANDMEMBER set 1000"), 1},
	{"srandmember of 50k, 100k members", []fill{set100k}, always("SRANDMEMBER set 50000"), 1},
	{"spop + sadd, 100k members", []fill{set100k}, both(always("SPOP set"), with("SADD set", 1, fresh("s"))), 50},
	{"spop of 100 + sadd, 100k members", []fill{set100k}, both(always("SPOP set 100"), with("SADD set", 100, fresh("s"))), 5},
	{"smove there and back, 100k members", []fill{set100k, other}, both(always("SMOVE set other member:7"), always("SMOVE other set member:7")), 50},
	{"sinter, 100k and 100k members", []fill{set100k, other}, always("SINTER set other"), 1},
	{"sintercard limit 100, 100k and 100k members", []fill{set100k, other}, always("SINTERCARD 2 set other LIMIT 100"), 1},
	{"sinter, 100 and 100k members", []fill{set100k, {"SADD", "few", 100, member}}, always("SINTER set few"), 5},
	{"sunion, 100k and 100k members", []fill{set100k, other}, always("SUNION set other"), 1},
	{"sdiff, 100k and 100k members", []fill{set100k, other}, always("SDIFF set other"), 1},
	{"sinterstore, 100k and 100k members", []fill{set100k, other}, always("SINTERSTORE d set other"), 1},
	{"sunionstore, 100k and 100k members", []fill{set100k, other}, always("SUNIONSTORE d set other"), 1},
	{"sdiffstore, 100k and 100k members", []fill{set100k, other}, always("SDIFFSTORE d set other"), 1},
	{"sscan of 100, 100k members", []fill{set100k}, always("SSCAN set 0 COUNT 100"), 5},
	{"copy, 100k members", []fill{set100k}, always("COPY set copy REPLACE"), 1},

	{"hget, 100k fields", []fill{hash100k}, randomly(2*large, "HGET hash field:%"), 50},
	{"hset, 100k fields", []fill{hash100k}, randomly(large, "HSET hash field:% other"), 50},
	{"hset + hdel, 100k fields", []fill{hash100k}, both(always("HSET hash new value"), always("HDEL hash new")), 50},
	{"hset of 100k + del", nil, both(with("HSET hash", large, func(_ *rand.Rand, i int) []string { return field(i) }), always("DEL hash")), 1},
	{"hgetall, 100k fields", []fill{hash100k}, always("HGETALL hash"), 1},
	{"hgetall, 100 fields", []fill{{"HSET", "few", 100, field}}, always("HGETALL few"), 10},
	{"hget, 100 fields", []fill{{"HSET", "few", 100, field}}, randomly(100, "HGET few field:%"), 50},
	{"hincrby, 100k fields", []fill{{"HSET", "hash", large, func(i int) []string { return []string{"field:" + strconv.Itoa(i), "1"} }}}, randomly(large, "HINCRBY hash field:% 1"), 50},
	{"hscan of 100, 100k fields", []fill{hash100k}, always("HSCAN hash 0 COUNT 100"), 5},
	{"hrandfield of 100, 100k fields", []fill{hash100k}, always("HRANDFIELD hash 100 WITHVALUES"), 5},
	{"copy, 100k fields", []fill{hash100k}, always("COPY hash copy REPLACE"), 1},

	{"zadd of another score, 100k members", []fill{zset100k}, randomly(large, "ZADD zset % member:%"), 50},
	{"zscore, 100k members", []fill{zset100k}, randomly(2*large, "ZSCORE zset member:%"), 50},
	{"zrank, 100k members", []fill{zset100k}, randomly(large, "ZRANK zset member:%"), 50},
	{"zrange of 100 in the middle, 100k members", []fill{zset100k}, always("ZRANGE zset 50000 50099 WITHSCORES"), 10},
	{"zrangebyscore of 100, 100k members", []fill{zset100k}, always("ZRANGEBYSCORE zset 50000 50099"), 10},
	{"zpopmin + zadd, 100k members", []fill{zset100k}, both(always("ZPOPMIN zset"), with("ZADD zset 5", 1, fresh("z"))), 50},
	{"zunionstore, 100k and 100k members", []fill{zset100k, zother}, always("ZUNIONSTORE d 2 zset zother"), 1},
	{"zinterstore, 100k and 100k members", []fill{zset100k, zother}, always("ZINTERSTORE d 2 zset zother"), 1},
	{"zrange of all, 100k members", []fill{zset100k}, always("ZRANGE zset 0 -1"), 1},

	{"bitcount, 1 MB", []fill{bitmap("bits", 1<<20, "\x00\xff\x0f")}, always("BITCOUNT bits"), 5},
	{"bitcount, 64 MB", []fill{bitmap("bits", 64<<20, "\x00\xff\x0f")}, always("BITCOUNT bits"), 1},
	{"bitcount of a range of bits, 1 MB", []fill{bitmap("bits", 1<<20, "\x00\xff\x0f")}, always("BITCOUNT bits 3 -3 BIT"), 5},
	{"bitpos of the first 0 in 1 MB of ones", []fill{bitmap("bits", 1<<20, "\xff")}, always("BITPOS bits 0"), 5},
	{"bitop and, 3 of 1 MB", bitmaps(3), always("BITOP AND d bits0 bits1 bits2"), 1},
	{"bitop or, 3 of 1 MB", bitmaps(3), always("BITOP OR d bits0 bits1 bits2"), 1},
	{"bitop not, 1 MB", bitmaps(1), always("BITOP NOT d bits0"), 1},
	{"bitop diff, 3 of 1 MB", bitmaps(3), always("BITOP DIFF d bits0 bits1 bits2"), 1},
	{"bitop one, 3 of 1 MB", bitmaps(3), always("BITOP ONE d bits0 bits1 bits2"), 1},
	{"bitop xor, 8 of 1 MB", bitmaps(8), always("BITOP XOR d bits0 bits1 bits2 bits3 bits4 bits5 bits6 bits7"), 1},
	{"setbit, 1 MB", bitmaps(1), randomly(8<<20, "SETBIT bits0 % 1"), 50},
	{"getbit, 1 MB", bitmaps(1), randomly(8<<20, "GETBIT bits0 %"), 50},
	{"bitfield incrby u16, 1 MB", bitmaps(1), randomly(8<<20-16, "BITFIELD bits0 INCRBY u16 % 7"), 50},
	{"append of 16 bytes + strlen", []fill{bitmap("bits", 64<<10, "\xff")}, both(always("APPEND bits 0123456789abcdef"), always("STRLEN bits")), 50},
	{"setrange in 1 MB", bitmaps(1), randomly(1<<20-16, "SETRANGE bits0 % 0123456789abcdef"), 50},
	{"getrange of 100 from 1 MB", bitmaps(1), randomly(1<<20-100, "GETRANGE bits0 % -1000000"), 50},
	{"lcs of 1000 and 1000 bytes", []fill{
		{"", "a", 1, func(int) []string { return []string{"SET", "a", strings.Repeat("abcdefghij", 100)} }},
		{"", "b", 1, func(int) []string { return []string{"SET", "b", strings.Repeat("jihgfeabcd", 100)} }},
	}, always("LCS a b LEN"), 1},
}

func bitmaps(n int) (l []fill) {
	for i := range n {
		l = append(l, bitmap(fmt.Sprint("bits", i), 1<<20, []string{"\x00\xff\x0f\x81", "\xff", "\xf0\x01"}[i%3]))
	}
	return l
}
