package durable

import (
	"io"
	"strings"
	"testing"
)

// TestRunMeasures runs all parts on a few keys.
func TestRunMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts servers")
	}
	t.Chdir("../..")
	var out strings.Builder
	if err := Run([]string{"-nearcache", "-keys", "2000", "-vectors", "600", "-dim", "16", "-time", "200ms"}, &out, io.Discard); err != nil {
		t.Fatal(err, out.String())
	}
	if strings.Contains(out.String(), "recall 0.0") || strings.Count(out.String(), "; recall ") != 2 { // of names that were not understood
		t.Error(out.String())
	}
	for _, want := range []string{"taken, ", "starts in ", "100 of 100 answers", "vectorset"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
