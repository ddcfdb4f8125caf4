package ann

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestRefusesBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-ef", "x"},
		{"-ef", "0"},
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
