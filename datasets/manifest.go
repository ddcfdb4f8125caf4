package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// EnvDir is the environment variable that names the folder of the data sets.
const EnvDir = "NEARCACHE_DATASETS"

const manifestName = "manifest.json"

// ErrNotFound is returned when the folder of the data sets cannot be found.
var ErrNotFound = errors.New("data sets not found")

// Manifest lists the sets of one folder.
type Manifest struct {
	Version int   `json:"version"`
	Sets    []Set `json:"sets"`

	dir string
}

// Set is one file and what must be known of it.
type Set struct {
	Name       string   `json:"name"`
	File       string   `json:"file"` // relative to the folder, with slashes
	Title      string   `json:"title"`
	Origin     string   `json:"origin"`
	Licence    string   `json:"licence"`
	LicenceURL string   `json:"licence_url"`
	Credit     string   `json:"credit"`
	Changes    string   `json:"changes"` // what was changed from the original
	Bytes      int64    `json:"bytes"`
	SHA256     string   `json:"sha256"`
	Format     string   `json:"format"`           // npy or jsonl
	Fields     []string `json:"fields,omitempty"` // of a jsonl row
	Rows       int      `json:"rows"`
	Element    string   `json:"element,omitempty"` // of a vector set, as in the file
	Dim        int      `json:"dim,omitempty"`
	Metric     string   `json:"metric,omitempty"`
	Texts      string   `json:"texts,omitempty"` // the set whose row i is the text of row i
	Parts      []Part   `json:"parts,omitempty"`

	dir string
}

// Part says which set the rows [From, To) come from.
type Part struct {
	Set  string `json:"set"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// Dir finds the folder of the data sets: the environment variable
// NEARCACHE_DATASETS, or the first folder "datasets" with a manifest in the
// working directory or one above it. The error wraps [ErrNotFound] and says
// what to do.
func Dir() (string, error) {
	if d := os.Getenv(EnvDir); d != "" {
		if !hasManifest(d) {
			return "", fmt.Errorf("%w: %s=%s holds no %s", ErrNotFound, EnvDir, d, manifestName)
		}
		return d, nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := wd; ; {
		if d := filepath.Join(at, "datasets"); hasManifest(d) {
			return d, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", fmt.Errorf("%w: no datasets/%s in %s or above; run inside a checkout of nearcache or set %s", ErrNotFound, manifestName, wd, EnvDir)
		}
		at = up
	}
}

func hasManifest(dir string) bool {
	fi, err := os.Stat(filepath.Join(dir, manifestName))
	return err == nil && fi.Mode().IsRegular()
}

// Open reads the manifest of the folder dir; an empty dir means [Dir].
func Open(dir string) (*Manifest, error) {
	if dir == "" {
		d, err := Dir()
		if err != nil {
			return nil, err
		}
		dir = d
	}
	path := filepath.Join(dir, manifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &Manifest{dir: dir}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("%s: version %d, this program reads 1", path, m.Version)
	}
	for i := range m.Sets {
		s := &m.Sets[i]
		if !filepath.IsLocal(filepath.FromSlash(s.File)) {
			return nil, fmt.Errorf("%s: set %q: file %q is outside the folder", path, s.Name, s.File)
		}
		s.dir = dir
	}
	return m, nil
}

// Set returns the set called name.
func (m *Manifest) Set(name string) (*Set, error) {
	for i := range m.Sets {
		if m.Sets[i].Name == name {
			return &m.Sets[i], nil
		}
	}
	return nil, fmt.Errorf("no data set %q in %s", name, filepath.Join(m.dir, manifestName))
}

// Path is where the file of s lies.
func (s *Set) Path() string { return filepath.Join(s.dir, filepath.FromSlash(s.File)) }

// Verify reads the whole file and compares its size and SHA-256 with the
// manifest.
func (s *Set) Verify() error {
	f, err := os.Open(s.Path())
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Path(), err)
	}
	if n != s.Bytes {
		return fmt.Errorf("%s: %d bytes, the manifest says %d", s.Path(), n, s.Bytes)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != s.SHA256 {
		return fmt.Errorf("%s: sha256 %s, the manifest says %s", s.Path(), got, s.SHA256)
	}
	return nil
}
