package catalog

import (
	"bytes"
	"testing"
)

// FuzzGraphs reads the manifest of saved graphs.
func FuzzGraphs(f *testing.F) {
	f.Add(string(appendGraphs(nil, nil)))
	f.Add(string(appendGraphs(nil, []saved{{7, "ab12", "ix"}, {8, "cd34", "a \"b\"\n"}})))
	f.Add("nearcache graphs 1\ncrc32c 00000000\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseGraphs(text)
		if err != nil {
			return
		}
		b := appendGraphs(nil, l)
		again, err := parseGraphs(string(b))
		if err != nil || !bytes.Equal(appendGraphs(nil, again), b) {
			t.Fatalf("%q became %q, %v", text, b, err)
		}
	})
}
