package commands

import (
	"fmt"
	"testing"
)

// BenchmarkLargeCommands runs commands with 100,000 elements, or on as many.
func BenchmarkLargeCommands(b *testing.B) {
	const n = 100_000
	many := func(words ...string) [][]byte {
		for i := range n {
			words = append(words, fmt.Sprint("member:", i))
			if words[0] == "HSET" {
				words = append(words, fmt.Sprint("value:", i))
			}
		}
		return argv(words...)
	}
	for _, x := range []struct {
		name string
		fill [][]byte
		run  [][][]byte
	}{
		{"rpush", nil, [][][]byte{many("RPUSH", "k"), argv("DEL", "k")}},
		{"sadd", nil, [][][]byte{many("SADD", "k"), argv("DEL", "k")}},
		{"hset", nil, [][][]byte{many("HSET", "k"), argv("DEL", "k")}},
		{"lrange", many("RPUSH", "k"), [][][]byte{argv("LRANGE", "k", "0", "-1")}},
		{"smembers", many("SADD", "k"), [][][]byte{argv("SMEMBERS", "k")}},
		{"hgetall", many("HSET", "k"), [][][]byte{argv("HGETALL", "k")}},
		{"sunionstore", many("SADD", "k"), [][][]byte{argv("SUNIONSTORE", "d", "k", "k")}},
		{"sinterstore", many("SADD", "k"), [][][]byte{argv("SINTERSTORE", "d", "k", "k")}},
		{"copy list", many("RPUSH", "k"), [][][]byte{argv("COPY", "k", "d", "REPLACE")}},
		{"copy set", many("SADD", "k"), [][][]byte{argv("COPY", "k", "d", "REPLACE")}},
		{"copy hash", many("HSET", "k"), [][][]byte{argv("COPY", "k", "d", "REPLACE")}},
	} {
		b.Run(x.name, func(b *testing.B) {
			c := newClient(b, 3)
			if x.fill != nil {
				c.run(x.fill)
			}
			for b.Loop() {
				for _, args := range x.run {
					if reply := c.run(args); reply[0] == '-' {
						b.Fatalf("%s", reply)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
		})
	}
}
