package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// npy builds a file of the given version; the header's length is right.
func npy(version byte, header string, elements ...byte) []byte {
	b := []byte("\x93NUMPY")
	b = append(b, version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	b = append(b, header...)
	return append(b, elements...)
}

func npyHead(descr, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }   \n", descr, shape)
}

// unsized hides the length of a reader, as a pipe does.
type unsized struct{ io.Reader }

func TestReadNPYReadsEveryElementAndShape(t *testing.T) {
	f4 := binary.LittleEndian.AppendUint32(nil, math.Float32bits(1.5))
	f4 = binary.LittleEndian.AppendUint32(f4, math.Float32bits(-2))
	f8 := binary.LittleEndian.AppendUint64(nil, math.Float64bits(1.5))
	f8 = binary.LittleEndian.AppendUint64(f8, math.Float64bits(-2))
	f2 := []byte{0x00, 0x3e, 0x00, 0xc0}
	f := func(file []byte, rows, dim int) {
		t.Helper()
		for _, r := range []io.Reader{bytes.NewReader(file), unsized{bytes.NewReader(file)}} {
			m, err := ReadNPY(r, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if m.Rows != rows || m.Dim != dim || !slices.Equal(m.Data, []float32{1.5, -2}) {
				t.Fatalf("got %+v, want %d x %d of 1.5 -2", m, rows, dim)
			}
			if got := m.Row(rows - 1); got[len(got)-1] != -2 {
				t.Fatalf("last row %v", got)
			}
		}
	}
	f(npy(1, npyHead("<f2", "(1, 2)"), f2...), 1, 2)
	f(npy(1, npyHead("<f4", "(2, 1)"), f4...), 2, 1)
	f(npy(2, npyHead("<f4", "(2,)"), f4...), 1, 2)
	f(npy(3, npyHead("<f8", "(1,2)"), f8...), 1, 2)
	f(npy(1, `{"shape": (1, 2), "descr": "<f2", "fortran_order": False}`, f2...), 1, 2)
}

func TestReadNPYRefuses(t *testing.T) {
	f := func(file []byte, want error) {
		t.Helper()
		for _, r := range []io.Reader{bytes.NewReader(file), unsized{bytes.NewReader(file)}} {
			m, err := ReadNPY(r, Limits{})
			if !errors.Is(err, want) {
				t.Fatalf("got %v, %v, want %v", m, err, want)
			}
		}
	}
	f(nil, ErrFormat)
	f([]byte("\x93NUMPX\x01\x00\x00\x00"), ErrFormat)
	f(npy(4, npyHead("<f4", "(1, 1)")), ErrFormat)
	f(npy(1, npyHead("<f4", "(1152921504606846976, 384)"), 1, 2, 3, 4), ErrLimit)
	f(npy(1, npyHead("<f4", "(1, 1152921504606846976)"), 1, 2, 3, 4), ErrLimit)
	f(npy(1, npyHead("<f4", "(9223372036854775807, 9223372036854775807)"), 1, 2, 3, 4), ErrLimit)
	f(npy(1, npyHead("<f4", "(18446744073709551616, 1)"), 1, 2, 3, 4), ErrFormat)
	f(npy(1, npyHead("<f4", "(-1, 1)"), 1, 2, 3, 4), ErrFormat)
	f(npy(1, npyHead("<f4", "(1, 0)")), ErrLimit)
	f(npy(1, npyHead("<f4", "(1, 2, 3)")), ErrFormat)
	f(npy(1, npyHead("<f4", "()")), ErrFormat)
	f(npy(1, npyHead("<f4", "(1000, 384)"), 1, 2, 3, 4), ErrFormat) // ends too early
	f(npy(1, npyHead(">f4", "(1, 1)"), 1, 2, 3, 4), ErrFormat)
	f(npy(1, npyHead("|O", "(1, 1)"), 1, 2, 3, 4), ErrFormat)
	f(npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", 1, 2, 3, 4), ErrFormat)
	f(npy(1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }", 1, 2, 3, 4), ErrFormat)
	f(npy(1, "{'evil': 1}"), ErrFormat)
	f(npy(1, "{'shape': "), ErrFormat)
	huge := npy(2, "")
	binary.LittleEndian.PutUint32(huge[8:], math.MaxUint32)
	f(huge, ErrLimit)
}

// A header that claims a lot may not cost memory before the bytes are seen.
func TestReadNPYTakesNoMemoryForAClaim(t *testing.T) {
	file := npy(1, npyHead("<f4", "(1000000, 1000)"), make([]byte, 64)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, r := range []io.Reader{bytes.NewReader(file), unsized{bytes.NewReader(file)}} {
		if _, err := ReadNPY(r, Limits{}); !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	got := after.TotalAlloc - before.TotalAlloc
	if got > 4<<20 {
		t.Fatalf("%d bytes taken for a file of %d", got, len(file))
	}
}

func TestHalfToFloatForAllBitPatterns(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		sign, exp, frac := 1.0, int(h>>10)&0x1f, float64(h&0x3ff)
		if h&0x8000 != 0 {
			sign = -1
		}
		var want float64
		switch {
		case exp == 31 && frac == 0:
			want = math.Inf(int(sign))
		case exp == 31:
			want = math.NaN()
		case exp == 0:
			want = math.Copysign(math.Ldexp(frac, -24), sign)
		default:
			want = sign * math.Ldexp(1024+frac, exp-25)
		}
		got := halfToFloat(h)
		if math.IsNaN(want) != math.IsNaN(float64(got)) ||
			!math.IsNaN(want) && math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Fatalf("%#04x: got %v, want %v", h, got, want)
		}
	}
}

func vecs(dim int32, rows ...[]uint32) []byte {
	var b []byte
	for _, r := range rows {
		b = binary.LittleEndian.AppendUint32(b, uint32(dim))
		for _, u := range r {
			b = binary.LittleEndian.AppendUint32(b, u)
		}
	}
	return b
}

func TestReadVecs(t *testing.T) {
	one, two := math.Float32bits(1), math.Float32bits(2)
	file := vecs(2, []uint32{one, two}, []uint32{two, one})
	for _, r := range []io.Reader{bytes.NewReader(file), unsized{bytes.NewReader(file)}} {
		m, err := ReadFvecs(r, Limits{})
		if err != nil || m.Rows != 2 || m.Dim != 2 || !slices.Equal(m.Row(1), []float32{2, 1}) {
			t.Fatalf("got %+v, %v", m, err)
		}
	}
	iv, err := ReadIvecs(bytes.NewReader(vecs(3, []uint32{7, 8, 0xffffffff})), Limits{})
	if err != nil || iv.Rows != 1 || !slices.Equal(iv.Row(0), []int32{7, 8, -1}) {
		t.Fatalf("got %+v, %v", iv, err)
	}
	if m, err := ReadFvecs(bytes.NewReader(nil), Limits{}); err != nil || m.Rows != 0 {
		t.Fatalf("empty file: %+v, %v", m, err)
	}
}

func TestReadVecsRefuses(t *testing.T) {
	f := func(file []byte, l Limits, want error) {
		t.Helper()
		for _, r := range []io.Reader{bytes.NewReader(file), unsized{bytes.NewReader(file)}} {
			if m, err := ReadFvecs(r, l); !errors.Is(err, want) {
				t.Fatalf("got %v, %v, want %v", m, err, want)
			}
		}
	}
	f(vecs(math.MaxInt32, []uint32{1}), Limits{}, ErrLimit)
	f(vecs(-1, []uint32{1}), Limits{}, ErrLimit)
	f(vecs(0, nil), Limits{}, ErrLimit)
	f(vecs(2, []uint32{1}), Limits{}, ErrFormat)
	f([]byte{1, 0}, Limits{}, ErrFormat)
	f(append(vecs(1, []uint32{1}), vecs(2, []uint32{1, 2})...), Limits{}, ErrFormat)
	f(vecs(1, []uint32{1}, []uint32{2}), Limits{MaxBytes: 4}, ErrLimit)
}

func TestReadJSONL(t *testing.T) {
	got, err := ReadJSONL[Question](strings.NewReader("{\"text\":\"a\",\"intent\":\"b\"}\n\n{\"text\":\"c\"}"), Limits{})
	if err != nil || !slices.Equal(got, []Question{{Text: "a", Intent: "b"}, {Text: "c"}}) {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := ReadJSONL[Question](strings.NewReader("{}\n{"), Limits{}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "line 2") {
		t.Fatalf("broken line: %v", err)
	}
	if _, err := ReadJSONL[string](strings.NewReader(`"`+strings.Repeat("x", maxLine)+`"`), Limits{}); err == nil {
		t.Fatal("a line over the limit was read")
	}
	if _, err := ReadJSONL[string](strings.NewReader("\"ab\"\n\"cd\""), Limits{MaxBytes: 5}); !errors.Is(err, ErrLimit) {
		t.Fatalf("total over the limit: %v", err)
	}
}

func FuzzReadNPY(f *testing.F) {
	f.Add(npy(1, npyHead("<f2", "(1, 2)"), 0, 0x3e, 0, 0xc0))
	f.Add(npy(2, npyHead("<f4", "(2,)"), 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add(npy(3, npyHead("<f8", "(1, 1)"), 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add(npy(1, npyHead("<f4", "(1152921504606846976, 384)"), 1, 2, 3, 4))
	f.Add(npy(1, npyHead("<f4", "(1, 18446744073709551615)")))
	f.Add(npy(1, "{'shape': ((1, 2), 'descr': '<f2, }"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := Limits{MaxBytes: 1 << 20}
		m, err := ReadNPY(bytes.NewReader(b), l)
		n, err2 := ReadNPY(unsized{bytes.NewReader(b)}, l)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("sized %v, unsized %v", err, err2)
		}
		if err != nil {
			return
		}
		if len(m.Data) != m.Rows*m.Dim || len(m.Data) != len(n.Data) || len(m.Data)*2 > len(b) {
			t.Fatalf("%d x %d with %d elements out of %d bytes", m.Rows, m.Dim, len(m.Data), len(b))
		}
		// Row by row it is the same, but for what stands behind the rows.
		rows, end := 0, int64(0)
		err = EachNPYRow(bytes.NewReader(b), l, func(i int, at int64, row []float32) error {
			if i != rows || at < end || len(row) != m.Dim || !slices.EqualFunc(row, m.Row(i), func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
				t.Fatalf("row %d at %d: %v", i, at, row)
			}
			rows, end = rows+1, at+int64(m.Dim)
			return nil
		})
		if behind := err != nil; behind && !errors.Is(err, ErrFormat) || rows != m.Rows {
			t.Fatalf("%d of %d rows, %v", rows, m.Rows, err)
		}
	})
}

func FuzzReadFvecs(f *testing.F) {
	f.Add(vecs(2, []uint32{1, 2}, []uint32{3, 4}))
	f.Add(vecs(math.MaxInt32, []uint32{1}))
	f.Add(vecs(-1, []uint32{1}))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		l := Limits{MaxBytes: 1 << 20}
		m, err := ReadFvecs(bytes.NewReader(b), l)
		n, err2 := ReadIvecs(unsized{bytes.NewReader(b)}, l)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("sized %v, unsized %v", err, err2)
		}
		if err != nil {
			return
		}
		if len(m.Data) != m.Rows*m.Dim || len(n.Data) != len(m.Data) || len(b) != m.Rows*(4+4*m.Dim) {
			t.Fatalf("%d x %d with %d elements out of %d bytes", m.Rows, m.Dim, len(m.Data), len(b))
		}
	})
}

// A file's size is known: it is read in one piece, and a wrong header is
// refused before any element.
func TestLoadFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, two := math.Float32bits(1), math.Float32bits(2)
	f, err := LoadFvecs(write("a.fvecs", vecs(2, []uint32{one, two}, []uint32{two, one})), Limits{})
	if err != nil || f.Rows != 2 || !slices.Equal(f.Row(0), []float32{1, 2}) || cap(f.Data) != 4 {
		t.Errorf("got %+v, %v", f, err)
	}
	i, err := LoadIvecs(write("a.ivecs", vecs(1, []uint32{5})), Limits{})
	if err != nil || i.Rows != 1 || i.Data[0] != 5 {
		t.Errorf("got %+v, %v", i, err)
	}
	bad := write("bad.npy", npy(1, npyHead("<f2", "(3, 2)"), 0, 0))
	if m, err := LoadNPY(bad, Limits{}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), bad) || !strings.Contains(err.Error(), "header says 12") {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := LoadIvecs(filepath.Join(dir, "none"), Limits{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
