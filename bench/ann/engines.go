package main

import (
	"bufio"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	coderhnsw "github.com/coder/hnsw"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kinds"
)

// timing is what one build or one pass over the queries took.
type timing struct {
	Seconds float64 `json:"seconds"`         // by the wall clock
	CPU     float64 `json:"cpu"`             // processor time of the process
	Bytes   int64   `json:"bytes,omitempty"` // of a build: memory that it added
}

// engine is an index to be measured.
type engine interface {
	name() string
	version() string
	exact() bool // ef means nothing to it
	build(*set) (timing, error)
	// search finds the k nearest of every query: queries*k labels.
	search(s *set, ef int) (timing, []int32, error)
	close()
}

func timed(f func() error) (timing, error) {
	c, w := cpuTime(), time.Now()
	err := f()
	return timing{Seconds: time.Since(w).Seconds(), CPU: cpuTime() - c}, err
}

func blob(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func blobs(v []float32, dim int) [][]byte {
	var b [][]byte
	for ; len(v) > 0; v = v[dim:] {
		b = append(b, blob(v[:dim]))
	}
	return b
}

// nearcache is one of our kinds.
type nearcache struct {
	o       options
	kind    string
	x       index.Index
	queries [][]byte
	dst     []index.Neighbor
}

func newNearcache(o options, kind string) *nearcache { return &nearcache{o: o, kind: kind} }

func (e *nearcache) name() string    { return "nearcache " + e.kind }
func (e *nearcache) version() string { return commit() }
func (e *nearcache) exact() bool     { return e.kind == "FLAT" }

func (e *nearcache) build(s *set) (timing, error) {
	kind, ok := kinds.Find(e.kind)
	if !ok {
		return timing{}, fmt.Errorf("no kind %s", e.kind)
	}
	rows := blobs(s.train, s.dim)
	e.queries = blobs(s.query, s.dim)
	debug.FreeOSMemory()
	before := rss()
	t, err := timed(func() (err error) {
		e.x, err = kind.New(index.Params{Dim: s.dim, Metric: index.Cosine, M: e.o.m, EFConstruction: e.o.efc, Seed: e.o.seed})
		for i := 0; i < len(rows) && err == nil; i++ {
			err = e.x.Add(index.Label(i), 1, rows[i])
		}
		return err
	})
	debug.FreeOSMemory()
	t.Bytes = rss() - before
	runtime.KeepAlive(rows) // freeing them is not the index's merit
	return t, err
}

func (e *nearcache) search(s *set, ef int) (timing, []int32, error) {
	labels := make([]int32, 0, s.queries*e.o.k)
	t, err := timed(func() (err error) {
		for _, q := range e.queries {
			if e.dst, err = e.x.Search(e.dst[:0], q, e.o.k, index.SearchOptions{EF: ef}); err != nil {
				return err
			}
			for i := range e.o.k {
				l := int32(-1)
				if i < len(e.dst) {
					l = int32(e.dst[i].Label)
				}
				labels = append(labels, l)
			}
		}
		return nil
	})
	return t, labels, err
}

func (e *nearcache) close() {
	if e.x != nil {
		e.x.Close()
	}
}

// coder is github.com/coder/hnsw. It has one EfSearch, used for building too.
type coder struct {
	o options
	g *coderhnsw.Graph[int32]
}

func (e *coder) name() string { return "coder/hnsw" }

func (e *coder) version() string { return moduleVersion("github.com/coder/hnsw") }

func (e *coder) exact() bool { return false }

func (e *coder) build(s *set) (timing, error) {
	debug.FreeOSMemory()
	before := rss()
	t, err := timed(func() error {
		e.g = coderhnsw.NewGraph[int32]()
		e.g.M, e.g.EfSearch, e.g.Ml = e.o.m, e.o.efc, 1/math.Log(float64(e.o.m))
		e.g.Distance = coderhnsw.CosineDistance
		e.g.Rng = rand.New(rand.NewSource(int64(e.o.seed)))
		for i := range s.n {
			e.g.Add(coderhnsw.MakeNode(int32(i), s.row(i)))
		}
		return nil
	})
	debug.FreeOSMemory()
	// It keeps the caller's vectors, so they are counted here.
	t.Bytes = rss() - before + int64(4*len(s.train))
	return t, err
}

func (e *coder) search(s *set, ef int) (timing, []int32, error) {
	labels := make([]int32, 0, s.queries*e.o.k)
	e.g.EfSearch = ef
	t, err := timed(func() error {
		for q := range s.queries {
			got := e.g.Search(s.queryAt(q), e.o.k)
			for i := range e.o.k {
				l := int32(-1)
				if i < len(got) {
					l = got[i].Key
				}
				labels = append(labels, l)
			}
		}
		return nil
	})
	return t, labels, err
}

func (e *coder) close() {}

const hnswlibVersion = "0.8.0"

//go:embed peers/hnswlib_peer.py
var hnswlibPeer []byte

// hnswlib runs in a Python process of its own.
type hnswlib struct {
	o    options
	dir  string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	what string
}

// newHnswlib makes the virtual environment if it is not there, and starts the process.
func newHnswlib(o options, s *set, say func(string, ...any)) (_ *hnswlib, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	venv := filepath.Join(cache, "nearcache-bench", "hnswlib-"+hnswlibVersion)
	py := filepath.Join(venv, "bin", "python")
	if exec.Command(py, "-c", "import hnswlib, numpy").Run() != nil {
		say("building hnswlib %s from PyPI, which takes a minute", hnswlibVersion)
		for _, c := range [][]string{
			{"python3", "-m", "venv", "--clear", venv},
			{py, "-m", "pip", "install", "-q", "--no-binary", "hnswlib", "hnswlib==" + hnswlibVersion, "numpy"},
		} {
			if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", strings.Join(c[1:], " "), err, out)
			}
		}
	}
	e := &hnswlib{o: o, what: hnswlibVersion + " from PyPI, -O3 -march=native"}
	if e.dir, err = os.MkdirTemp("", "nearcache-ann"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	script := filepath.Join(e.dir, "peer.py")
	train, query := filepath.Join(e.dir, "train"), filepath.Join(e.dir, "query")
	if err := errors.Join(
		os.WriteFile(script, hnswlibPeer, 0o600),
		os.WriteFile(train, blob(s.train), 0o600),
		os.WriteFile(query, blob(s.query), 0o600)); err != nil {
		return nil, err
	}
	e.cmd = exec.Command(py, script, train, query, fmt.Sprint(s.dim), fmt.Sprint(o.k), fmt.Sprint(o.m), fmt.Sprint(o.efc), fmt.Sprint(o.seed))
	e.cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	e.cmd.Stderr = os.Stderr
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.out = bufio.NewReaderSize(out, 1<<20)
	return e, e.cmd.Start()
}

func (e *hnswlib) name() string    { return "hnswlib" }
func (e *hnswlib) version() string { return e.what }
func (e *hnswlib) exact() bool     { return false }

func (e *hnswlib) ask(command string) (timing, []int32, error) {
	var a struct {
		timing
		Labels string `json:"labels"`
	}
	if _, err := fmt.Fprintln(e.in, command); err != nil {
		return a.timing, nil, err
	}
	line, err := e.out.ReadBytes('\n')
	if err != nil {
		return a.timing, nil, err
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a.timing, nil, err
	}
	b, err := base64.StdEncoding.DecodeString(a.Labels)
	labels := make([]int32, len(b)/4)
	for i := range labels {
		labels[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return a.timing, labels, err
}

func (e *hnswlib) build(*set) (timing, error) {
	t, _, err := e.ask("build")
	return t, err
}

func (e *hnswlib) search(s *set, ef int) (timing, []int32, error) {
	t, labels, err := e.ask(fmt.Sprintf("ef %d", ef))
	if err == nil && len(labels) != s.queries*e.o.k {
		err = fmt.Errorf("%d results", len(labels))
	}
	return t, labels, err
}

func (e *hnswlib) close() {
	if e.in != nil {
		e.in.Close()
	}
	if e.cmd != nil && e.cmd.Process != nil {
		_ = e.cmd.Wait() // it ends with its input
	}
	os.RemoveAll(e.dir)
}
