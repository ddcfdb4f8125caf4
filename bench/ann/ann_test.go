package ann

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index"
)

// npy writes float32 rows as numpy does.
func npy(t *testing.T, rows, dim int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	v := make([]float32, rows*dim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	head := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + itoa(rows) + ", " + itoa(dim) + "), }"
	head += strings.Repeat(" ", 117-len(head)) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00v\x00"), head...)
	f := filepath.Join(t.TempDir(), "some.npy")
	if err := os.WriteFile(f, append(b, blob(v)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestMeasuresAndWritesResults(t *testing.T) {
	if testing.Short() {
		t.Skip("builds graphs")
	}
	dir := t.TempDir()
	data := npy(t, 700, 12)
	var out strings.Builder
	err := Run([]string{"-data", data, "-queries", "100", "-ef", "10,60", "-rounds", "2", "-engines", "nearcache,flat,coder", "-recall", "0.9", "-out", dir}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "ann-some-*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), filepath.Dir(data)) {
			t.Errorf("%s holds a path of this machine", filepath.Base(f))
		}
		switch filepath.Ext(f) {
		case ".json":
			var r result
			if err := json.Unmarshal(b, &r); err != nil {
				t.Fatal(err)
			}
			if r.N != 600 || r.Dim != 12 || len(r.Engines) != 3 {
				t.Fatalf("%+v", r)
			}
			hnsw, flat := r.Engines[0], r.Engines[1]
			if last(hnsw).Recall < 0.95 || last(hnsw).Recall < hnsw.Points[0].Recall || last(hnsw).QPS <= 0 {
				t.Errorf("HNSW %+v", hnsw)
			}
			if flat.Points[0].Recall != 1 || len(flat.Points) != 1 {
				t.Errorf("FLAT %+v", flat)
			}
		case ".svg":
			d := xml.NewDecoder(strings.NewReader(string(b)))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("the plot is no XML: %v", err)
				}
			}
		}
	}
	if !strings.Contains(out.String(), "nearcache") {
		t.Errorf("table:\n%s", out.String())
	}
}

func last(e *engineResult) point { return e.Points[len(e.Points)-1] }

func TestRecallCountsRightAndOnce(t *testing.T) {
	s := &set{dim: 2, n: 3, queries: 1, train: []float32{1, 0, 0, 1, 1, 1}, query: []float32{1, 0.1}}
	if err := s.findTruth(2); err != nil {
		t.Fatal(err)
	}
	f := func(labels []int32, want float64) {
		t.Helper()
		if got := s.recall(labels, 2); got != want {
			t.Errorf("%v: %v, want %v", labels, got, want)
		}
	}
	f([]int32{0, 2}, 1)
	f([]int32{2, 0}, 1)
	f([]int32{0, 0}, 0.5)
	f([]int32{0, 1}, 0.5)
	f([]int32{-1, 9}, 0)
}

func TestSpeedAtARecallLiesBetweenThePoints(t *testing.T) {
	e := engineResult{Points: []point{{EF: 1, Recall: 0.8, CPU: []float64{1000, 9}}, {EF: 2, Recall: 0.9, CPU: []float64{2000, 9}}}}
	if us, ok := e.at(0.85, 0); !ok || us < 1499 || us > 1501 {
		t.Errorf("%v %v", us, ok)
	}
	if _, ok := e.at(0.95, 0); ok {
		t.Error("a speed beyond the last point")
	}
}

func TestEveryPartMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("builds graphs")
	}
	dir := t.TempDir()
	var out strings.Builder
	err := Run([]string{
		"-gen", "600x20", "-metric", "l2", "-queries", "60", "-ef", "10,40", "-rounds", "1", "-engines", "nearcache,nearcache-f32",
		"-variants", "nearcache-f32", "-parts", "all", "-passes", "2", "-flat-n", "900", "-turn", "20ms", "-out", dir, "-name", "x",
	}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "ann-x.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	got := map[string]figure{}
	for _, f := range r.Figures {
		got[f.Name] = f
	}
	for name, want := range map[string]float64{
		"allocations a query, nearcache":                       0,
		"vectors found by themselves meanwhile, nearcache-f32": 100,
		"FLAT results identical to it":                         100,
	} {
		if f, ok := got[name]; !ok || f.Value != want || !f.Met {
			t.Errorf("%s: %+v, want %v", name, f, want)
		}
	}
	for _, name := range []string{
		"recall lost while all was replaced 2 times, nearcache-f32",
		"re-insert after deletes against a fresh insert, nearcache-f32",
		"recall@10 under filters of 0.01% to 100%, ef=32, nearcache-f32",
		"FLAT top-1 against a plain float32 SIMD scan",
	} {
		if _, ok := got[name]; !ok {
			t.Errorf("no figure %q", name)
		}
	}
	var joined strings.Builder
	if err := Run([]string{"-summary", filepath.Join(dir, "ann-x.json")}, &joined, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(joined.String(), "| allocations a query, nearcache | ≤ 0 | 0 |") {
		t.Errorf("summary:\n%s", joined.String())
	}
}

// peerOrSkip builds with a peer and searches; it skips
// where the peer has not been built: tests use no network.
func peerOrSkip(t *testing.T, name string) engine {
	t.Helper()
	o := &options{k: 5, m: 8, efc: 40, seed: 1, metric: index.L2, queries: 40, gen: "500x16", say: func(string, ...any) { t.Skip("not built") }}
	s, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	row, err := findRow(name)
	if err != nil {
		t.Fatal(err)
	}
	e, err := row.open(o, s)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(e.close)
	if err := s.findTruth(o.k); err != nil {
		t.Fatal(err)
	}
	b, err := e.build(s, 1)
	if err != nil || b.Seconds <= 0 || b.Memory.Anon < 0 {
		t.Fatalf("%+v, %v", b, err)
	}
	for _, threads := range []int{1, 2} {
		p, err := e.search(s, 100, threads)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.recall(p.labels, o.k); got < 0.95 {
			t.Errorf("%s: recall %v", name, got)
		}
	}
	return e
}

func TestHnswlibPeer(t *testing.T) {
	e := peerOrSkip(t, "hnswlib")
	p := e.(*peer)
	p.cache = filepath.Join(t.TempDir(), "saved")
	s := &set{queries: 40}
	first, err := p.build(s, 1)
	if err != nil || first.Cached {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := p.build(s, 1)
	if err != nil || !again.Cached || again.Seconds != first.Seconds {
		t.Errorf("%+v, %v: not loaded with the time of the build, %v", again, err, first.Seconds)
	}
	if _, err := p.ask("nonsense"); err == nil {
		t.Error("a command that does not exist is answered")
	}
}

func TestPythonPeers(t *testing.T) {
	for _, name := range []string{"hnswlib-py", "faiss-hnsw", "faiss-sq8", "usearch"} {
		t.Run(name, func(t *testing.T) { peerOrSkip(t, name) })
	}
}

func TestReadsHDF5(t *testing.T) {
	python, err := pythonVenv(func(string, ...any) { t.Skip("not built") })
	if err != nil {
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "x.hdf5")
	const write = "import h5py, sys; f = h5py.File(sys.argv[1], 'w'); f['train'] = [[1, 2], [3, 4], [5, 6]]; f['test'] = [[7., 8.], [9, 10], [0, 0], [1, 1]]"
	if err := sh("", []string{python, "-c", write, file}); err != nil {
		t.Fatal(err)
	}
	s, err := load(&options{k: 1, queries: 4, data: file, say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.n != 3 || s.dim != 2 || s.queries != 4 || s.query[0] != 7 || s.train[0]+s.train[2]+s.train[4] != 9 {
		t.Errorf("%+v", s)
	}
}

func TestPartTakesTheRightRows(t *testing.T) {
	s := &set{dim: 1, n: 5, queries: 3, metric: index.L2, train: []float32{0, 1, 2, 3, 4}, query: []float32{0, 2, 4}}
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		near, asked := s.part("near", 1, 3, rng)
		_, far := s.part("far", 1, 3, rand.New(rand.NewPCG(seed, 1)))
		anchor := rand.New(rand.NewPCG(seed, 1)).IntN(5)
		if near.Len() != 1 || !near.Contains(index.Label(anchor)) {
			t.Errorf("anchor %d is not in the part of the nearest", anchor)
		}
		first, last := math.Abs(float64(2*asked[0]-anchor)), math.Abs(float64(2*far[0]-anchor))
		if first > 1 || last < 2 {
			t.Errorf("anchor %d: nearest query %d, farthest %d", anchor, asked[0], far[0])
		}
	}
}

func TestRefusesBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-ef", "x"},
		{"-ef", "0"},
		{"-parts", "nothing"},
		{"-variants", "hnswlib"},
		{"-metric", "angle"},
		{"-recall", "1.5"},
		{"-gen", "12"},
		{"-summary"},
		{"-summary", "nothing.json"},
		{"-data", "vectors.txt"},
		{"-rounds", "0"},
		{"-k", "0"},
		{"-engines", "nobody", "-data", npy(t, 30, 3), "-queries", "2", "-out", ""},
		{"-data", "nothing.npy"},
		{"-data", npy(t, 30, 3), "-queries", "25"},
	} {
		if err := Run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
