package resp

import (
	"bytes"
	"testing"
)

func TestReaderReadsAPipelineInAnyPieces(t *testing.T) {
	const in = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\n*0\r\n*-1\r\nset 'a b' \"\\x41\\n\"\r\n*1\r\n$0\r\n\r\n"
	want := [][]string{{"GET", "k"}, {"set", "a b", "A\n"}, {""}}
	for size := 1; size <= len(in); size++ {
		r := NewReader(&pieces{b: []byte(in), size: size}, Limits{})
		for i, w := range want {
			got := next(t, r)
			if len(got) != len(w) {
				t.Fatalf("pieces of %d: command %d is %q, want %q", size, i, got, w)
			}
			for j := range w {
				if string(got[j]) != w[j] {
					t.Fatalf("pieces of %d: command %d is %q, want %q", size, i, got, w)
				}
			}
		}
		if n := r.Buffered(); n != 0 {
			t.Fatalf("pieces of %d: %d bytes left", size, n)
		}
	}
}

func next(t testing.TB, r *Reader) [][]byte {
	t.Helper()
	for {
		args, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if args != nil {
			return args
		}
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
	}
}

// pieces reads at most size bytes at a time.
type pieces struct {
	b    []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	n, err := bytes.NewReader(p.b).Read(b[:min(len(b), p.size)])
	p.b = p.b[n:]
	return n, err
}
