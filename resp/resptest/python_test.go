package resptest_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// python runs the tests of one environment against a server of their own. The
// environment is the folder that NEARCACHE_VENV8 or NEARCACHE_VENV7 names. With
// NEARCACHE_REQUIRE_PYTHON=1 it is made in the user's cache folder where none is
// named, and its absence is a failure; otherwise the tests are skipped without.
func python(t *testing.T, version string) {
	const folder = "compat/python"
	venv, err := environment(t, folder, version)
	if err != nil {
		if required() {
			t.Fatal(err)
		}
		t.Skip("the Python clients are not tested: ", err)
	}
	s := resptest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(venv, "bin", "python"),
		"-m", "pytest", "-q", "-p", "no:cacheprovider", "redis"+version)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "NEARCACHE_ADDR="+s.Addr(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func required() bool { return os.Getenv("NEARCACHE_REQUIRE_PYTHON") == "1" }

// environment returns a virtual environment with the packages of
// requirements<version>.txt.
func environment(t *testing.T, folder, version string) (string, error) {
	name := "NEARCACHE_VENV" + version
	venv := os.Getenv(name)
	requirements := filepath.Join(folder, "requirements"+version+".txt")
	if venv == "" && !required() {
		return "", fmt.Errorf("%s names no virtual environment with the packages of %s; NEARCACHE_REQUIRE_PYTHON=1 makes one", name, requirements)
	}
	if venv == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		list, err := os.ReadFile(requirements)
		if err != nil {
			return "", err
		}
		// Another list of packages is another folder.
		venv = filepath.Join(cache, "nearcache", fmt.Sprintf("venv%s-%x", version, sha256.Sum256(list))[:30])
		done := filepath.Join(venv, "complete")
		if _, err := os.Stat(done); err != nil {
			if err := run(t, "python3", "-m", "venv", "--clear", venv); err != nil {
				return "", err
			}
			err := run(t, filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "--quiet",
				"--disable-pip-version-check", "-r", requirements)
			if err != nil {
				return "", err
			}
			if err := os.WriteFile(done, nil, 0o666); err != nil {
				return "", err
			}
		}
	}
	check := map[string]string{"8": "import redis, pytest, numpy", "7": "import redisvl, langchain_redis, pytest, numpy"}
	return venv, run(t, filepath.Join(venv, "bin", "python"), "-c", check[version])
}

func run(t *testing.T, name string, args ...string) error {
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}
