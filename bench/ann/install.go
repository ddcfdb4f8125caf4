package ann

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const hnswlibVersion = "0.8.0"

//go:embed peers/hnswlib.cpp
var hnswlibSource []byte

//go:embed peers/peer.py
var pythonPeer []byte

// hnswlib is compiled here, for this processor; the others come compiled and
// choose their kernels at run time.
var pythonPackages = []string{"numpy", "faiss-cpu", "usearch", "h5py", "--no-binary", "hnswlib", "hnswlib==" + hnswlibVersion}

// cacheDir holds what was built for the peers, and their saved indexes.
func cacheDir(parts ...string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(append([]string{base, "nearcache-bench"}, parts...)...)
	return dir, os.MkdirAll(dir, 0o755)
}

// sh runs commands one after the other in dir.
func sh(dir string, commands ...[]string) error {
	for _, c := range commands {
		cmd := exec.Command(c[0], c[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", filepath.Base(c[0]), err, out)
		}
	}
	return nil
}

// venv is a virtual environment that can import what packages bring; it is
// made where it is not there.
func venv(name string, imports string, say func(string, ...any), packages ...string) (python string, err error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, name)
	python = filepath.Join(dir, "bin", "python")
	if exec.Command(python, "-c", "import "+imports).Run() == nil {
		return python, nil
	}
	commands := [][]string{{"python3", "-m", "venv", "--clear", dir}}
	if len(packages) > 0 {
		say("installing %s from PyPI", strings.Join(packages, ", "))
		commands = append(commands, append([]string{python, "-m", "pip", "install", "-q", "--disable-pip-version-check"}, packages...))
	}
	return python, sh("", commands...)
}

// hnswlibBinary compiles our program with hnswlib's header, which comes with
// the source package on PyPI.
func hnswlibBinary(say func(string, ...any)) (string, error) {
	sum := sha256.Sum256(hnswlibSource)
	dir, err := cacheDir("hnswlib-" + hnswlibVersion)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "hnswlib-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	source := filepath.Join(dir, "hnswlib-"+hnswlibVersion)
	if _, err := os.Stat(filepath.Join(source, "hnswlib", "hnswlib.h")); err != nil {
		py, err := venv("pip", "pip", say)
		if err != nil {
			return "", err
		}
		say("fetching hnswlib %s", hnswlibVersion)
		if err := sh(dir, []string{py, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--no-binary", "hnswlib", "hnswlib==" + hnswlibVersion},
			[]string{"tar", "xzf", "hnswlib-" + hnswlibVersion + ".tar.gz"}); err != nil {
			return "", err
		}
	}
	say("compiling hnswlib %s", hnswlibVersion)
	cpp := bin + ".cpp"
	if err := os.WriteFile(cpp, hnswlibSource, 0o600); err != nil {
		return "", err
	}
	return bin, sh(dir, []string{"g++", "-std=c++17", "-O3", "-march=native", "-pthread", "-I", source, "-o", bin + ".tmp", cpp}, []string{"mv", bin + ".tmp", bin})
}

func pythonVenv(say func(string, ...any)) (string, error) {
	return venv("python", "numpy, faiss, usearch, h5py, hnswlib", say, pythonPackages...)
}

// openPython opens a library of peers/peer.py.
func openPython(name, library string) func(*options, *set) (engine, error) {
	return func(o *options, s *set) (engine, error) {
		python, err := pythonVenv(o.say)
		if err != nil {
			return nil, err
		}
		dir, err := s.files()
		if err != nil {
			return nil, err
		}
		script := filepath.Join(dir, "peer.py")
		if err := os.WriteFile(script, pythonPeer, 0o600); err != nil {
			return nil, err
		}
		e, err := startPeer(o, s, "", python, script, library)
		if err != nil {
			return nil, err
		}
		if e.what, err = e.hello(); err != nil {
			e.close()
			return nil, err
		}
		version, _, _ := strings.Cut(e.what, " ")
		return e, e.remember(s, name, version)
	}
}

func openHnswlib(o *options, s *set) (engine, error) {
	bin, err := hnswlibBinary(o.say)
	if err != nil {
		return nil, err
	}
	e, err := startPeer(o, s, hnswlibVersion+" header from PyPI, g++ -O3 -march=native, huge pages", bin)
	if err != nil {
		return nil, err
	}
	return e, e.remember(s, "hnswlib", hnswlibVersion)
}

// remember names the file of the index, if -reuse says that it may be loaded.
func (e *peer) remember(s *set, name, version string) error {
	o := e.o
	if !slices.Contains(o.reuse, name) && !slices.Contains(o.reuse, "all") {
		return nil
	}
	dir, err := cacheDir("saved")
	e.cache = filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s-m%d-efc%d-seed%d", name, version, s.sum(), o.metric, o.m, o.efc, o.seed))
	return err
}
