package transfer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/nearcache/nearcache/datasets"
)

// Vectors say what vectors become: elements of a vector set, or hashes that an index
// of FT.CREATE may cover.
type Vectors struct {
	Key    string // of the vector set; "" for hashes
	Prefix string // of the keys of hashes
	Field  string // of hashes that holds the vector
}

// enter enters a vector under a name.
func (d *Vectors) enter(to *Sink, name string, at int64, vector []float32) error {
	b := make([]byte, 0, 4*len(vector))
	for i, x := range vector {
		if x-x != 0 {
			return fmt.Errorf("vector %.100q, at byte %d: component %d is %v", name, at, i, x)
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	of := fmt.Sprintf("vector %.100q", name)
	if d.Key != "" {
		return to.Send(0, of, at, []byte("VADD"), []byte(d.Key), []byte("FP32"), b, []byte(name))
	}
	return to.Send(0, of, at, []byte("HSET"), []byte(d.Prefix+name), []byte(d.Field), b)
}

// ImportNPY enters the rows of a NumPy array, named by the lines of ids, or where
// that is nil by their numbers from 0. Of rows with one name the last stays, and the
// report tells how many others there were.
func ImportNPY(src io.Reader, ids io.Reader, to *Sink, d Vectors) error {
	var names *bufio.Scanner
	if ids != nil {
		names = bufio.NewScanner(ids)
		names.Buffer(nil, 1<<20)
	}
	seen := map[uint64]struct{}{} // hashes of names: files have millions
	seed := maphash.MakeSeed()
	replaced := 0
	err := datasets.EachNPYRow(src, datasets.Limits{MaxBytes: math.MaxInt64}, func(i int, at int64, row []float32) error {
		name := strconv.Itoa(i)
		if names != nil {
			if !names.Scan() {
				return errors.Join(fmt.Errorf("-ids has no name for row %d", i), names.Err())
			}
			name = names.Text()
			before := len(seen)
			if seen[maphash.String(seed, name)] = struct{}{}; len(seen) == before {
				replaced++
			}
		}
		return d.enter(to, name, at, row)
	})
	if replaced > 0 {
		to.Report.Notes = append(to.Report.Notes, fmt.Sprintf("%d rows replaced one before with the same name in -ids", replaced))
	}
	return to.End(err)
}

// keyTypes are the types of keys of graphs of coder/hnsw that are read.
var keyTypes = map[string]func(r *graphReader) string{
	"string": func(r *graphReader) string { return string(r.bytes(r.length(maxName))) },
	"int":    func(r *graphReader) string { return strconv.FormatInt(r.varint(), 10) },
	"int32": func(r *graphReader) string {
		return strconv.Itoa(int(int32(binary.LittleEndian.Uint32(r.fixed(4)))))
	},
	"int64": func(r *graphReader) string {
		return strconv.FormatInt(int64(binary.LittleEndian.Uint64(r.fixed(8))), 10)
	},
	"uint32": func(r *graphReader) string { return strconv.Itoa(int(binary.LittleEndian.Uint32(r.fixed(4)))) },
	"uint64": func(r *graphReader) string { return strconv.FormatUint(binary.LittleEndian.Uint64(r.fixed(8)), 10) },
}

// ImportGraph enters the vectors of a graph that coder/hnsw has exported or saved. Its
// links are not needed: the graph here is another one, and finds more. keys is the type
// of its keys, or "auto" to find out whether it is string, int or one of the others.
func ImportGraph(f io.ReadSeeker, wrap func(io.Reader) io.Reader, keys string, to *Sink, d Vectors) error {
	kinds := []string{"string", "int", "int64", "uint64", "int32", "uint32"}
	if keys != "auto" {
		kinds = []string{keys}
	}
	var kind string
	var far error // of the type with which most could be read
	most := int64(-1)
	for _, k := range kinds {
		if keyTypes[k] == nil {
			return fmt.Errorf("keys of type %q", k)
		}
		// The file is read once to see that it is whole.
		n, err := readGraph(f, k, func(string, int64, []float32) error { return nil })
		if err == nil {
			kind = k
			break
		}
		if n > most {
			most, far = n, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	if kind == "" {
		return far
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := readGraph(wrap(f), kind, func(name string, at int64, vector []float32) error { return d.enter(to, name, at, vector) })
	return to.End(err)
}

// What a graph may have.
const (
	graphVersion = 1
	maxLayers    = 256
	maxNodes     = 1 << 31
	maxDim       = 1 << 16
	maxName      = 1 << 20
)

// readGraph calls f with each vector of the lowest layer, and reads the others for
// their form. It believes no length, and returns how many bytes it has read.
func readGraph(src io.Reader, keys string, f func(name string, at int64, vector []float32) error) (int64, error) {
	r := graphReader{r: bufio.NewReaderSize(src, 256<<10)}
	key := keyTypes[keys]
	if v := r.varint(); r.err == nil && v != graphVersion {
		return r.n, fmt.Errorf("at byte %d: version %d of a graph, not %d", r.n, v, graphVersion)
	}
	r.varint()                 // M
	r.fixed(8)                 // the layers' ratio
	r.varint()                 // EfSearch
	r.bytes(r.length(maxName)) // the distance's name
	layers, dim := r.length(maxLayers), -1
	for layer := 0; layer < layers && r.err == nil; layer++ {
		for n := r.length(maxNodes); n > 0 && r.err == nil; n-- {
			at := r.n
			name := key(&r)
			size := r.length(maxDim)
			if dim < 0 {
				dim = size
			}
			if r.err == nil && size != dim { // with keys of another type it would be one
				r.err = errGraph
			}
			b := r.bytes(4 * size)
			if layer == 0 && r.err == nil {
				vector := make([]float32, len(b)/4)
				for i := range vector {
					vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
				}
				if err := f(name, at, vector); err != nil {
					return r.n, err
				}
			}
			for links := r.length(maxNodes); links > 0 && r.err == nil; links-- {
				key(&r)
			}
		}
	}
	if r.err == nil {
		switch _, err := r.r.ReadByte(); err {
		case io.EOF:
			return r.n, nil
		case nil:
			r.err = errGraph
		default:
			r.err = err
		}
	}
	return r.n, fmt.Errorf("at byte %d: %w", r.n, r.err)
}

var errGraph = errors.New("no graph of coder/hnsw with keys of that type")

// readStep bounds the memory that is taken before what fills it is there.
const readStep = 1 << 20

// middle is the error of a reader that stands in the middle of something.
func middle(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// graphReader reads the parts of a graph. Errors stick.
type graphReader struct {
	r   *bufio.Reader
	n   int64
	b   []byte
	err error
}

func (r *graphReader) varint() int64 {
	if r.err != nil {
		return 0
	}
	v, err := binary.ReadVarint(countingBytes{r})
	if err != nil && r.err == nil {
		r.err = errGraph // it is too long
	}
	if r.err != nil {
		return 0
	}
	return v
}

// countingBytes reads bytes and counts them.
type countingBytes struct{ r *graphReader }

// ReadByte implements io.ByteReader.
func (c countingBytes) ReadByte() (byte, error) {
	b, err := c.r.r.ReadByte()
	if err == nil {
		c.r.n++
	} else {
		c.r.err = middle(err)
	}
	return b, err
}

// length reads a length of at most so much.
func (r *graphReader) length(most int64) int {
	n := r.varint()
	if r.err == nil && (n < 0 || n > most) {
		r.err = errGraph
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// fixed reads a few bytes, zeros after an error.
func (r *graphReader) fixed(n int) []byte {
	b := r.bytes(n)
	if r.err != nil {
		return make([]byte, n)
	}
	return b
}

// bytes reads n bytes, valid until the next ones are read.
func (r *graphReader) bytes(n int) []byte {
	r.b = r.b[:0]
	for n > 0 && r.err == nil {
		k := min(n, readStep)
		from := len(r.b)
		r.b = append(r.b, make([]byte, k)...)
		got, err := io.ReadFull(r.r, r.b[from:])
		r.n += int64(got)
		r.err = err
		if err != nil {
			r.err = middle(err)
		}
		n -= k
	}
	return r.b
}

// openNames opens a file of names, nil for none.
func openNames(path string) (io.Reader, func() error, error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}
