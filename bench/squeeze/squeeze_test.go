package squeeze

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun measures little, and looks at the table.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "texts.jsonl")
	var b []byte
	for i := range 400 {
		s := strings.Repeat(fmt.Sprintf("Answer %d: as of today, the shop in street %d opens at %d o'clock. ", i, i*7919%1000, i%24), 3+i%2)
		j, _ := json.Marshal(s)
		if i%2 == 0 {
			b = append(append(b, j...), '\n')
		} else {
			b = fmt.Appendf(b, "{\"text\": %s}\n", j)
		}
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	file := filepath.Join(t.TempDir(), "table.md")
	if err := Run([]string{"-jsonl", path, "-rounds", "1", "-volume", "1000", "-out", file}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"400 texts. Learned from 200", "| s2 | ", "| zstd best | ", "| squeeze fastest, dictionary 16 kB | "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing:\n%s", want, out.String())
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != out.String() {
		t.Errorf("the file differs: %v", err)
	}
}

func TestTextsThatAreThere(t *testing.T) {
	all, err := sets("")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, x := range s.texts {
			if strings.HasSuffix(s.name, "-json") && !json.Valid(x) {
				t.Fatalf("%s: no JSON: %s", s.name, x)
			}
		}
		t.Logf("%s: %d texts", s.name, len(s.texts))
	}
	if len(all) < 2 {
		t.Errorf("%d sets", len(all))
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-x"}, {"more"}, {"-jsonl", filepath.Join(t.TempDir(), "none")}} {
		if err := Run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
