package resptest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

// pythonImports are what an environment must hold.
var pythonImports = map[string]string{
	"7":    "import redisvl, langchain_redis, pytest, numpy",
	"8":    "import redis, pytest, numpy",
	"http": "import langcache, openai, redisvl, pytest, numpy",
	"apps": "import celery, rq, django_redis, limits, redlock, pottery, redis_lock, pytest, numpy",

	"agents": "import redis_om, langgraph.checkpoint.redis, pytest, numpy",
	"memory": "import mem0, docket, redisvl, pytest, numpy",
	// Imported by its test alone: it takes seconds.
	"litellm": "import fastapi, orjson, soundfile, redisvl, pytest, numpy",
}

// Python returns the interpreter of a virtual environment with the packages of
// compat/python/requirements<version>.txt: version is "8" for the newest
// redis-py, "7" for redisvl and langchain-redis on redis-py 7, "apps" for
// applications, "http" for clients of the semantic cache over HTTP, "agents" for
// redis-om and LangGraph, "memory" for mem0 and agent-memory-server, "litellm" for
// LiteLLM. The environment is the folder that NEARCACHE_VENV8 and so on names. With
// NEARCACHE_REQUIRE_PYTHON=1 it is made in the user's cache folder where none
// is named, and its absence is a failure; otherwise the test is skipped without.
func Python(tb testing.TB, version string) string {
	tb.Helper()
	python, err := interpreter(tb, version)
	if err != nil {
		if pythonRequired() {
			tb.Fatal(err)
		}
		tb.Skip("the Python clients are not tested:", err)
	}
	return python
}

func pythonRequired() bool { return os.Getenv("NEARCACHE_REQUIRE_PYTHON") == "1" }

func interpreter(tb testing.TB, version string) (string, error) {
	requirements, err := above(filepath.Join("resp", "resptest", "compat", "python", "requirements"+version+".txt"))
	if err != nil {
		return "", err
	}
	name := "NEARCACHE_VENV" + version
	venv := os.Getenv(name)
	if venv == "" && !pythonRequired() {
		return "", fmt.Errorf("%s names no virtual environment with the packages of %s; NEARCACHE_REQUIRE_PYTHON=1 makes one",
			name, filepath.Base(requirements))
	}
	if venv == "" {
		if venv, err = makeVenv(tb, version, requirements); err != nil {
			return "", err
		}
	}
	python := filepath.Join(venv, "bin", "python")
	return python, runProgram(tb, python, "-c", pythonImports[version])
}

// above finds a file of the checkout from any folder inside.
func above(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no %s here or above", name)
		}
	}
}

// makeVenv makes the environment, or finds the one made before.
func makeVenv(tb testing.TB, version, requirements string) (string, error) {
	list, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "nearcache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// Another list of packages is another folder.
	venv := filepath.Join(cache, fmt.Sprintf("venv%s-%.12x", version, sha256.Sum256(list)))
	// The tests of several packages run at once, and want the same one.
	for {
		lock, err := vfs.OS.Lock(venv + ".lock")
		if errors.Is(err, vfs.ErrLocked) {
			time.Sleep(200 * time.Millisecond)
			continue
		}
		if err != nil {
			return "", err
		}
		defer lock.Close()
		break
	}
	done := filepath.Join(venv, "complete")
	if _, err := os.Stat(done); err == nil {
		return venv, nil
	}
	if err := runProgram(tb, "python3", "-m", "venv", "--clear", venv); err != nil {
		return "", err
	}
	err = runProgram(tb, filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "--quiet",
		"--disable-pip-version-check", "--no-deps", "--ignore-requires-python", "-r", requirements) // as .ci/run does
	if err != nil {
		return "", err
	}
	return venv, os.WriteFile(done, nil, 0o666)
}

func runProgram(tb testing.TB, name string, args ...string) error {
	out, err := exec.CommandContext(tb.Context(), name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}
