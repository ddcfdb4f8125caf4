package server

import (
	"bytes"
	"io"
	"testing"

	"github.com/nearcache/nearcache/resp"
)

// FuzzReplicaSays reads what a replica may send behind PSYNC.
func FuzzReplicaSays(f *testing.F) {
	for _, seed := range []string{
		"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n100\r\n",
		"*5\r\n$8\r\nreplconf\r\n$3\r\nack\r\n$3\r\n100\r\n$4\r\nfack\r\n$2\r\n99\r\n",
		"\n\n*1\r\n$4\r\nPING\r\n",
		"REPLCONF ACK -9223372036854775808\r\n",
		"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$19\r\n9223372036854775808\r\n",
		"*1\r\n$99999999\r\n",
		"*100\r\n",
	} {
		f.Add([]byte(seed))
	}
	cfg, err := LoadConfig(nil, func(string) string { return "" })
	if err != nil {
		f.Fatal(err)
	}
	s := New(cfg)
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &attached{s: s, first: make(chan struct{})}
		r := resp.NewReader(bytes.NewReader(b), replicaLimits)
		for {
			argv, err := r.Next()
			if err != nil {
				return
			}
			if argv != nil {
				a.said(argv)
			} else if err := r.Fill(); err == io.EOF {
				break
			} else if err != nil {
				return
			}
		}
		if a.acked.Load() < 0 || a.synced.Load() < 0 {
			t.Errorf("offsets went back: %d %d", a.acked.Load(), a.synced.Load())
		}
		if r.Size() > 1<<20 {
			t.Errorf("%d bytes are held of %d", r.Size(), len(b))
		}
	})
}
