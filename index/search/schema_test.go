package search

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func argv(s string) [][]byte {
	var out [][]byte
	for _, f := range strings.Fields(s) {
		out = append(out, []byte(f))
	}
	return out
}

func TestParseSchema(t *testing.T) {
	s, err := ParseSchema(argv("prompt TEXT WEIGHT 2 NOSTEM SORTABLE inserted_at NUMERIC SORTABLE $.user AS user TAG SEPARATOR | CASESENSITIVE SORTABLE UNF vector VECTOR HNSW 14 TYPE FLOAT64 DIM 3 DISTANCE_METRIC IP M 8 EF_CONSTRUCTION 20 EF_RUNTIME 30 EPSILON 0.5 v2 VECTOR FLAT 6 DIM 4 DISTANCE_METRIC COSINE TYPE float32 loc GEO"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{Identifier: "prompt", Name: "prompt", Type: TypeText, Weight: 2, NoStem: true, Sortable: true, Separator: ','},
		{Identifier: "inserted_at", Name: "inserted_at", Type: TypeNumeric, Weight: 1, Sortable: true, UNF: true, Separator: ','},
		{Identifier: "$.user", Name: "user", Type: TypeTag, Weight: 1, Separator: '|', CaseSensitive: true, Sortable: true, UNF: true},
		{
			Identifier: "vector", Name: "vector", Type: TypeVector, Weight: 1, Separator: ',', Algorithm: "HNSW",
			Vector: index.Params{Dim: 3, Element: index.Float64, Metric: index.IP, M: 8, EFConstruction: 20, EFRuntime: 30, Epsilon: 0.5},
		},
		{Identifier: "v2", Name: "v2", Type: TypeVector, Weight: 1, Separator: ',', Algorithm: "FLAT", Vector: index.Params{Dim: 4, Metric: index.Cosine}},
		{Identifier: "loc", Name: "loc", Type: TypeGeo, Weight: 1, Separator: ','},
	}
	if len(s.Fields) != len(want) {
		t.Fatalf("%+v", s.Fields)
	}
	for i := range want {
		if s.Fields[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", s.Fields[i], want[i])
		}
	}
}

func TestParseSchemaErrors(t *testing.T) {
	const v = "TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 "
	f := func(in, want string) {
		t.Helper()
		_, err := ParseSchema(argv(in))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
	f("", "Fields arguments are missing")
	f("a", "Field `a` does not have a type")
	f("a FOO", "Invalid field type for field `a`")
	f("a TAG a TEXT", "Duplicate field in schema - a")
	f("a TAG NUMERIC", "Field `NUMERIC` does not have a type")
	f("a TAG SEPARATOR ab", "Tag separator must be a single character. Got `ab`")
	f("a TEXT WEIGHT x", "Bad arguments for weight: Could not convert argument to expected type")
	f("a VECTOR", "Bad arguments for vector similarity algorithm: Expected an argument, but none provided")
	f("a VECTOR TREE 6 "+v, "Bad arguments for vector similarity algorithm: Unknown argument")
	f("a VECTOR HNSW 98 "+v, "Expected 98 parameters but got 6")
	f("a VECTOR HNSW 8 TYPE FLOAT32 DIM", "Bad arguments for vector similarity HNSW index `DIM`: Expected an argument, but none provided")
	f("a VECTOR HNSW 3 TYPE FLOAT32 DIM", "Bad number of arguments for vector similarity index: got 3 but expected even number (as algorithm parameters should be submitted as named arguments)")
	f("a VECTOR HNSW 4 TYPE FLOAT32 DIM 4", "Missing mandatory parameter: cannot create HNSW index without specifying DISTANCE_METRIC argument")
	f("a VECTOR HNSW 2 DIM 0", "Bad arguments for vector similarity HNSW index `DIM`: Value is outside acceptable bounds (1 to 32768)")
	f("a VECTOR HNSW 2 DIM 2147483648", "Bad arguments for vector similarity HNSW index `DIM`: Value is outside acceptable bounds (1 to 32768)")
	f("a VECTOR HNSW 2 TYPE FLOAT128", "Bad arguments for vector similarity HNSW index `TYPE`: Unknown argument")
	f("a VECTOR HNSW 8 "+v+"M 0", "Bad arguments for vector similarity HNSW index `M`: Value is outside acceptable bounds (2 to 512)")
	f("a VECTOR HNSW 8 "+v+"M 9223372036854775807", "Bad arguments for vector similarity HNSW index `M`: Value is outside acceptable bounds (2 to 512)")
	f("a VECTOR HNSW 8 "+v+"EF_CONSTRUCTION -1", "Bad arguments for vector similarity HNSW index `EF_CONSTRUCTION`: Value is outside acceptable bounds (1 to 1048576)")
	f("a VECTOR HNSW 8 "+v+"EF_RUNTIME 1048577", "Bad arguments for vector similarity HNSW index `EF_RUNTIME`: Value is outside acceptable bounds (1 to 1048576)")
	f("a VECTOR HNSW 8 "+v+"EF_RUNTIME many", "Bad arguments for vector similarity HNSW index `EF_RUNTIME`: Could not convert argument to expected type")
	f("a VECTOR HNSW 8 "+v+"EPSILON -0.5", "Bad arguments for vector similarity HNSW index `EPSILON`: Value is outside acceptable bounds (0 or more)")
	f("a VECTOR HNSW 8 "+v+"EPSILON nan", "Bad arguments for vector similarity HNSW index `EPSILON`: Value is outside acceptable bounds (0 or more)")
	f("a VECTOR HNSW 8 "+v+"COMPRESSION SQ2", "Bad arguments for vector similarity HNSW index `COMPRESSION`: Unknown argument: it is NONE, SQ4, SQ8, SQ8ONLY or BINARY")
	f("a VECTOR HNSW 8 "+v+"COMPRESSION AUTO", "Bad arguments for vector similarity HNSW index `COMPRESSION`: Unknown argument: it is NONE, SQ4, SQ8, SQ8ONLY or BINARY")
	f("a VECTOR HNSW 8 DIM 4 COMPRESSION BINARY DISTANCE_METRIC L2 TYPE UINT8", "COMPRESSION BINARY is not supported for UINT8")
	f("a VECTOR FLAT 8 "+v+"COMPRESSION SQ8", "Bad arguments for algorithm FLAT: COMPRESSION")
	f("a VECTOR FLAT 8 "+v+"BLOCK_SIZE 0", "Bad arguments for vector similarity FLAT index `BLOCK_SIZE`: Value is outside acceptable bounds (1 to 2147483647)")
	f("a VECTOR FLAT 6 TYPE FLOAT32 DIM 4 DISTANCE_METRIC far", "Bad arguments for vector similarity FLAT index `DISTANCE_METRIC`: Unknown argument")
	f("a VECTOR HNSW 8 "+v+"INITIAL_CAP 1000000000000000", "Vector index initial capacity 1000000000000000 exceeded server limit (68719476736 with the given parameters)")
	f("a VECTOR FLAT 8 "+v+"M 4", "Bad arguments for algorithm FLAT: M")
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "f%d TAG ", i)
	}
	f(b.String(), "Schema is limited to 1024 fields")
	b.Reset()
	for i := range 129 {
		fmt.Fprintf(&b, "f%d TEXT ", i)
	}
	f(b.String(), "Schema is limited to 128 TEXT fields")
}

func TestParseSchemaTypesAndCompressions(t *testing.T) {
	f := func(in string, want index.Params) {
		t.Helper()
		s, err := ParseSchema(argv(in))
		if err != nil {
			t.Fatal(in, err)
		}
		if got := s.Fields[0].Vector; got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
	for word, e := range map[string]index.Element{
		"FLOAT32": index.Float32, "FLOAT64": index.Float64, "FLOAT16": index.Float16,
		"BFLOAT16": index.BFloat16, "INT8": index.Int8, "uint8": index.Uint8,
	} {
		f("v VECTOR FLAT 6 DIM 3 DISTANCE_METRIC IP TYPE "+word, index.Params{Dim: 3, Metric: index.IP, Element: e})
	}
	for word, q := range map[string]index.Quant{
		"NONE": index.QuantNone, "sq4": index.QuantSQ4, "SQ8": index.QuantSQ8, "sq8only": index.QuantSQ8Only, "BINARY": index.QuantBinary,
	} {
		f("v VECTOR HNSW 8 DIM 3 DISTANCE_METRIC L2 COMPRESSION "+word+" TYPE FLOAT32", index.Params{
			Dim: 3, Quant: q, M: 16, EFConstruction: 200, EFRuntime: 10, Epsilon: 0.01,
		})
	}
}

func FuzzParseSchema(f *testing.F) {
	f.Add("prompt TEXT WEIGHT 2 NOSTEM SORTABLE n NUMERIC SORTABLE $.user AS user TAG SEPARATOR | CASESENSITIVE SORTABLE UNF")
	f.Add("vector VECTOR HNSW 14 TYPE FLOAT64 DIM 3 DISTANCE_METRIC IP M 8 EF_CONSTRUCTION 20 EF_RUNTIME 30 EPSILON 0.5 loc GEO")
	f.Add("a VECTOR FLAT 99 TYPE")
	f.Add("a VECTOR HNSW 8 TYPE INT8 DIM 4 DISTANCE_METRIC COSINE COMPRESSION SQ8ONLY b VECTOR FLAT 6 TYPE BFLOAT16 DIM 4 DISTANCE_METRIC L2")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ParseSchema(argv(in))
		if err != nil {
			return
		}
		for _, x := range s.Fields {
			if x.Type == TypeVector {
				if err := x.Vector.Validate(); err != nil {
					t.Fatal(in, err)
				}
			}
		}
	})
}

// TestCaseSensitiveTagsSortAsTheyAre: as in RediSearch, whichever of the two options comes first.
func TestCaseSensitiveTagsSortAsTheyAre(t *testing.T) {
	for options, want := range map[string]bool{"SORTABLE": false, "CASESENSITIVE SORTABLE": true, "SORTABLE CASESENSITIVE": true, "CASESENSITIVE": false} {
		s, err := ParseSchema(argv("g TAG " + options))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Fields[0].UNF; got != want {
			t.Errorf("%s: UNF is %v", options, got)
		}
	}
}
