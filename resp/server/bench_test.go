package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
)

// BenchmarkPipeline is one client that sends pipelines over loopback and waits
// for all replies: ns/op is per command, client included.
func BenchmarkPipeline(b *testing.B) {
	s, _ := start(b, nil, "--appendonly", "no")
	for _, cmd := range []struct{ name, request, reply string }{
		{"GET", "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", "$3\r\nabc\r\n"},
		{"SET", "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\nabc\r\n", "+OK\r\n"},
	} {
		for _, depth := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/pipeline=%d", cmd.name, depth), func(b *testing.B) {
				conn, err := net.Dial("tcp", s.Addr())
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				fmt.Fprint(conn, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\nabc\r\n")
				if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
					b.Fatal(err)
				}
				request := bytes.Repeat([]byte(cmd.request), depth)
				reply := make([]byte, depth*len(cmd.reply))
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					if n%depth != 0 {
						continue
					}
					if _, err := conn.Write(request); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(conn, reply); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
