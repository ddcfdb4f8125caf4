package tracking

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

func TestPartsAgainstAServer(t *testing.T) {
	s := resptest.Start(t)
	var out bytes.Buffer
	if err := Run([]string{"-addr", s.Addr(), "-parts", "soak,order", "-clients", "16", "-ops", "20000", "-out", "-"}, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if text := out.String(); !strings.Contains(text, "| soak | stale copies") || !strings.Contains(text, "| 0 / 0 / 0 | 0 / 0 / 0 |") {
		t.Error(text)
	}
}

func TestWhatCannotBe(t *testing.T) {
	for _, args := range [][]string{{"-clients", "1"}, {"-ops", "1"}, {"more"}, {"-parts", "nothing", "-addr", "127.0.0.1:1"}} {
		if err := Run(append(args, "-out", "-"), io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
