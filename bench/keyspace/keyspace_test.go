package keyspace

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

// peers are flags of two servers in this process.
func peers(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{"-peer", "a=" + resptest.Start(t).Addr(), "-peer", "b=" + resptest.Start(t).Addr()}, more...)
}

func load(t *testing.T, base string) (r report) {
	t.Helper()
	b, err := os.ReadFile(base + ".json")
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMemoryOfSmallServers(t *testing.T) {
	base := filepath.Join(t.TempDir(), "memory")
	var text strings.Builder
	err := Memory(peers(t, "-parts", "keys,hash,gc", "-keys", "5000", "-hashes", "2000", "-out", base), &text, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r := load(t, base)
	if len(r.Keys) != 4 || r.GC == nil || r.GC.Keys != 5000 {
		t.Fatalf("%+v", r)
	}
	for _, k := range r.Keys {
		if k.Used < 80 || k.Usage < 80 || k.Used > 1000 || k.Usage > 1000 {
			t.Errorf("%+v", k)
		}
	}
	if svg, err := os.ReadFile(base + ".svg"); err != nil || !strings.Contains(string(svg), "hash of 5 small fields") {
		t.Errorf("no plot: %v", err)
	}
	if strings.Count(text.String(), "| a |")+strings.Count(text.String(), "| b |") != 4 {
		t.Errorf("%s", text.String())
	}
}

func TestExpiryOfASmallServer(t *testing.T) {
	base := filepath.Join(t.TempDir(), "expiry")
	if err := Expiry(peers(t, "-due", "2000", "-readers", "2", "-rate", "200", "-out", base), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, x := range load(t, base).Expiry {
		if x.Left != 0 || x.Reads == 0 || x.Storm.P999 < x.Storm.P50 || x.Storm.P50 == 0 {
			t.Errorf("%+v", x)
		}
	}
}

func TestSlowReadersOfASmallServer(t *testing.T) {
	base := filepath.Join(t.TempDir(), "slow")
	if err := Slow(peers(t, "-clients", "20", "-readers", "2", "-rate", "200", "-out", base), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, x := range load(t, base).Slow {
		if x.Cut != x.Clients || x.Reads == 0 || x.Calm.P50 == 0 {
			t.Errorf("%+v", x)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	for _, args := range [][]string{{"-parts", "nothing"}, {"-parts", "keys"}, {"-nonsense"}} {
		if err := Memory(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
