package resptest_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// TestNodeClients runs compat/node with the packages in the folder that
// NEARCACHE_NODE_MODULES names: npm ci in compat/node makes it.
func TestNodeClients(t *testing.T) {
	modules := folder(t, "NEARCACHE_NODE_MODULES")
	for _, program := range []string{"tracking.cjs", "bullmq.cjs", "scripts.cjs", "search.cjs"} {
		t.Run(program, func(t *testing.T) {
			foreign(t, []string{"NODE_PATH=" + modules}, "node", filepath.Join("compat", "node", program))
		})
	}
}

// TestJavaClients runs compat/java with the libraries in the folder that
// NEARCACHE_JARS names: mvn dependency:copy-dependencies in compat/java makes it.
func TestJavaClients(t *testing.T) {
	jars := folder(t, "NEARCACHE_JARS")
	foreign(t, nil, "java", "-cp", filepath.Join(jars, "*"), filepath.Join("compat", "java", "Tracking.java"))
}

// folder is the folder that a variable names; the test is skipped where it names none.
func folder(t *testing.T, variable string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("%s names no folder with the clients", variable)
	}
	return dir
}

// foreign runs a program that tests a client, with the host and port of a server
// of its own behind its arguments.
func foreign(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	s := resptest.Start(t)
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, append(args, host, port)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
