package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/server"
)

// scratch is a folder for what the package's tests build.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nearcache-test")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func TestHelpListsAllSettings(t *testing.T) {
	var out strings.Builder
	if err := run([]string{"--help"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, s := range server.Settings {
		if !strings.Contains(out.String(), "--"+s.Name+" ") {
			t.Errorf("--help lacks %s", s.Name)
		}
	}
}

// TestLogFile: with logfile set, the server reports there.
func TestLogFile(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(path, "--port", "0", "--bind", "127.0.0.1", "--appendonly", "no", "--logfile", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 200 {
		if b, _ := os.ReadFile(file); readyLine.Match(b) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s does not say that the server is ready after 20 s", file)
}
