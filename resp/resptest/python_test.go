package resptest_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// TestPythonClientsOfRedis8 runs compat/python/redis8: the newest redis-py, in
// RESP2 and RESP3, with its client-side cache.
func TestPythonClientsOfRedis8(t *testing.T) { python(t, "8") }

// TestPythonClientsOfRedis7 runs compat/python/redis7: redisvl and
// langchain-redis on redis-py 7.
func TestPythonClientsOfRedis7(t *testing.T) { python(t, "7") }

// python runs the tests of one environment against a server of their own.
func python(t *testing.T, version string) {
	interpreter := resptest.Python(t, version)
	s := resptest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "redis"+version)
	cmd.Dir = "compat/python"
	cmd.Env = append(os.Environ(), "NEARCACHE_ADDR="+s.Addr(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
