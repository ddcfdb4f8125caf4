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
func TestPythonClientsOfRedis8(t *testing.T) { python(t, "8", "redis8") }

// TestPythonClientsOfRedis7 runs compat/python/redis7: redisvl and
// langchain-redis on redis-py 7.
func TestPythonClientsOfRedis7(t *testing.T) { python(t, "7", "redis7") }

// TestPythonApplications runs compat/python/apps: Celery and RQ with worker
// processes, django-redis, locks, and rate limits.
func TestPythonApplications(t *testing.T) { python(t, "apps", "apps") }

// TestPythonClientsOverHTTP runs compat/python/http: LangCache's SDK, RedisVL on it, and
// OpenAI's client through the proxy.
func TestPythonClientsOverHTTP(t *testing.T) { python(t, "http", "http") }

// TestPythonAgents runs compat/python/agents: redis-om, and the checkpoints and the
// store of LangGraph.
func TestPythonAgents(t *testing.T) { python(t, "agents", "agents") }

// TestPythonMemory runs compat/python/memory: mem0 and agent-memory-server.
func TestPythonMemory(t *testing.T) { python(t, "memory", "memory") }

// TestPythonLiteLLM runs compat/python/litellm: LiteLLM's caches, with embeddings of the
// server's.
func TestPythonLiteLLM(t *testing.T) { python(t, "litellm", "litellm") }

// python runs a folder of tests in an environment, against a server of their own.
func python(t *testing.T, version, tests string) {
	interpreter := resptest.Python(t, version)
	s := resptest.Start(t, "--http", "127.0.0.1:0", "--embed", "lexical")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
	cmd.Dir = "compat/python"
	cmd.Env = append(os.Environ(), "NEARCACHE_ADDR="+s.Addr(), "NEARCACHE_HTTP="+s.HTTPAddr(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
