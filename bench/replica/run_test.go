package replica

import (
	"io"
	"strings"
	"testing"
)

// TestRunMeasures runs it on a few keys.
func TestRunMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts servers")
	}
	t.Chdir("../..")
	var out strings.Builder
	if err := Run([]string{"-nearcache", "-keys", "1000", "-time", "200ms"}, &out, io.Discard); err != nil {
		t.Fatal(err, out.String())
	}
	for _, want := range []string{"1000 keys in ", "p99 ", " full copies"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
