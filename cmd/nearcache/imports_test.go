package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/nearcache/nearcache/"

// layers is the import rule: cmd → resp → store → index, never back. bench may
// import all of them, datasets none.
var layers = []struct {
	name   string
	mayUse []string
}{
	{"index", []string{"index"}},
	{"store", []string{"store", "index"}},
	{"resp", []string{"resp", "store", "index"}},
	{"datasets", []string{"datasets"}},
	{"bench", []string{"bench", "resp", "store", "index", "datasets"}},
	{"cmd", []string{"cmd", "bench", "resp", "store", "index", "datasets"}},
}

func layer(path string) string {
	l, _, _ := strings.Cut(strings.TrimPrefix(path, module), "/")
	return l
}

// TestImportRule holds the direction of imports, over all that a package
// depends on.
func TestImportRule(t *testing.T) {
	// With a profile, packages are listed once more as the command's own.
	out, err := exec.Command("go", "list", "-pgo=off", "-deps", "-json=ImportPath,Imports", "../../...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]int{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		from := layer(p.ImportPath)
		seen[from]++
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) && !allowed(from, layer(imp)) {
				t.Errorf("%s imports %s: %s may not use %s", p.ImportPath, imp, from, layer(imp))
			}
		}
	}
	for _, l := range layers {
		if seen[l.name] == 0 {
			t.Errorf("no package found in %s", l.name)
		}
	}
}

func allowed(from, to string) bool {
	for _, l := range layers {
		if l.name != from {
			continue
		}
		for _, u := range l.mayUse {
			if u == to {
				return true
			}
		}
	}
	return false
}
