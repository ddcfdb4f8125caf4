package persist

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

// Report tells what Open found.
type Report struct {
	Records  uint64 // replayed, those of a rewrite included
	Bytes    int64
	Segments int
	LastLSN  uint64
	LastSeq  uint64 // greatest Record.Seq
	Torn     *Torn  // nil: the log ended cleanly
	Removed  []string
	Took     time.Duration
}

// Torn is the end of a log that a crash left unfinished. Nothing in it was known to be durable.
type Torn struct {
	File   string
	Offset int64
	Size   int64
	Kept   string // the file that holds it now
	Reason string
}

// Exists reports whether there is something to load in dir, or whether nobody can tell: then Open says why.
func Exists(fsys vfs.FS, dir string) bool {
	_, err := fsys.Stat(filepath.Join(dir, manifestName))
	return !isNotExist(err)
}

// loader replays the segments of a manifest.
type loader struct {
	fs     vfs.FS
	dir    string
	o      *Options
	replay func(Record) error
	dec    decoder
	report Report

	next     uint64 // LSN that the next record of the log must have; 0: any
	base     uint64 // the same within the base
	total    int64
	reported int64
	end      int64 // of what is good in the last segment
	marked   uint64
	seed     uint32
}

func (l *loader) load(segs []segment) error {
	for _, s := range segs {
		size := s.size
		if size == openEnd {
			fi, err := l.fs.Stat(filepath.Join(l.dir, s.name()))
			if err != nil {
				return missing(filepath.Join(l.dir, s.name()), err)
			}
			size = fi.Size
		}
		l.total += size
	}
	l.base = 1
	for i, s := range segs {
		if s.kind == kindLog {
			switch {
			case i == 0 && s.first != 1, i > 0 && segs[i-1].kind == kindLog && s.first != l.next:
				return &CorruptError{filepath.Join(l.dir, s.name()), 0, fmt.Sprintf("its first record is %d; records from %d on are missing", s.first, max(l.next, 1))}
			}
			l.next = s.first
		}
		if err := l.segment(s); err != nil {
			return err
		}
	}
	l.report.Segments = len(segs)
	l.report.LastLSN = l.next - 1
	l.progress(true)
	return nil
}

// missing is what is wrong where a segment that the manifest names cannot be opened.
func missing(name string, err error) error {
	if isNotExist(err) {
		return &CorruptError{name, 0, "the file is missing"}
	}
	return fmt.Errorf("a segment that the manifest names: %w", err)
}

func (l *loader) progress(now bool) {
	if l.o.Progress != nil && (now || l.report.Bytes-l.reported >= 1<<20) {
		l.reported = l.report.Bytes
		l.o.Progress(l.report.Bytes, l.total)
	}
}

func (l *loader) segment(s segment) error {
	name := filepath.Join(l.dir, s.name())
	f, err := l.fs.Open(name)
	if err != nil {
		return missing(name, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	last := s.size == openEnd
	if !last {
		if size < s.size {
			return &CorruptError{name, size, fmt.Sprintf("the file ends here; the manifest says at %d", s.size)}
		}
		size = s.size
	}
	sc := newScanner(f, name, size)
	h, err := sc.header()
	if err != nil {
		return err
	}
	if h.kind != s.kind || h.first != s.first {
		return &CorruptError{name, 0, "the header is that of another segment"}
	}
	want := &l.next
	if s.kind == kindBase {
		want = &l.base
	}
	if *want != s.first {
		return &CorruptError{name, 0, fmt.Sprintf("its first record is %d, not %d", s.first, *want)}
	}
	l.marked = s.first - 1
	done := l.report.Bytes
	take := func(x *read) (more bool, err error) {
		if x.err == io.EOF {
			return false, nil
		}
		if bad, ok := errors.AsType[errBad](x.err); ok {
			if !last {
				return false, &CorruptError{name, x.off, bad.reason}
			}
			found, err := markAfter(f, x.off+1, size, sc.seed, *want)
			if err != nil {
				return false, fmt.Errorf("read %s: %w", name, err)
			}
			if found {
				return false, &CorruptError{name, x.off, bad.reason + "; it was known to be on disk"}
			}
			l.report.Torn = &Torn{File: name, Offset: x.off, Size: size - x.off, Reason: bad.reason}
			return false, nil
		}
		if x.err != nil {
			return false, fmt.Errorf("read %s at %d: %w", name, x.off, x.err)
		}
		if err := l.take(x); err != nil {
			return false, fmt.Errorf("%s at %d: %w", name, x.off, err)
		}
		l.report.Bytes = done + x.end
		l.progress(false)
		return true, nil
	}
	next := func(x *read) { l.read(x, s, sc, want) }
	if s.kind == kindBase && !last {
		err = readAhead(next, take)
	} else {
		x, more := read{dec: &l.dec}, true
		for more && err == nil {
			next(&x)
			more, err = take(&x)
		}
	}
	if err != nil {
		return err
	}
	l.report.Bytes = done + sc.off
	l.end, l.seed = sc.off, sc.seed
	return nil
}

// read is a frame that was read: a record, a mark, or why it is neither.
type read struct {
	off, end int64
	record   Record // without commands for a mark
	err      error  // of the scanner
	bad      error  // of what the frame says

	dec *decoder // whose memory the record lies in
}

// read reads the next frame of a segment, whose LSN has to be want. It belongs, with
// the scanner, dec and want, to one goroutine.
func (l *loader) read(x *read, s segment, sc *scanner, want *uint64) {
	*x = read{off: sc.off, dec: x.dec}
	fr, err := sc.next()
	x.end = sc.off
	if err != nil {
		x.err = err
		return
	}
	switch {
	case fr.typ == typeMark:
		if s.kind == kindBase || fr.lsn >= *want {
			x.bad = fmt.Errorf("a mark for record %d, which is still to come", fr.lsn)
			return
		}
		l.marked = max(l.marked, fr.lsn)
		return
	case !isCommit(fr.typ):
		x.bad = unknownType(fr.typ)
		return
	}
	if fr.lsn != *want {
		x.bad = fmt.Errorf("record %d where %d was due", fr.lsn, *want)
		return
	}
	if x.record, x.bad = x.dec.commit(fr.payload, fr.typ&^typeCommit); x.bad != nil {
		return
	}
	*want++
	if s.kind == kindLog {
		x.record.LSN = fr.lsn
	}
}

// isCommit reports whether typ is that of a commit, plain or compressed.
func isCommit(typ byte) bool {
	return typ == typeCommit || typ == typeCommit|flagS2 || typ == typeCommit|flagZstd
}

// unknownType is the error of a record that is whole and of a type that there was not.
func unknownType(typ byte) error { return fmt.Errorf("record type %d: %w", typ, ErrVersion) }

// take replays what was read.
func (l *loader) take(x *read) error {
	if x.bad != nil {
		return x.bad
	}
	r := x.record
	if len(r.Commands) == 0 { // a mark
		return nil
	}
	l.report.Records++
	l.report.LastSeq = max(l.report.LastSeq, r.Seq)
	if err := l.replay(r); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return nil
}

// cutTorn saves the torn end beside and cuts it off.
func (l *loader) cutTorn(now time.Time) error {
	t := l.report.Torn
	t.Kept = t.File + ".torn-" + now.UTC().Format("20060102T150405Z")
	if err := l.copyTail(t); err != nil {
		return fmt.Errorf("keep the torn end of %s: %w", t.File, err)
	}
	f, err := l.fs.OpenAppend(t.File)
	if err != nil {
		return err
	}
	err = f.Truncate(t.Offset)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (l *loader) copyTail(t *Torn) error {
	src, err := l.fs.Open(t.File)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := l.fs.Create(t.Kept)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, io.NewSectionReader(src, t.Offset, t.Size))
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return l.fs.SyncDir(l.dir)
}
