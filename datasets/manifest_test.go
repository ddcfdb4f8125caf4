package datasets

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func open(t testing.TB) *Manifest {
	t.Helper()
	m, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEverySetIsWhatTheManifestSays(t *testing.T) {
	m := open(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	var total int64
	for _, s := range m.Sets {
		if err := s.Verify(); err != nil {
			t.Error(err)
		}
		if s.Licence == "" || s.LicenceURL == "" || s.Credit == "" || s.Origin == "" || s.Changes == "" {
			t.Errorf("%s: licence, credit, origin or changes are missing", s.Name)
		}
		if !strings.Contains(string(readme), filepath.Base(s.File)) {
			t.Errorf("README.md does not name %s", s.File)
		}
		files = append(files, filepath.Base(s.File))
		total += s.Bytes
	}
	if total > 30<<20 {
		t.Errorf("%d bytes of data, 30 MiB are the most", total)
	}
	entries, err := os.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(files, e.Name()) {
			t.Errorf("data/%s is not in the manifest", e.Name())
		}
	}
}

func TestVerifyFindsADamagedFile(t *testing.T) {
	dir := t.TempDir()
	s := *must(open(t).Set("fow_pairs"))
	b, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if err := os.WriteFile(s.Path(), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(b)
	if err := s.Verify(); err != nil {
		t.Fatal(err)
	}
	b[100] ^= 1
	write(b)
	if err := s.Verify(); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Fatalf("one bit flipped: %v", err)
	}
	write(b[:len(b)-1])
	if err := s.Verify(); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Fatalf("cut: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestBanking77(t *testing.T) {
	q, err := open(t).Banking77()
	if err != nil {
		t.Fatal(err)
	}
	intents := map[string]bool{}
	split := map[string]int{}
	for _, x := range q {
		intents[x.Intent] = true
		split[x.Split]++
	}
	if len(q) != 13083 || len(intents) != 77 || split["train"] != 10003 || split["test"] != 3080 {
		t.Fatalf("%d questions, %d intents, splits %v", len(q), len(intents), split)
	}
}

func TestMiniLMRowsBelongToTheirTexts(t *testing.T) {
	m := open(t)
	e, err := m.MiniLM()
	if err != nil {
		t.Fatal(err)
	}
	for i := range e.Rows {
		if n := dot(e.Row(i), e.Row(i)); math.Abs(n-1) > 2e-3 {
			t.Fatalf("row %d has the squared length %v", i, n)
		}
	}
	q, err := m.Banking77()
	if err != nil {
		t.Fatal(err)
	}
	for i := range q {
		if q[i].Text != e.Texts[i] {
			t.Fatalf("row %d is %q, question %d is %q", i, e.Texts[i], i, q[i].Text)
		}
	}
	at := 0
	for _, p := range e.Parts {
		if p.From != at || p.To <= p.From {
			t.Fatalf("parts %v do not follow each other", e.Parts)
		}
		at = p.To
	}
	if at != e.Rows {
		t.Fatalf("parts end at %d of %d", at, e.Rows)
	}
	// A shift of rows against texts would make this chance (1 of 77): the
	// nearest train question of a test question mostly has its intent.
	right, n := 0, 0
	for i := range q {
		if q[i].Split != "test" || i%50 != 0 {
			continue
		}
		best, bestAt := -2.0, 0
		for j := range q {
			if q[j].Split != "train" {
				continue
			}
			if d := dot(e.Row(i), e.Row(j)); d > best {
				best, bestAt = d, j
			}
		}
		n++
		if q[bestAt].Intent == q[i].Intent {
			right++
		}
	}
	if n < 50 || right*100 < n*75 {
		t.Fatalf("the nearest neighbour has the same intent for %d of %d", right, n)
	}
}

func dot(a, b []float32) float64 {
	var s float32
	for i := range a {
		s += a[i] * b[i]
	}
	return float64(s)
}

func TestDir(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvDir, "")
	if d, err := Dir(); err != nil || d != here {
		t.Fatalf("from the folder itself: %q, %v, want %q", d, err, here)
	}
	t.Chdir("data")
	if d, err := Dir(); err != nil || d != here {
		t.Fatalf("from a folder below: %q, %v, want %q", d, err, here)
	}
	t.Chdir(t.TempDir())
	if d, err := Dir(); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), EnvDir) {
		t.Fatalf("outside: %q, %v", d, err)
	}
	t.Setenv(EnvDir, here)
	if d, err := Dir(); err != nil || d != here {
		t.Fatalf("by %s: %q, %v", EnvDir, d, err)
	}
	t.Setenv(EnvDir, t.TempDir())
	if _, err := Open(""); !errors.Is(err, ErrNotFound) {
		t.Fatalf("by %s to an empty folder: %v", EnvDir, err)
	}
}

func TestOpenRefusesAManifestThatLeavesTheFolder(t *testing.T) {
	f := func(manifest, want string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%s: %v", manifest, err)
		}
	}
	f(`{"version":1,"sets":[{"name":"x","file":"../../etc/passwd"}]}`, "outside")
	f(`{"version":1,"sets":[{"name":"x","file":"/etc/passwd"}]}`, "outside")
	f(`{"version":2}`, "version 2")
	f(`{`, "JSON")
}
