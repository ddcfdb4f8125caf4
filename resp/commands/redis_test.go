package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// redis is a connection to a real Redis, to compare with.
type redis struct {
	conn net.Conn
	r    *bufio.Reader
}

// dialRedis connects to the Redis 8 that NEARCACHE_REDIS names, or skips.
func dialRedis(t *testing.T, proto int) *redis {
	t.Helper()
	addr := os.Getenv("NEARCACHE_REDIS")
	if addr == "" {
		t.Skip("NEARCACHE_REDIS names no real Redis to compare with")
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &redis{conn, bufio.NewReader(conn)}
	r.run(t, [][]byte{[]byte("HELLO"), strconv.AppendInt(nil, int64(proto), 10)})
	return r
}

// run sends a command and returns its reply's bytes.
func (r *redis) run(t *testing.T, argv [][]byte) []byte {
	t.Helper()
	b := fmt.Appendf(nil, "*%d\r\n", len(argv))
	for _, a := range argv {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := r.conn.Write(b); err != nil {
		t.Fatal(err)
	}
	reply, err := r.read(nil)
	if err != nil {
		t.Fatalf("%q: %v", argv, err)
	}
	return reply
}

func (r *redis) read(b []byte) ([]byte, error) {
	line, err := r.r.ReadBytes('\n')
	if err != nil {
		return b, err
	}
	b = append(b, line...)
	n, _ := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	switch line[0] {
	case '%':
		n *= 2
		fallthrough
	case '*', '~':
		for range n {
			if b, err = r.read(b); err != nil {
				return b, err
			}
		}
	case '$', '=':
		if n >= 0 {
			body := make([]byte, n+2)
			if _, err := io.ReadFull(r.r, body); err != nil {
				return b, err
			}
			b = append(b, body...)
		}
	}
	return b, nil
}

// gen makes random commands from few keys, fields, values and options, so
// that they meet each other, and mistakes of every kind.
type gen struct{ *rand.Rand }

func (g gen) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g gen) key() string   { return g.pick("a", "b", "h", "i", "s", "", "nokey", "a-longer-key") }
func (g gen) field() string { return g.pick("f", "g", "x", "y", "", "number") }
func (g gen) value() string {
	return g.pick("", "0", "1", "-1", "10", "12345", "v", "hello", "3.0", "1.5e3", "abc\x00def", " 1", "1 ", "01", "+1", "nan", "inf",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "0x10", "1e400", "-0", ".5", "5.", "1e-5", "0.1", "-0.30",
		strings.Repeat("x", 20), strings.Repeat("x", 45), strings.Repeat("y", 64), strings.Repeat("y", 65), "1e5000", "infinity", "-inf", "1_0",
		"12345678901234567890123", "1.7976931348623157e308", "3.14159265358979323846", "0.30000000000000004", "1e17", "1e18", "100000000000000000000")
}

func (g gen) int() string {
	return g.pick("0", "1", "2", "3", "10", "-1", "-2", "-3", "-10", "100", "abc", "", "1.5", "9223372036854775807", "-9223372036854775808", "-9223372036854775807", "9223372036854775808", "5", "16")
}

func (g gen) seconds() string {
	return g.pick("100", "1000", "20000", "0", "-1", "abc", "9223372036854775807", "9223372036854775", "-9223372036854775808", "")
}

func (g gen) unix() string {
	return g.pick("1", "4000000000", "5000000000000", "0", "-1", "abc", "9223372036854775807", "9223372036854775", "-9223372036854775808")
}
func (g gen) db() string { return g.pick("0", "1", "1", "99", "-1", "x", "99999999999") }
func (g gen) expiry() []string {
	switch g.IntN(8) {
	case 0, 1:
		return []string{g.pick("EX", "ex", "PX"), g.seconds()}
	case 2:
		return []string{g.pick("EXAT", "PXAT"), g.unix()}
	case 3:
		return []string{"KEEPTTL"}
	case 4:
		return []string{"PERSIST"}
	}
	return nil
}

func (g gen) maybe(s ...string) []string {
	if g.IntN(2) == 0 {
		return nil
	}
	return s
}

func (g gen) several(f func() string) []string {
	var l []string
	for range g.IntN(4) {
		l = append(l, f())
	}
	return l
}

func (g gen) pairs(f func() string) []string {
	var l []string
	for range 1 + g.IntN(3) {
		l = append(l, f(), g.value())
	}
	if g.IntN(10) == 0 {
		l = l[1:]
	}
	return l
}

func (g gen) command() []string {
	join := func(name string, l ...[]string) []string {
		out := []string{name}
		for _, x := range l {
			out = append(out, x...)
		}
		if g.IntN(40) == 0 { // a word too many or too few
			if g.IntN(2) == 0 {
				return out[:len(out)-1+1/len(out)]
			}
			out = append(out, g.pick("FOO", "NX", "0"))
		}
		return out
	}
	one := func(s ...string) []string { return s }
	k := g.key()
	switch g.IntN(51) {
	case 0, 1, 2:
		cond := [][]string{nil, nil, nil, one("NX"), one("XX"), one("IFEQ", g.value()), one("IFNE", g.value()), one("IFDEQ", g.pick("0123456789abcdef", "zz", "zz23456789abcdef", "9555e8555c62dcfd", "9555E8555C62DCFD")), one("IFDNE", g.pick("0123456789abcdef", "zz", "9555e8555c62dcfd")), one("NX", "XX")}[g.IntN(10)]
		if cond != nil && cond[0] == "IFDEQ" || cond != nil && cond[0] == "IFDNE" { // with GET, Redis replies twice to a bad digest
			return join("SET", one(k, g.value()), cond, g.expiry())
		}
		return join("SET", one(k, g.value()), cond, g.expiry(), g.maybe("GET"))
	case 3:
		return join("GET", one(k))
	case 4:
		return join("GETDEL", one(k))
	case 5, 6:
		return join("GETEX", one(k), g.expiry())
	case 7:
		return join("MGET", g.several(g.key))
	case 8:
		return join(g.pick("MSET", "MSETNX"), g.pairs(g.key))
	case 9:
		return join(g.pick("INCR", "DECR"), one(k))
	case 10:
		return join(g.pick("INCRBY", "DECRBY"), one(k, g.int()))
	case 11, 12:
		return join("INCRBYFLOAT", one(k, g.value()))
	case 13:
		return join("APPEND", one(k, g.value()))
	case 14:
		return join("STRLEN", one(k))
	case 15:
		return join(g.pick("GETRANGE", "SUBSTR"), one(k, g.int(), g.int()))
	case 16:
		return join("SETRANGE", one(k, g.pick("0", "1", "5", "-1", "x", "536870912", "600000000", "9223372036854775807"), g.value()))
	case 17:
		return join("SETNX", one(k, g.value()))
	case 18:
		return join(g.pick("SETEX", "PSETEX"), one(k, g.seconds(), g.value()))
	case 19:
		return join("GETSET", one(k, g.value()))
	case 20:
		return join(g.pick("DEL", "UNLINK", "EXISTS", "TOUCH"), g.several(g.key))
	case 21:
		return join(g.pick("TYPE", "PERSIST", "EXPIRETIME"), one(k))
	case 22:
		return join("TTL", one(k))
	case 23:
		return join(g.pick("EXPIRE", "PEXPIRE"), one(k, g.seconds()), g.maybe(g.pick("NX", "XX", "GT", "LT", "gt", "foo")), g.maybe(g.pick("NX", "XX", "GT", "LT")))
	case 24:
		return join(g.pick("EXPIREAT", "PEXPIREAT"), one(k, g.unix()), g.maybe(g.pick("NX", "XX", "GT", "LT")))
	case 25:
		return join(g.pick("RENAME", "RENAMENX"), one(k, g.key()))
	case 26:
		return join("COPY", one(k, g.key()), g.maybe("DB", g.db()), g.maybe("REPLACE"))
	case 27:
		return join("MOVE", one(k, g.db()))
	case 28:
		return join("OBJECT", one(g.pick("ENCODING", "REFCOUNT", "FREQ", "foo"), k))
	case 29:
		return join("DBSIZE")
	case 30, 31:
		return join(g.pick("HSET", "HMSET"), one(k), g.pairs(g.field))
	case 32:
		return join("HSETNX", one(k, g.field(), g.value()))
	case 33:
		return join("HGET", one(k, g.field()))
	case 34:
		return join("HMGET", one(k), g.several(g.field))
	case 35:
		return join(g.pick("HGETALL", "HKEYS", "HVALS", "HLEN"), one(k))
	case 36:
		return join(g.pick("HEXISTS", "HSTRLEN"), one(k, g.field()))
	case 37:
		return join("HDEL", one(k), g.several(g.field))
	case 38:
		return join("HINCRBY", one(k, g.field(), g.int()))
	case 39, 40:
		return join("HINCRBYFLOAT", one(k, g.field(), g.value()))
	case 41:
		return join("HRANDFIELD", one(k, g.pick("0", "100", "abc", "-9223372036854775808", "600")), g.maybe(g.pick("WITHVALUES", "withvalues", "foo")))
	case 42:
		return join("HSCAN", one(k, g.pick("0", "0", "x", "-1", "", "+0", "00")), g.maybe("MATCH", g.pick("*", "f*", "[a-f]", "")), g.maybe("COUNT", g.pick("100", "0", "-1", "x")), g.maybe(g.pick("NOVALUES", "novalues", "TYPE")))
	case 43:
		return join("HGETDEL", one(k, g.pick("FIELDS", "fields", "foo"), g.pick("1", "2", "0", "x")), g.several(g.field))
	case 44:
		return join("SCAN", one("0"), one("COUNT", g.pick("1000", "0", "x")), one("MATCH", g.pick("nothing", "")), g.maybe("TYPE", g.pick("string", "STRING", "foo")))
	}
	switch g.IntN(6) {
	case 0:
		return join("DIGEST", one(k))
	case 1:
		return join("DELEX", one(k), g.maybe(g.pick("IFEQ", "ifne", "IFDEQ", "IFDNE", "FOO"), g.pick(g.value(), "9555e8555c62dcfd")))
	case 2:
		expiry := g.expiry()
		if len(expiry) == 2 && expiry[1] == "1" { // Redis leaves keys that are due at once to its expiry cycle, and counts them
			expiry = nil
		}
		return join("MSETEX", one(g.pick("1", "2", "0", "x", "99999999999")), g.pairs(g.key), expiry, g.maybe(g.pick("NX", "XX")))
	case 3:
		by := [][]string{nil, one("BYINT", g.int()), one("BYFLOAT", g.value()), one("BYFLOAT", g.value())}[g.IntN(4)]
		return join("INCREX", one(k), by, g.maybe("LBOUND", g.value()), g.maybe("UBOUND", g.value()), g.maybe("SATURATE"), g.expiry(), g.maybe("ENX"))
	case 4:
		return join("LCS", one(k, g.key()), g.maybe(g.pick("LEN", "IDX")), g.maybe("MINMATCHLEN", g.int()), g.maybe("WITHMATCHLEN"))
	}
	return join(g.pick("GETBIT", "SETBIT"), one(k, g.int()), g.maybe(g.pick("0", "1", "2")))
}

// TestRandomCommandsAnswerAsRedis compares replies byte by byte.
func TestRandomCommandsAnswerAsRedis(t *testing.T) {
	for proto := 2; proto <= 3; proto++ {
		t.Run(fmt.Sprint("RESP", proto), func(t *testing.T) {
			theirs := dialRedis(t, proto)
			theirs.run(t, [][]byte{[]byte("FLUSHALL")})
			ours := newClient(t, proto)
			ours.system = true
			seed := uint64(1)
			if s := os.Getenv("NEARCACHE_SEED"); s != "" {
				seed, _ = strconv.ParseUint(s, 10, 64)
			}
			g := gen{rand.New(rand.NewPCG(seed, uint64(proto)))}
			bad := 0
			for i := range 30_000 {
				if i%200 == 0 {
					all := [][]byte{[]byte("FLUSHALL")}
					theirs.run(t, all)
					ours.run(all)
				}
				words := g.command()
				argv := make([][]byte, len(words))
				for i, w := range words {
					argv[i] = []byte(w)
				}
				want, got := theirs.run(t, argv), ours.run(argv)
				if !bytes.Equal(want, got) && !bytes.Equal(loose(argv, want), loose(argv, got)) {
					t.Errorf("%d: %q\n got %.300q\nwant %.300q", i, words, got, want)
					if bad++; bad > 10 {
						t.FailNow()
					}
					// From here on the two differ: start over.
					all := [][]byte{[]byte("FLUSHALL")}
					theirs.run(t, all)
					ours.run(all)
				}
			}
		})
	}
}

// loose takes what may differ out of a reply: milliseconds that pass, and the
// order of a hash that is a table.
func loose(argv [][]byte, reply []byte) []byte {
	switch name := strings.ToUpper(string(argv[0])); name {
	case "TTL":
		n, _ := strconv.Atoi(strings.TrimSpace(string(reply[1:])))
		if n > 0 {
			return []byte(strconv.Itoa(n / 10))
		}
	case "HGETALL", "HKEYS", "HVALS", "HSCAN", "HRANDFIELD":
		if name == "HRANDFIELD" && len(argv) == 2 && reply[0] == '$' {
			return nil
		}
		b := bytes.Clone(reply)
		for i := range b { // same bytes in another order
			for j := i; j > 0 && b[j] < b[j-1]; j-- {
				b[j], b[j-1] = b[j-1], b[j]
			}
		}
		return b
	}
	return reply
}
