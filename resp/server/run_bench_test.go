package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp"
)

// tape is a link and a reader: what is read stands on it, what is written is dropped.
type tape struct {
	b  []byte
	at int
}

func (t *tape) Read(b []byte) (int, error) {
	if t.at == len(t.b) {
		return 0, io.EOF
	}
	n := copy(b, t.b[t.at:])
	t.at += n
	return n, nil
}

func (t *tape) Write(p [][]byte) (n int, err error) {
	for _, b := range p {
		n += len(b)
	}
	return n, nil
}
func (t *tape) Wake()  {}
func (t *tape) Abort() {}

// runner runs pipelines from the buffer they were read into to the buffer of the
// replies, without sockets.
type runner struct {
	*tape
	k       *connection
	in, out []byte
}

func newRunner(b *testing.B) *runner {
	b.Helper()
	cfg, err := LoadConfig([]string{"--appendonly", "no"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	s := New(cfg)
	r := &runner{tape: &tape{}, k: &connection{}, in: make([]byte, 128<<10), out: make([]byte, 128<<10)}
	r.k.join(s, r.tape, &net.TCPAddr{}, &net.TCPAddr{}, resp.NewReader(r.tape, s.limits(true)))
	return r
}

func (r *runner) run(b *testing.B, pipeline []byte) {
	r.b, r.at = pipeline, 0
	r.k.c.Reader.Lend(r.in)
	r.k.c.S.Out.Lend(r.out)
	if err := r.k.c.Reader.Fill(); err != nil {
		b.Fatal(err)
	}
	if st := r.k.run(true); st != hungry {
		b.Fatal(st)
	}
	if _, err := r.k.c.S.Flush(); err != nil {
		b.Fatal(err)
	}
	r.k.c.Reader.Return()
	r.out = r.k.c.S.Out.Return(r.out)
}

// words is a command of the words of a line.
func words(line string) []byte {
	w := strings.Fields(line)
	b := fmt.Appendf(nil, "*%d\r\n", len(w))
	for _, x := range w {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(x), x)
	}
	return b
}

const pipeline = 64

// bench runs pipelines of commands that next makes; ns/op is per command.
func (r *runner) bench(b *testing.B, next func(*rand.Rand) string) {
	var tapes [2048][]byte
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range tapes {
		for range pipeline {
			tapes[i] = append(tapes[i], words(next(rng))...)
		}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%pipeline == 0 {
			r.run(b, tapes[n/pipeline%len(tapes)])
		}
	}
}

var value64 = strings.Repeat("0123456789abcdef", 4)

// BenchmarkRun is one command on strings.
func BenchmarkRun(b *testing.B) {
	f := func(name string, keys int, value string) {
		for _, cmd := range []string{"GET", "SET"} {
			b.Run(cmd+name, func(b *testing.B) {
				r := newRunner(b)
				for i := range keys {
					r.run(b, words(fmt.Sprintf("SET key:%012d %s", i, value)))
				}
				r.bench(b, func(rng *rand.Rand) string {
					if cmd == "GET" {
						return fmt.Sprintf("GET key:%012d", rng.IntN(keys))
					}
					return fmt.Sprintf("SET key:%012d %s", rng.IntN(keys), value)
				})
			})
		}
	}
	for _, keys := range []int{1, 100_000} {
		f(fmt.Sprintf("/keys=%d", keys), keys, value64)
	}
	f("/keys=100000/value=1024", 100_000, strings.Repeat(value64, 16))
}

// BenchmarkMix is what a cache is asked for, as far as one can know. The profile
// that the compiler goes by is of this one and of BenchmarkRun: see METHOD.md.
func BenchmarkMix(b *testing.B) {
	const keys = 10_000
	mix := []string{
		"GET s:%d", "GET s:%d", "GET s:%d", "GET s:%d", "GET s:%d", "SET s:%d " + value64, "SET t:%d " + value64 + " EX 1000", "GET t:%d",
		"MGET s:%d s:1 s:2 s:3 s:4", "EXISTS s:%d", "TTL t:%d", "EXPIRE t:%d 1000", "DEL d:%d", "SET d:%d x NX", "INCR i:%d",
		"HSET h:%d a 1 b 2 c 3", "HGET h:%d field:3", "HMGET h:%d a b field:1", "HGETALL h:%d", "HINCRBY h:%d n 1",
		"LPUSH l:%d x", "RPOP l:%d", "LRANGE l:%d 0 9", "SADD u:%d 17", "SISMEMBER u:%d 12", "ZADD z:%d 5 member:5", "ZRANGE z:%d 0 9",
		"ZSCORE z:%d member:3", "PING",
	}
	r := newRunner(b)
	for i := range keys {
		for _, line := range []string{
			"SET s:%d " + value64, "HSET h:%d field:1 x field:2 y field:3 z", "RPUSH l:%d a b c d e f g h i j k l",
			"SADD u:%d 1 2 3 4 5 6 7 8 9 10 11 12", "ZADD z:%d 1 member:1 2 member:2 3 member:3 4 member:4",
		} {
			r.run(b, words(fmt.Sprintf(line, i)))
		}
	}
	r.bench(b, func(rng *rand.Rand) string {
		line := mix[rng.IntN(len(mix))]
		if strings.Contains(line, "%d") {
			line = fmt.Sprintf(line, rng.IntN(keys))
		}
		return line
	})
}
