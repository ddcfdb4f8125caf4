package proxy

import (
	"io"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := Run([]string{"-n", "20", "-clients", "2"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"direct", "miss", "exact", "replay", "more than the model itself", "embedding one question"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
	for _, args := range [][]string{{"-n", "0"}, {"-embed", "nothing"}, {"more"}} {
		if err := Run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
