package ann

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/datasets"
)

// load makes the set of what -data, -queries-from or -gen names. Queries are
// held out of the vectors where none come with them.
func load(o *options) (*set, error) {
	s := &set{metric: o.metric}
	m, asked, err := s.open(o)
	if err != nil {
		return nil, err
	}
	if o.queriesFrom != "" {
		if asked, _, err = read(o, o.queriesFrom); err != nil {
			return nil, err
		}
	}
	rows := m.Rows
	if o.limit > 0 {
		rows = min(rows, o.limit)
	}
	held := o.queries
	if asked != nil {
		if asked.Dim != m.Dim {
			return nil, fmt.Errorf("queries of %d dimensions, vectors of %d", asked.Dim, m.Dim)
		}
		held, s.queries = 0, min(o.queries, asked.Rows)
		s.query = asked.Data[:s.queries*m.Dim]
	} else {
		s.queries = held
	}
	if rows < held+o.k || s.queries < 4 {
		return nil, fmt.Errorf("%d vectors are too few for %d queries and %d neighbours", rows, s.queries, o.k)
	}
	s.dim, s.n = m.Dim, rows-held
	for i, r := range rand.New(rand.NewPCG(o.seed, 0)).Perm(rows) {
		if i < held {
			s.query = append(s.query, m.Row(r)...)
		} else {
			s.train = append(s.train, m.Row(r)...)
		}
	}
	s.tmp, err = os.MkdirTemp("", "nearcache-ann")
	return s, err
}

// open names the set and reads or makes it.
func (s *set) open(o *options) (m, queries *datasets.Matrix, err error) {
	switch {
	case o.gen != "":
		c := datasets.Clusters{Seed: o.seed}
		if c.Rows, c.Dim, err = shape(o.gen); err != nil {
			return nil, nil, err
		}
		c.Rows += o.queries
		s.name = "clusters-" + o.gen
		m, err = c.Make(datasets.Limits{})
		return m, nil, err
	case o.data != "":
		s.name = strings.TrimSuffix(filepath.Base(o.data), filepath.Ext(o.data))
		return read(o, o.data)
	}
	dir, err := datasets.Dir()
	if err != nil {
		return nil, nil, err
	}
	man, err := datasets.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	e, err := man.MiniLM()
	if err != nil {
		return nil, nil, err
	}
	s.name = "minilm"
	return &e.Matrix, nil, nil
}

// shape reads ROWSxDIM.
func shape(s string) (rows, dim int, err error) {
	r, d, _ := strings.Cut(s, "x")
	rows, errRows := strconv.Atoi(r)
	dim, errDim := strconv.Atoi(d)
	if errRows != nil || errDim != nil || rows < 1 || dim < 1 {
		return 0, 0, fmt.Errorf("-gen: %q is no ROWSxDIM", s)
	}
	return rows, dim, nil
}

// read reads a file of vectors; of HDF5, the queries beside them.
func read(o *options, path string) (m, queries *datasets.Matrix, err error) {
	switch ext := filepath.Ext(path); ext {
	case ".npy":
		m, err = datasets.LoadNPY(path, datasets.Limits{})
	case ".fvecs":
		m, err = datasets.LoadFvecs(path, datasets.Limits{})
	case ".hdf5", ".h5":
		return readHDF5(o, path)
	default:
		err = fmt.Errorf("%s: files %q are not read, only .npy, .fvecs and .hdf5", filepath.Base(path), ext)
	}
	return m, nil, err
}

//go:embed peers/hdf5.py
var hdf5Script []byte

// readHDF5 reads the data sets train and test of a file in the layout of
// ann-benchmarks. h5py converts it: there is no well-kept reader in Go that
// could be had.
func readHDF5(o *options, path string) (m, queries *datasets.Matrix, err error) {
	python, err := pythonVenv(o.say)
	if err != nil {
		return nil, nil, fmt.Errorf("h5py, which reads HDF5: %w", err)
	}
	dir, err := os.MkdirTemp("", "nearcache-hdf5")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	if err := sh("", []string{python, "-c", string(hdf5Script), path, dir}); err != nil {
		return nil, nil, err
	}
	if m, err = datasets.LoadNPY(filepath.Join(dir, "train.npy"), datasets.Limits{}); err != nil {
		return nil, nil, err
	}
	queries, err = datasets.LoadNPY(filepath.Join(dir, "test.npy"), datasets.Limits{})
	return m, queries, err
}
