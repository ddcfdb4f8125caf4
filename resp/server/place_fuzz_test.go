package server

import (
	"bytes"
	"testing"
)

// FuzzPlace reads what a log says of a place.
func FuzzPlace(f *testing.F) {
	f.Add([]byte("PLACE 17 3"))
	f.Add([]byte("PLACE 17 3 0123456789012345678901234567890123456789 1"))
	f.Add([]byte("PLACE -1 16 x 2"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p place
		if args := bytes.Split(b, []byte(" ")); !p.read(args) {
			return
		}
		full := p.effect(p.id != "")
		var q place
		if !q.read(full.Args) || q != p {
			t.Fatalf("%q is %+v, and again %+v", b, p, q)
		}
	})
}
