package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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

// BenchmarkRun is a pipeline of 64 commands from the buffer they were read
// into to the buffer of the replies, without sockets: ns/op is per command.
func BenchmarkRun(b *testing.B) {
	for _, keys := range []int{1, 100_000} {
		for _, cmd := range []string{"GET", "SET"} {
			b.Run(fmt.Sprintf("%s/keys=%d", cmd, keys), func(b *testing.B) {
				cfg, err := LoadConfig([]string{"--appendonly", "no"}, nil)
				if err != nil {
					b.Fatal(err)
				}
				s := New(cfg)
				t := &tape{}
				k := &connection{}
				k.join(s, t, &net.TCPAddr{}, &net.TCPAddr{}, resp.NewReader(t, s.limits(true)))
				in, out := make([]byte, 64<<10), make([]byte, 64<<10)
				value := string(make([]byte, 64))
				run := func() {
					k.c.Reader.Lend(in)
					k.c.S.Out.Lend(out)
					if err := k.c.Reader.Fill(); err != nil {
						b.Fatal(err)
					}
					if st := k.run(true); st != hungry {
						b.Fatal(st)
					}
					if _, err := k.c.S.Flush(); err != nil {
						b.Fatal(err)
					}
					k.c.Reader.Return()
					out = k.c.S.Out.Return(out)
				}
				for i := range keys {
					t.b, t.at = fmt.Appendf(t.b[:0], "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$64\r\n%s\r\n", i, value), 0
					run()
				}
				const pipeline = 64
				var tapes [2048][]byte
				rng := rand.New(rand.NewPCG(1, 2))
				for i := range tapes {
					for range pipeline {
						if cmd == "GET" {
							tapes[i] = fmt.Appendf(tapes[i], "*2\r\n$3\r\nGET\r\n$16\r\nkey:%012d\r\n", rng.IntN(keys))
						} else {
							tapes[i] = fmt.Appendf(tapes[i], "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$64\r\n%s\r\n", rng.IntN(keys), value)
						}
					}
				}
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					if n%pipeline == 0 {
						t.b, t.at = tapes[n/pipeline%len(tapes)], 0
						run()
					}
				}
			})
		}
	}
}
