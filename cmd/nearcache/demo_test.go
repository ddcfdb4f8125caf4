package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func demoOutput(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// leftovers are the folders of demos that did not clean up.
func leftovers(t *testing.T) []string {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(os.TempDir(), "nearcache-demo-*"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDemoFromStartToEnd(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("NEARCACHE_REQUIREPASS", "of another server")
	stderr := demoOutput(t)
	var out bytes.Buffer
	if err := runDemo(context.Background(), []string{"--questions", "400", "--stored", "2000"}, &out, stderr); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	got := out.String()
	for _, want := range []string{"2,000 prompts", "400 new questions", "154 of 154 by key, 154 of 154 by meaning", "stale copies   0; untrue answers read afterwards: 0", "found 0 entries that are gone", "Try next\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the output lacks %q:\n%s", want, got)
		}
	}
	// The data and the search are exact: a fifth of the prompts answers most
	// of the questions, most of them right.
	m := regexp.MustCompile(`(?m)^  0\.20 +(\d+) +(\d+) +(\d+) `).FindStringSubmatch(got)
	if m == nil {
		t.Fatalf("no line for 0.20:\n%s", got)
	}
	hits, _ := strconv.Atoi(m[1])
	right, _ := strconv.Atoi(m[2])
	if hits < 200 || hits > 399 || right*100 < hits*85 || right == hits {
		t.Errorf("%d hits, %d of them right", hits, right)
	}
	if m := leftovers(t); len(m) > 0 {
		t.Errorf("left behind: %v", m)
	}
	progress, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(progress), "storing prompts: done in") || strings.ContainsAny(string(progress), "\r\x1b") {
		t.Errorf("progress in a file: %q", progress)
	}
}

func TestDemoEndsWhenInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if err := runDemo(ctx, []string{"--quiet"}, &out, demoOutput(t)); err == nil {
		t.Fatal("an interrupted demo said nothing")
	}
	if m := leftovers(t); len(m) > 0 {
		t.Errorf("left behind: %v", m)
	}
}

func TestDemoKeepsTheServerUntilItIsInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	out := &waitFor{text: "Ctrl-C ends it", found: cancel}
	if err := runDemo(ctx, []string{"--quiet", "--keep", "--questions", "20", "--stored", "300"}, out, demoOutput(t)); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if ctx.Err() == nil {
		t.Errorf("it did not wait:\n%s", out.String())
	}
}

// waitFor calls found once text was written.
type waitFor struct {
	bytes.Buffer
	text  string
	found func()
}

func (w *waitFor) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.found()
	}
	return w.Buffer.Write(p)
}

func TestDemoRefuses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f := func(want string, args ...string) {
		t.Helper()
		if err := runDemo(context.Background(), args, &bytes.Buffer{}, demoOutput(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
	f("argument", "x")
	f("refused", "--quiet", "--addr", "127.0.0.1:1")
	f("manifest.json", "--quiet", "--data", t.TempDir())
	f("from 0 to 2", "--quiet", "--threshold", "5")
	if err := runDemo(context.Background(), []string{"-h"}, &bytes.Buffer{}, demoOutput(t)); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}
