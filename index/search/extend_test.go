package search

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/index/query"
)

// extended gives the index more fields.
func extended(t testing.TB, ix *Index, schema string) {
	t.Helper()
	add, err := ParseSchema(argv(schema))
	if err != nil {
		t.Fatal(err)
	}
	to, err := ix.Schema().Append(add)
	if err != nil {
		t.Fatal(err)
	}
	if err := ix.Extend(to); err != nil {
		t.Fatal(err)
	}
}

// loading starts a search that sorts by a field of the documents, and returns when it has begun to
// read one. It goes on when the channel is closed, and says how it has ended.
func loading(t testing.TB, ix *Index) (goOn chan struct{}, ended chan error) {
	t.Helper()
	q, err := query.Parse([]byte("@g:{x}"), query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		res, err := ix.Search(q, Options{Num: 10, SortBy: "g", Load: func(string, string) ([]byte, bool) {
			once.Do(func() { close(began) })
			<-goOn
			return []byte("x"), true
		}})
		if err == nil {
			if len(res.Rows) != 2 {
				err = errors.New("not two rows")
			}
			res.Release()
		}
		ended <- err
	}()
	<-began
	return goOn, ended
}

// TestExtendWhileASearchWaitsForADocument is an EXEC that holds the documents which a search wants to
// read, and gives the index a field: neither waits for the other.
func TestExtendWhileASearchWaitsForADocument(t *testing.T) {
	t.Parallel()
	x := newTester(t, "g TAG")
	x.put("a", "g", "x", "n", "1")
	x.put("b", "g", "x", "n", "2", "t", "word")
	goOn, ended := loading(t, x.ix)
	extended(t, x.ix, "n NUMERIC t TEXT v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	x.put("b", "g", "x", "n", "2", "t", "word", "v", string(blob(1, 2)))
	x.want("@n:[2 2] @t:word", Options{Num: 10}, "1: b")
	close(goOn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestCloseWhileASearchWaitsForADocument drops the index under it.
func TestCloseWhileASearchWaitsForADocument(t *testing.T) {
	t.Parallel()
	x := newTester(t, "g TAG v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	x.put("a", "g", "x", "v", string(blob(1, 2)))
	x.put("b", "g", "x", "v", string(blob(1, 3)))
	goOn, ended := loading(t, x.ix)
	if err := x.ix.Close(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("the search ended with %v", err)
	}
}

// slowFile takes nothing until it is told to.
type slowFile struct {
	bytes.Buffer
	began, goOn chan struct{}
	once        sync.Once
}

func (f *slowFile) Write(b []byte) (int, error) {
	f.once.Do(func() { close(f.began) })
	<-f.goOn
	return f.Buffer.Write(b)
}

func (f *slowFile) Close() error { return nil }

// TestExtendWhileAGraphIsWritten holds that nobody waits for the file, and that what is in it is what
// the index was.
func TestExtendWhileAGraphIsWritten(t *testing.T) {
	t.Parallel()
	const schema = "g TAG v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2"
	x := newTester(t, schema)
	x.put("a", "g", "x", "v", string(blob(1, 2)))
	x.put("b", "g", "y", "v", string(blob(3, 4)))
	f := &slowFile{began: make(chan struct{}), goOn: make(chan struct{})}
	var table bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- x.ix.Save(func(string) (io.WriteCloser, error) { return f, nil }, &table)
	}()
	<-f.began
	extended(t, x.ix, "n NUMERIC w VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	x.put("b", "g", "z", "n", "7", "v", string(blob(3, 4)), "w", string(blob(5, 6)))
	x.want("@n:[7 7]", Options{Num: 10}, "1: b")
	if err := x.ix.Save(func(string) (io.WriteCloser, error) { return f, nil }, io.Discard); err == nil {
		t.Error("it is saved twice at once")
	}
	close(f.goOn)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	again := newIndex(t, schema)
	if err := restore(again, f.Bytes(), table.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := again.Restored(); err != nil {
		t.Fatal(err)
	}
}
