package catalog

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/vfs"
)

// Graphs of indexes and of vector sets lie in the data folder, beside the log, and are opened at the start:
//
//	nearcache-graphs.manifest       which there are
//	nearcache-graph-00000007-0      the graph of the first vector field of one (index/snapshot)
//	nearcache-graph-00000007.labels which document, or element, each of its labels is (index/search, types/vset)
//
// They are a copy of what the values say, of some moment: where one is missing, old or damaged the
// documents are put into a new graph in the background, and searches look at them one by one meanwhile.

const (
	graphsName = "nearcache-graphs.manifest"
	graphsHead = "nearcache graphs 1\n"
	filePrefix = "nearcache-graph-"
	maxGraphs  = 16 << 20 // bytes of a manifest
	maxLabels  = 1 << 36  // bytes of a table
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// saved is a line of the manifest.
type saved struct {
	num        uint64
	definition string // hash of the FT.CREATE, and FT.ALTER; of a vector set see setKey
	name       string // or key
}

func (s saved) graph(i int) string { return fmt.Sprintf("%s%08d-%d", filePrefix, s.num, i) }
func (s saved) labels() string     { return fmt.Sprintf("%s%08d.labels", filePrefix, s.num) }

// definitionOf tells definitions apart.
func definitionOf(d *Definition) string {
	h := sha256.New()
	for _, args := range append([][][]byte{d.Args}, d.Later...) {
		fmt.Fprintf(h, "%d;", len(args))
		for _, a := range args {
			fmt.Fprintf(h, "%d:", len(a))
			h.Write(a)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func appendGraphs(b []byte, l []saved) []byte {
	b = append(b, graphsHead...)
	for _, s := range l {
		b = fmt.Appendf(b, "%08d %s %s\n", s.num, s.definition, strconv.Quote(s.name))
	}
	return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, castagnoli))
}

func parseGraphs(text string) ([]saved, error) {
	at := strings.LastIndex(text, "crc32c ")
	if at < 0 || text[at:] != fmt.Sprintf("crc32c %08x\n", crc32.Checksum([]byte(text[:at]), castagnoli)) {
		return nil, errors.New("checksum")
	}
	body, ok := strings.CutPrefix(text[:at], graphsHead)
	if !ok {
		return nil, errors.New("of another version")
	}
	var l []saved
	for line := range strings.Lines(body) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("line %.100q", line)
		}
		num, err := strconv.ParseUint(f[0], 10, 63)
		name, err2 := strconv.Unquote(f[2])
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("line %.100q", line)
		}
		l = append(l, saved{num, f[1], name})
	}
	return l, nil
}

func readAll(fsys vfs.FS, name string, most int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > most {
		return nil, fmt.Errorf("%s: %d bytes", name, size)
	}
	b := make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), b)
	return b, err
}

// kept is what the last Save wrote of an index or a vector set.
type kept struct {
	saved
	changes uint64 // there had been by then
}

// toSave is what Save may write.
type toSave struct {
	id               any // whose it is, for saves.last
	definition, name string
	changes          uint64
	write            func(fsys vfs.FS, dir string, s saved) error
}

// unsettled is a number of changes that is new each time.
const unsettled = math.MaxUint64

// errGone is of what was to be saved, and went meanwhile.
var errGone = errors.New("catalog: it went meanwhile")

const graphUnusable = "a saved graph cannot be used: it is made anew in the background, and searches look at all vectors until then"

// Save writes the graphs of all indexes and vector sets to a folder. Those that have not changed since the last time
// stay. Searches and writes go on. One that fails is left out, and the error says which.
func (c *Catalog) Save(fsys vfs.FS, dir string) error {
	c.saves.Lock()
	defer c.saves.Unlock()
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	num := uint64(0)
	for _, n := range names {
		if rest, ok := strings.CutPrefix(n, filePrefix); ok && len(rest) >= 8 {
			if x, err := strconv.ParseUint(rest[:strings.IndexAny(rest+"-", "-.")], 10, 63); err == nil {
				num = max(num, x)
			}
		}
	}
	var l []saved
	wrote := false
	next := map[any]kept{}
	for _, g := range append(c.indexGraphs(), c.setGraphs()...) {
		k, ok := c.saves.last[g.id]
		if !ok || k.changes != g.changes || g.changes == unsettled {
			num++
			k = kept{saved{num, g.definition, g.name}, g.changes}
			wrote = true
			if err1 := g.write(fsys, dir, k.saved); err1 != nil {
				if !errors.Is(err1, errGone) && !errors.Is(err1, search.ErrClosed) {
					err = errors.Join(err, fmt.Errorf("graphs of %s: %w", g.name, err1))
				}
				continue
			}
		} else if k.name != g.name || k.definition != g.definition { // a set under another key
			k.name, k.definition = g.name, g.definition
			wrote = true
		}
		l = append(l, k.saved)
		next[g.id] = k
	}
	if !wrote && len(l) == len(c.saves.last) {
		return err
	}
	if err1 := fsys.SyncDir(dir); err1 != nil {
		return errors.Join(err, err1)
	}
	if err1 := writeGraphs(fsys, dir, l); err1 != nil {
		return errors.Join(err, err1)
	}
	c.saves.last = next
	for _, n := range names { // of before, and not named any more
		if strings.HasPrefix(n, filePrefix) && !slices.ContainsFunc(l, func(s saved) bool { return strings.HasPrefix(n, fmt.Sprintf("%s%08d", filePrefix, s.num)) }) {
			_ = fsys.Remove(filepath.Join(dir, n))
		}
	}
	return err
}

// indexGraphs are those of all indexes.
func (c *Catalog) indexGraphs() (l []toSave) {
	for _, name := range c.Names() {
		ix, err := c.Get(name)
		if err != nil || len(ix.search.Graphs()) == 0 || ix.search.Len() == 0 {
			continue
		}
		changes := ix.search.Changes()
		if len(ix.search.Unabsorbed()) > 0 { // which get into the graph without a change of their own
			changes = unsettled
		}
		l = append(l, toSave{ix.search, definitionOf(&ix.Definition), name, changes, func(fsys vfs.FS, dir string, s saved) error {
			return c.saveIndex(fsys, dir, ix, s)
		}})
	}
	return l
}

func writeGraphs(fsys vfs.FS, dir string, l []saved) error {
	name := filepath.Join(dir, graphsName)
	f, err := fsys.Create(name + ".tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(appendGraphs(nil, l))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Rename(name+".tmp", name)
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// syncedFile is a file that is on the disk when it is closed.
type syncedFile struct {
	*bufio.Writer
	f vfs.File
}

func createFile(fsys vfs.FS, name string) (*syncedFile, error) {
	f, err := fsys.Create(name)
	if err != nil {
		return nil, err
	}
	return &syncedFile{bufio.NewWriterSize(f, 1<<20), f}, nil
}

func (s *syncedFile) Close() error {
	err := s.Flush()
	if err == nil {
		err = s.f.Sync()
	}
	return errors.Join(err, s.f.Close())
}

func (c *Catalog) saveIndex(fsys vfs.FS, dir string, ix *Index, s saved) error {
	var made []string
	create := func(name string) (*syncedFile, error) {
		made = append(made, name)
		return createFile(fsys, filepath.Join(dir, name))
	}
	table, err := create(s.labels())
	if err != nil {
		return err
	}
	n := 0
	err = ix.search.Save(func(string) (io.WriteCloser, error) {
		n++
		return create(s.graph(n - 1))
	}, table)
	if err = errors.Join(err, table.Close()); err != nil {
		for _, n := range made { // the disk may be full of them
			_ = fsys.Remove(filepath.Join(dir, n))
		}
	}
	c.absorb(ix)
	return err
}

// BeginLoad says that a log is about to be replayed: documents are not indexed before EndLoad, when it is known
// what has become of them. Graphs of vector sets are opened when the sets come.
func (c *Catalog) BeginLoad(fsys vfs.FS, dir string, log *slog.Logger) {
	c.load = load{fsys, dir, log, map[string]saved{}, map[string]*reading{}, map[setKey]saved{}, map[setKey]setID{}}
	text, err := readAll(fsys, filepath.Join(dir, graphsName), maxGraphs)
	if err == nil {
		var l []saved
		l, err = parseGraphs(string(text))
		for _, s := range l {
			if k, ok := setOf(s); ok {
				c.load.sets[k] = s
			} else {
				c.load.indexes[s.name] = s
			}
		}
	}
	if err != nil && !isNotExist(err) {
		log.Warn("saved graphs cannot be used: they are made anew", "file", graphsName, "error", err)
	}
	c.loading.Store(true)
}

// Minds reports whether an index is to hear, while a log is loaded, of a string under a key of database 0. It is no
// document, but those that EndLoad does not fill, and temporary ones, take note of all that is written.
func (c *Catalog) Minds(key []byte) bool {
	set := *c.set.Load()
	if len(set) == 0 { // mostly, and it is asked for every key
		return false
	}
	for _, ix := range set {
		if (ix.SkipScan || ix.Temporary > 0 || !c.loading.Load()) && ix.matches(string(key)) {
			return true
		}
	}
	return false
}

// EndLoad fills all indexes with the documents that there are, and opens what was saved of them. Searches find
// everything when it returns; vectors that were not saved get into their graphs in the background.
func (c *Catalog) EndLoad() {
	c.loading.Store(false)
	log := c.load.log
	c.saves.Lock()
	defer c.saves.Unlock()
	c.saves.last = map[any]kept{}
	_ = c.Each(func(ix *Index) error {
		if ix.SkipScan {
			return nil
		}
		s, ok := c.load.indexes[ix.Name]
		restored := false
		if ok && s.definition == definitionOf(&ix.Definition) {
			r := c.load.ahead[ix.Name]
			if r != nil && r.ix == ix {
				delete(c.load.ahead, ix.Name)
			} else { // it was altered, or made anew
				r = c.read(ix, s)
			}
			<-r.done
			err := r.err
			if err == nil {
				err = ix.search.Restore(r.saved)
			}
			if err != nil {
				log.Warn(graphUnusable, "index", ix.Name, "error", err)
			} else {
				restored = true
				log.Info("opened a saved graph", "index", ix.Name, "took", r.took.Round(time.Millisecond))
			}
		}
		if err := ix.search.Postpone(); err != nil {
			log.Error("index", "name", ix.Name, "error", err)
		}
		sc := new(scan)
		ix.scan.Store(sc)
		c.look(ix, sc, c.ks.Seq())
		if err := ix.search.Restored(); err != nil {
			log.Error("index", "name", ix.Name, "error", err)
		}
		if n := len(ix.search.Unabsorbed()); n == 0 && restored {
			c.saves.last[ix.search] = kept{s, ix.search.Changes()}
		} else if n > 0 {
			log.Info("documents are put into a graph in the background", "index", ix.Name, "documents", n)
		}
		c.absorb(ix)
		return nil
	})
	c.endSets()
	c.load.end()
}

// reading is what was saved of an index while it is read. That is done while the log is replayed, which keeps one
// processor busy: the graphs are known when the index is made, long before its last document.
type reading struct {
	ix    *Index
	done  chan struct{} // closed when the others are there
	saved *search.Saved
	err   error
	took  time.Duration
}

// readAhead begins to read what was saved of an index, once for a name: a log may make and drop it many times.
func (c *Catalog) readAhead(ix *Index) {
	s, ok := c.load.indexes[ix.Name]
	if !ix.SkipScan && ok && c.load.ahead[ix.Name] == nil && s.definition == definitionOf(&ix.Definition) {
		c.load.ahead[ix.Name] = c.read(ix, s)
	}
}

// read begins to read what was saved of an index.
func (c *Catalog) read(ix *Index, s saved) *reading {
	r := &reading{ix: ix, done: make(chan struct{})}
	fsys, dir := c.load.fsys, c.load.dir
	c.wg.Go(func() {
		start := time.Now()
		r.saved, r.err = readSaved(fsys, dir, ix, s)
		r.took = time.Since(start)
		close(r.done)
	})
	return r
}

// end gives up what was read ahead of indexes that have gone.
func (l *load) end() {
	for _, a := range l.ahead {
		<-a.done
		if a.saved != nil {
			a.saved.Close()
		}
	}
	*l = load{}
}

func readSaved(fsys vfs.FS, dir string, ix *Index, s saved) (*search.Saved, error) {
	table, err := readAll(fsys, filepath.Join(dir, s.labels()), maxLabels)
	if err != nil {
		return nil, err
	}
	n := 0
	return ix.search.Read(table, func(string) (io.ReaderAt, int64, error) {
		n++
		f, err := fsys.Open(filepath.Join(dir, s.graph(n-1)))
		if err != nil {
			return nil, 0, err
		}
		size, err := f.Size()
		if err != nil {
			return nil, 0, errors.Join(err, f.Close())
		}
		return f, size, nil
	})
}

// absorb has a goroutine bring the vectors of an index into its graphs that are not there yet.
func (c *Catalog) absorb(ix *Index) {
	if len(ix.search.Unabsorbed()) == 0 {
		_ = ix.search.Absorbed()
		return
	}
	if ix.absorbing.CompareAndSwap(false, true) {
		c.wg.Go(func() { c.absorbAll(ix) })
	}
}

// absorbers is how many vectors get into a graph at a time: others want the processors too.
func absorbers() int { return max(1, index.Processors()/2) }

// absorbPause is between two looks at what is not in the graph yet, because it is just being changed.
const absorbPause = 20 * time.Millisecond

func (c *Catalog) absorbAll(ix *Index) {
	for !ix.stop.Load() {
		names := ix.search.Unabsorbed()
		if len(names) == 0 {
			_ = ix.search.Absorbed()
			ix.absorbing.Store(false)
			if len(ix.search.Unabsorbed()) == 0 || !ix.absorbing.CompareAndSwap(false, true) {
				return
			}
			continue
		}
		work := make(chan string)
		var wg sync.WaitGroup
		for range absorbers() {
			wg.Go(func() {
				var tx store.Tx
				for name := range work {
					if j := c.current(&tx, ix, name); j != nil {
						_ = ix.search.Absorb(name, j.get)
						j.release()
					}
				}
			})
		}
		for _, n := range names {
			if ix.stop.Load() {
				break
			}
			work <- n
		}
		close(work)
		wg.Wait()
		if !ix.stop.Load() {
			time.Sleep(absorbPause)
		}
	}
}

// current copies what an index needs of a document as it is now; nil where there is none.
func (c *Catalog) current(tx *store.Tx, ix *Index, name string) *job {
	tx.Begin(c.ks, 0, 0)
	tx.NoTouch, tx.Reads = true, true
	key := []byte(name)
	tx.LockKey(key)
	var j *job
	if e := tx.Peek(key); e != nil {
		if j = jobFor(ix, name, e, 0, false); j.gone {
			j.release()
			j = nil
		}
	}
	store.DoAll(tx.End())
	return j
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// CopyGraphs copies what is saved of indexes from one folder to another. Files that are replaced meanwhile, or
// cannot be read, are an error, and nothing is used of the copy then: the graphs are made anew.
func CopyGraphs(fsys vfs.FS, from, to string) error {
	text, err := readAll(fsys, filepath.Join(from, graphsName), maxGraphs)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	l, err := parseGraphs(string(text))
	if err != nil {
		return err
	}
	names, err := fsys.List(from)
	if err != nil {
		return err
	}
	for _, s := range l {
		prefix := fmt.Sprintf("%s%08d", filePrefix, s.num)
		for _, n := range names {
			if !strings.HasPrefix(n, prefix) {
				continue
			}
			src, err := fsys.Open(filepath.Join(from, n))
			if err != nil {
				return err
			}
			dst, err := createFile(fsys, filepath.Join(to, n))
			if err == nil {
				_, err = io.Copy(dst, src)
				err = errors.Join(err, dst.Close())
			}
			if err = errors.Join(err, src.Close()); err != nil {
				return err
			}
		}
	}
	if err := fsys.SyncDir(to); err != nil {
		return err
	}
	return writeGraphs(fsys, to, l)
}
