package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// ErrPowerCut is what every operation returns after [CutAfter] has struck.
var ErrPowerCut = errors.New("power cut")

// Kind names an operation of a [Mem].
type Kind string

// The operations of Mem and of its files.
const (
	OpCreate     Kind = "create"
	OpOpen       Kind = "open"
	OpOpenAppend Kind = "openappend"
	OpRename     Kind = "rename"
	OpRemove     Kind = "remove"
	OpMkdir      Kind = "mkdir"
	OpList       Kind = "list"
	OpSyncDir    Kind = "syncdir"
	OpStat       Kind = "stat"
	OpLock       Kind = "lock"
	OpRead       Kind = "read"
	OpWrite      Kind = "write"
	OpSync       Kind = "sync"
	OpTruncate   Kind = "truncate"
)

// Op is an operation about to happen.
type Op struct {
	N    int // counts all operations of this Mem, from 1
	Kind Kind
	Name string // of the file or folder; the old name of a rename
	Size int    // bytes to write
}

// ShortWrite is an error for [Mem.Inject] that lets a write fail after Written bytes.
type ShortWrite struct {
	Written int
	Err     error
}

func (s *ShortWrite) Error() string {
	return fmt.Sprintf("short write of %d bytes: %v", s.Written, s.Err)
}

// Unwrap returns the cause.
func (s *ShortWrite) Unwrap() error { return s.Err }

// Mem is a file system in memory that knows what a power cut would leave of it. Make one with [NewMem].
type Mem struct {
	mu struct {
		sync.Mutex
		root     *node
		ops      int
		inject   func(Op) error
		capacity int64           // 0: unlimited
		locked   map[string]bool // names that Lock holds
	}
}

// node is a file or a folder. A file's disk bytes plus all pending writes are its data; likewise for names.
type node struct {
	dir     bool
	modTime time.Time

	data    []byte
	disk    []byte
	pending []write

	names     map[string]*node
	diskNames map[string]*node
	changes   []change
}

// write is an unsynced write, or a truncation to off.
type write struct {
	off      int
	data     []byte
	truncate bool
	lost     bool // a Sync failed over it; no later Sync will save it
}

// change is an unsynced change of names, atomic: remove goes, add comes.
type change struct {
	remove string
	add    string
	node   *node
}

type memFile struct {
	m     *Mem
	n     *node
	name  string
	write bool

	mu struct {
		sync.Mutex
		off    int
		closed bool
	}
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	m := &Mem{}
	m.mu.root = newDir()
	m.mu.locked = map[string]bool{}
	return m
}

func newDir() *node {
	return &node{dir: true, names: map[string]*node{}, diskNames: map[string]*node{}}
}

// Inject sets a function that is asked before each operation; an error that it returns is the operation's, which then
// has no effect, except for a [*ShortWrite]. nil takes it away. It must not call the file system.
func (m *Mem) Inject(f func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.inject = f
}

// SetCapacity limits the bytes of all files together: a write beyond is cut short with ENOSPC. 0 is no limit.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.capacity = bytes
}

// Free implements [Space]; without a capacity there is as much as can be.
func (m *Mem) Free(string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.capacity == 0 {
		return 1 << 62, nil
	}
	return max(0, m.mu.capacity-m.usedLocked()), nil
}

// Ops returns the number of operations so far.
func (m *Mem) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.ops
}

// CutAfter is an injection that lets operations up to number n happen and fails all later ones with ErrPowerCut. When it
// is taken away again, what had died was a process and not the machine.
func CutAfter(n int) func(Op) error {
	return func(op Op) error {
		if op.N > n {
			return ErrPowerCut
		}
		return nil
	}
}

// FailKind is an injection that fails the nth operation of a kind (from 1) with err, and no other.
func FailKind(k Kind, nth int, err error) func(Op) error {
	seen := 0
	return func(op Op) error {
		if op.Kind != k {
			return nil
		}
		seen++
		if seen == nth {
			return err
		}
		return nil
	}
}

// CrashClone returns a file system as a machine might find it after a power cut at this moment: what was synced is
// there; of what was not, any part may be. Everything in the clone is synced, and nothing is locked.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	c.mu.root = m.mu.root.crash(rng, map[*node]*node{})
	return c
}

func (n *node) crash(rng *rand.Rand, seen map[*node]*node) *node {
	if c := seen[n]; c != nil {
		return c
	}
	c := &node{dir: n.dir, modTime: n.modTime}
	seen[n] = c
	if !n.dir {
		c.disk = n.crashData(rng)
		c.data = slices.Clone(c.disk)
		return c
	}
	names := make(map[string]*node, len(n.diskNames))
	for name, child := range n.diskNames {
		names[name] = child
	}
	keep := keeper(rng, len(n.changes))
	for i, ch := range n.changes {
		if keep(i) {
			ch.apply(names)
		}
	}
	c.names, c.diskNames = map[string]*node{}, map[string]*node{}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted) // so that a seed means the same crash each time
	for _, name := range sorted {
		child := names[name].crash(rng, seen)
		c.names[name], c.diskNames[name] = child, child
	}
	return c
}

func (n *node) crashData(rng *rand.Rand) []byte {
	disk := slices.Clone(n.disk)
	type piece struct {
		write
		end int
	}
	var pieces []piece
	for _, w := range n.pending {
		if w.truncate {
			pieces = append(pieces, piece{w, w.off})
			continue
		}
		for off, data := w.off, w.data; len(data) > 0; {
			l := min(sector-off%sector, len(data))
			pieces = append(pieces, piece{write{off: off, data: data[:l]}, off + l})
			off, data = off+l, data[l:]
		}
	}
	keep := keeper(rng, len(pieces))
	longer := rng.IntN(4) == 0 // the length arrived before the bytes did
	for i, p := range pieces {
		switch {
		case keep(i):
			disk = p.apply(disk)
		case longer && !p.truncate && len(disk) < p.end:
			disk = append(disk, make([]byte, p.end-len(disk))...)
		}
	}
	return disk
}

// keeper decides which of n things survive: none, all, a prefix, or a random subset.
func keeper(rng *rand.Rand, n int) func(int) bool {
	switch rng.IntN(4) {
	case 0:
		return func(int) bool { return false }
	case 1:
		return func(int) bool { return true }
	case 2:
		p := rng.IntN(n + 1)
		return func(i int) bool { return i < p }
	default:
		return func(int) bool { return rng.IntN(2) == 0 }
	}
}

func (w write) apply(b []byte) []byte {
	if w.truncate {
		if w.off <= len(b) {
			return b[:w.off]
		}
		return append(b, make([]byte, w.off-len(b))...)
	}
	if end := w.off + len(w.data); end > len(b) {
		if end > cap(b) {
			b = slices.Grow(b, end-len(b))
		}
		old := len(b)
		b = b[:end]
		clear(b[old:])
	}
	copy(b[w.off:], w.data)
	return b
}

func (ch change) apply(names map[string]*node) {
	if ch.remove != "" {
		delete(names, ch.remove)
	}
	if ch.node != nil {
		names[ch.add] = ch.node
	}
}

// askLocked counts an operation and asks the injection.
func (m *Mem) askLocked(k Kind, name string, size int) error {
	m.mu.ops++
	if m.mu.inject == nil {
		return nil
	}
	if err := m.mu.inject(Op{N: m.mu.ops, Kind: k, Name: name, Size: size}); err != nil {
		if s, ok := err.(*ShortWrite); ok {
			return s
		}
		return &fs.PathError{Op: string(k), Path: name, Err: err}
	}
	return nil
}

func notExist(k Kind, name string) error {
	return &fs.PathError{Op: string(k), Path: name, Err: fs.ErrNotExist}
}

// dirLocked finds a folder.
func (m *Mem) dirLocked(dir string) *node {
	n := m.mu.root
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(dir)), "/") {
		if part == "" || part == "." {
			continue
		}
		if n = n.names[part]; n == nil || !n.dir {
			return nil
		}
	}
	return n
}

// findLocked returns the folder of a name, which may be nil, and the name in it.
func (m *Mem) findLocked(name string) (*node, string) {
	name = filepath.Clean(name)
	return m.dirLocked(filepath.Dir(name)), filepath.Base(name)
}

func (d *node) change(ch change) {
	ch.apply(d.names)
	d.changes = append(d.changes, ch)
}

// Create implements [FS].
func (m *Mem) Create(name string) (File, error) { return m.open(OpCreate, name) }

// Open implements [FS].
func (m *Mem) Open(name string) (File, error) { return m.open(OpOpen, name) }

// OpenAppend implements [FS].
func (m *Mem) OpenAppend(name string) (File, error) { return m.open(OpOpenAppend, name) }

func (m *Mem) open(k Kind, name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.askLocked(k, name, 0); err != nil {
		return nil, err
	}
	d, base := m.findLocked(name)
	if d == nil {
		return nil, notExist(k, name)
	}
	n := d.names[base]
	switch {
	case n == nil && k == OpOpen:
		return nil, notExist(k, name)
	case n == nil:
		n = &node{modTime: time.Now()}
		d.change(change{add: base, node: n})
	case n.dir:
		return nil, &fs.PathError{Op: string(k), Path: name, Err: errors.New("is a folder")}
	case k == OpCreate:
		n.do(write{truncate: true})
	}
	return &memFile{m: m, n: n, name: name, write: k != OpOpen}, nil
}

func (n *node) do(w write) {
	n.data = w.apply(n.data)
	n.pending = append(n.pending, w)
	n.modTime = time.Now()
}

// Rename implements [FS].
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.askLocked(OpRename, from, 0); err != nil {
		return err
	}
	d, a := m.findLocked(from)
	d2, b := m.findLocked(to)
	if d == nil || d.names[a] == nil || d2 == nil {
		return notExist(OpRename, from)
	}
	if d != d2 {
		return &fs.PathError{Op: string(OpRename), Path: from, Err: errors.New("to another folder")}
	}
	if a != b {
		d.change(change{remove: a, add: b, node: d.names[a]})
	}
	return nil
}

// Remove implements [FS].
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.askLocked(OpRemove, name, 0); err != nil {
		return err
	}
	d, base := m.findLocked(name)
	if d == nil || d.names[base] == nil {
		return notExist(OpRemove, name)
	}
	if n := d.names[base]; n.dir && len(n.names) > 0 {
		return &fs.PathError{Op: string(OpRemove), Path: name, Err: errors.New("folder is not empty")}
	}
	d.change(change{remove: base})
	return nil
}

// MkdirAll implements [FS].
func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.askLocked(OpMkdir, dir, 0); err != nil {
		return err
	}
	n := m.mu.root
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(dir)), "/") {
		if part == "" || part == "." {
			continue
		}
		child := n.names[part]
		if child == nil {
			child = newDir()
			n.change(change{add: part, node: child})
		}
		if !child.dir {
			return &fs.PathError{Op: string(OpMkdir), Path: dir, Err: errors.New("is a file")}
		}
		n = child
	}
	return nil
}

// List implements [FS].
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.askLocked(OpList, dir, 0); err != nil {
		return nil, err
	}
	d := m.dirLocked(dir)
	if d == nil {
		return nil, notExist(OpList, dir)
	}
	names := make([]string, 0, len(d.names))
	for name := range d.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.askLocked(OpSyncDir, dir, 0); err != nil {
		return err
	}
	d := m.dirLocked(dir)
	if d == nil {
		return notExist(OpSyncDir, dir)
	}
	for _, ch := range d.changes {
		ch.apply(d.diskNames)
	}
	d.changes = nil
	return nil
}

// Stat implements [FS].
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.askLocked(OpStat, name, 0); err != nil {
		return Info{}, err
	}
	d, base := m.findLocked(name)
	if d == nil {
		return Info{}, notExist(OpStat, name)
	}
	n := d.names[base]
	if n == nil {
		if n = m.dirLocked(name); n == nil {
			return Info{}, notExist(OpStat, name)
		}
	}
	return Info{Size: int64(len(n.data)), ModTime: n.modTime, Dir: n.dir}, nil
}

type memLock struct {
	m    *Mem
	name string
}

// Lock implements [FS].
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.open(OpLock, name)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.Clean(name)
	if m.mu.locked[name] {
		return nil, &fs.PathError{Op: string(OpLock), Path: name, Err: ErrLocked}
	}
	m.mu.locked[name] = true
	return &memLock{m, name}, nil
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.mu.locked, l.name)
	return nil
}

func (m *Mem) usedLocked() int64 {
	var sum func(n *node) int64
	sum = func(n *node) int64 {
		total := int64(len(n.data))
		for _, c := range n.names {
			total += sum(c)
		}
		return total
	}
	return sum(m.mu.root)
}

func (f *memFile) checkLocked(k Kind) error {
	if f.mu.closed {
		return &fs.PathError{Op: string(k), Path: f.name, Err: fs.ErrClosed}
	}
	if (k == OpWrite || k == OpTruncate) && !f.write {
		return &fs.PathError{Op: string(k), Path: f.name, Err: fs.ErrPermission}
	}
	return nil
}

func (f *memFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAtLocked(p, int64(f.mu.off))
	f.mu.off += n
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readAtLocked(p, off)
}

func (f *memFile) readAtLocked(p []byte, off int64) (int, error) {
	if err := f.checkLocked(OpRead); err != nil {
		return 0, err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.askLocked(OpRead, f.name, len(p)); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, &fs.PathError{Op: string(OpRead), Path: f.name, Err: fs.ErrInvalid}
	}
	if off >= int64(len(f.n.data)) {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Write appends: Create and OpenAppend both leave the file's position at its end.
func (f *memFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkLocked(OpWrite); err != nil {
		return 0, err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	n := len(p)
	err := f.m.askLocked(OpWrite, f.name, n)
	if err != nil {
		n = 0
		if s := (*ShortWrite)(nil); errors.As(err, &s) {
			n = min(s.Written, len(p))
			err = &fs.PathError{Op: string(OpWrite), Path: f.name, Err: s.Err}
		}
	} else if c := f.m.mu.capacity; c > 0 {
		if free := max(0, c-f.m.usedLocked()); int64(n) > free {
			n = int(free)
			err = &fs.PathError{Op: string(OpWrite), Path: f.name, Err: syscall.ENOSPC}
		}
	}
	if n > 0 {
		f.n.do(write{off: len(f.n.data), data: slices.Clone(p[:n])})
	}
	return n, err
}

func (f *memFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkLocked(OpTruncate); err != nil {
		return err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.askLocked(OpTruncate, f.name, 0); err != nil {
		return err
	}
	f.n.do(write{off: int(size), truncate: true})
	return nil
}

func (f *memFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkLocked(OpSync); err != nil {
		return err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	n := f.n
	if err := f.m.askLocked(OpSync, f.name, 0); err != nil {
		for i := range n.pending {
			// After a cut nothing happens any more, to the cache neither.
			n.pending[i].lost = n.pending[i].lost || !errors.Is(err, ErrPowerCut)
		}
		return err
	}
	kept := n.pending[:0]
	for _, w := range n.pending {
		if w.lost {
			kept = append(kept, w)
			continue
		}
		n.disk = w.apply(n.disk)
		// What was lost under it cannot come back.
		kept = slices.DeleteFunc(kept, func(old write) bool {
			return !old.truncate && old.off >= w.off && (w.truncate || old.off+len(old.data) <= w.off+len(w.data))
		})
	}
	n.pending = kept
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkLocked(OpRead); err != nil {
		return err
	}
	f.mu.closed = true
	return nil
}
