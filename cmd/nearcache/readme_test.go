package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/resptest"
	"github.com/nearcache/nearcache/resp/server"
)

// root is the top of the checkout.
const root = "../.."

// blocks are the fenced blocks of README.md in one language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var l []string
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			l = append(l, m[2])
		}
	}
	if len(l) == 0 {
		t.Fatalf("README.md has no block in %s", language)
	}
	return l
}

const runNearcache = "go run ./cmd/nearcache"

// TestReadmeShell runs every shell block of README.md, each line as a newcomer
// would, with the binary in place of go run and a free port.
func TestReadmeShell(t *testing.T) {
	for _, block := range blocks(t, "sh") {
		for line := range strings.Lines(block) {
			line = strings.TrimSpace(line)
			command, _, _ := strings.Cut(line, " #")
			args, ok := strings.CutPrefix(strings.TrimSpace(command), runNearcache)
			args = strings.TrimSpace(args)
			t.Run(line, func(t *testing.T) {
				switch {
				case command == "go test ./...":
					ciRuns(t, command)
				case !ok:
					t.Error("this test does not know how to run that")
				case args == "demo":
					readmeDemo(t)
				case args == "--help":
					if out := readmeRun(t, "--help"); !strings.Contains(out, "--maxmemory ") {
						t.Errorf("--help says %q", out)
					}
				case args == "commands":
					if out := readmeRun(t, "commands"); !strings.Contains(out, "CLIENT LIST") {
						t.Errorf("commands says %q", out)
					}
				default:
					readmeServe(t, line)
				}
			})
		}
	}
}

// ciRuns: a test cannot run all tests, the script that guards every change does.
func ciRuns(t *testing.T, command string) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "\n"+command+"\n") {
		t.Errorf(".ci/run does not run %s", command)
	}
}

// readmeRun runs the binary at the top of the checkout, to its end.
func readmeRun(t *testing.T, args ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

func readmeDemo(t *testing.T) {
	t.Helper()
	out := readmeRun(t, "demo")
	for _, want := range []string{"3,080 new questions", "untrue answers read afterwards: 0", "Try next"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}

// readmeServe starts a server as line says, in an empty folder. It must
// become ready, answer, and end when it is interrupted.
func readmeServe(t *testing.T, line string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	// The port is free and the addresses are the defaults; all else is the
	// line, read by a shell.
	line = regexp.MustCompile(`--port \d+`).ReplaceAllString(line, "")
	line = regexp.MustCompile(`--http \d+`).ReplaceAllString(line, "--http 127.0.0.1:0")
	line = strings.Replace(line, runNearcache, `exec "$NEARCACHE_BINARY" --port 0`, 1)
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "NEARCACHE_BINARY="+path)
	addr := startAndWait(t, cmd)
	c, err := client.Dial(t.Context(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, err := c.Do("SET", "k", "v"); err != nil {
		t.Errorf("SET: %v %v", v, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it still runs long after an interrupt")
	}
	left, err := os.ReadDir(cmd.Dir)
	if err != nil {
		t.Fatal(err)
	}
	want := "nearcache-data"
	if m := regexp.MustCompile(`--dir \./(\S+)`).FindStringSubmatch(line); m != nil {
		want = m[1]
	}
	if strings.Contains(line, "nothing on disk") {
		want = ""
	}
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("its folder holds %q, want %q", got, want)
	}
}

// readmePython runs a Python block of README.md against a server of its own
// and returns what it has printed and a connection to that server.
func readmePython(t *testing.T, needle, version string) (string, *client.Conn) {
	t.Helper()
	var block string
	for _, b := range blocks(t, "python") {
		if strings.Contains(b, needle) {
			block = b
		}
	}
	if block == "" {
		t.Fatalf("README.md has no Python block with %s", needle)
	}
	python := resptest.Python(t, version)
	_, addr := serve(t, "--dir", t.TempDir())
	if !strings.Contains(block, "6379") {
		t.Fatal("the block does not name the port")
	}
	_, port, _ := strings.Cut(addr, ":")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", strings.ReplaceAll(block, "6379", port))
	cmd.Dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	c, err := client.Dial(t.Context(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return stdout.String(), c
}

// TestReadmePythonBlocksAreTested: there is a test below for each.
func TestReadmePythonBlocksAreTested(t *testing.T) {
	if n := len(blocks(t, "python")); n != 4 {
		t.Errorf("README.md has %d Python blocks, 4 are tested", n)
	}
	cfg, err := server.LoadConfig(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := fmt.Sprint(cfg.Port()); p != "6379" {
		t.Errorf("the default port is %s, README.md says 6379", p)
	}
}

func TestReadmeClientThatCaches(t *testing.T) {
	out, c := readmePython(t, "CacheConfig", "8")
	if out != "9.99\n9.99\n7.99\n" {
		t.Errorf("it prints %q", out)
	}
	// One of the three reads never came here.
	v, err := c.Do("INFO", "stats")
	if err != nil || !strings.Contains(v.Str, "keyspace_hits:2\r\n") {
		t.Errorf("three reads, one of them from the client's memory: %v\n%s", err, v.Str)
	}
}

func TestReadmeSemanticCache(t *testing.T) {
	out, c := readmePython(t, "SemanticCache", "7")
	m := regexp.MustCompile(`(?s)^Click on 'Forgot password'\. (0\.\d+)\n$`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("it prints %q", out)
	}
	if m[1] >= "0.1" {
		t.Errorf("a hit at distance %s, beyond the threshold", m[1])
	}
	keys, err := c.Do("KEYS", "llmcache:*")
	if err != nil || len(keys.Elems) != 1 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	if ttl, err := c.Do("TTL", keys.Elems[0].Str); err != nil || ttl.Int < 3500 || ttl.Int > 3600 {
		t.Errorf("the entry lives %v seconds, %v", ttl, err)
	}
}

func TestReadmeSemanticCommands(t *testing.T) {
	out, c := readmePython(t, "SEM.CREATE", "8")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "'semantic'") || !strings.Contains(lines[0], "in 5 days") ||
		!strings.Contains(lines[1], "'miss'") || !strings.Contains(lines[2], "'miss'") {
		t.Errorf("it prints %s", out)
	}
	if keys, err := c.Do("KEYS", "sem:{shop}:*"); err != nil || len(keys.Elems) != 0 {
		t.Errorf("what depends on shipping:norway is %v, %v", keys, err)
	}
}

func TestReadmeLangCache(t *testing.T) {
	var block string
	for _, b := range blocks(t, "python") {
		if strings.Contains(b, "LangCache") {
			block = b
		}
	}
	python := resptest.Python(t, "http")
	s := resptest.Start(t, "--http", "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", strings.ReplaceAll(block, "localhost:8080", s.HTTPAddr()))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil || !regexp.MustCompile(`^Click on 'Forgot password'\. 0\.9\d+\n$`).Match(out) {
		t.Errorf("it prints %q, %v", out, err)
	}
}
