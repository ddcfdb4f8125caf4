package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

// Damage is something in a folder that Open would refuse.
type Damage struct {
	File   string
	Offset int64
	Reason string
	Bytes  int64 // of the file that are lost with it, as far as is known
}

func (d Damage) String() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s", d.File, d.Offset, d.Reason)
}

// CheckReport tells what Check found, and what Repair did.
type CheckReport struct {
	Files   int
	Records uint64
	Bytes   int64
	Torn    *Torn // an unfinished end, which Open cuts: not damage
	Damage  []Damage
	Kept    []string // Repair: files as they were, under these names
}

// Check reads everything in a folder that nobody uses, and changes nothing. Its error says that it could
// not be read at all.
func Check(fsys vfs.FS, dir string) (CheckReport, error) {
	lock, err := lockDir(fsys, dir)
	if err != nil {
		return CheckReport{}, refused(dir, err)
	}
	rep, _, err := inspect(fsys, dir)
	return rep, refused(dir, errors.Join(err, lock.Close()))
}

func lockDir(fsys vfs.FS, dir string) (io.Closer, error) {
	if _, err := fsys.Stat(filepath.Join(dir, manifestName)); err != nil {
		return nil, fmt.Errorf("%s is no data folder: %w", dir, err)
	}
	lock, err := fsys.Lock(filepath.Join(dir, "nearcache.lock"))
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	return lock, nil
}

// inspected is what was found in a segment.
type inspected struct {
	segment
	bad  bool  // something in it does not hold
	good int64 // up to here a log can be kept
	gone bool  // not even its header holds
}

func inspect(fsys vfs.FS, dir string) (rep CheckReport, all []inspected, err error) {
	segs, err := readManifest(fsys, dir)
	if err != nil {
		return rep, nil, err
	}
	next := uint64(1)
	for i, s := range segs {
		if s.kind == kindLog && i > 0 && segs[i-1].kind == kindBase {
			next = s.first
		}
		x := inspected{segment: s}
		damage := func(off int64, size int64, reason string) {
			x.bad = true
			rep.Damage = append(rep.Damage, Damage{File: filepath.Join(dir, s.name()), Offset: off, Reason: reason, Bytes: size})
		}
		if s.first != next {
			x.gone = s.kind == kindLog // nothing may follow a gap
			damage(0, 0, fmt.Sprintf("its first record is %d, not %d", s.first, next))
		}
		next, err = inspectSegment(fsys, dir, &x, &rep, damage)
		if err != nil {
			return rep, nil, err
		}
		all = append(all, x)
	}
	return rep, all, nil
}

// inspectSegment reads a segment and returns the LSN that follows it.
func inspectSegment(fsys vfs.FS, dir string, x *inspected, rep *CheckReport, damage func(off, size int64, reason string)) (next uint64, err error) {
	name := filepath.Join(dir, x.name())
	next = x.first
	f, err := fsys.Open(name)
	if isNotExist(err) {
		x.gone = true
		damage(0, 0, "the file is missing")
		return next, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	rep.Files++
	last := x.size == openEnd
	if !last && size < x.size {
		damage(size, x.size-size, fmt.Sprintf("the file ends here; the manifest says at %d", x.size))
	} else if !last {
		size = x.size
	}
	sc := newScanner(f, name, size)
	h, err := sc.header()
	if err == nil && (h.kind != x.kind || h.first != x.first) {
		err = &CorruptError{name, 0, "the header is that of another segment"}
	}
	if bad, ok := errors.AsType[*CorruptError](err); ok {
		x.gone = true
		damage(bad.Offset, size, bad.Reason)
		return next, nil
	}
	if err != nil {
		return 0, err
	}
	dec := decoder{limit: MaxRecord}
	for {
		off := sc.off
		x.good = off
		fr, err := sc.next()
		if err == io.EOF {
			break
		}
		reason := ""
		if bad, ok := errors.AsType[errBad](err); ok {
			reason = bad.reason
		} else if err != nil {
			return 0, fmt.Errorf("read %s at %d: %w", name, off, err)
		}
		if reason == "" && fr.typ == typeMark {
			continue
		}
		if reason == "" {
			if !isCommit(fr.typ) { // whole, so not damaged
				return 0, fmt.Errorf("%s at %d: %w", name, off, unknownType(fr.typ))
			}
			_, err := dec.commit(fr.payload, fr.typ&^typeCommit)
			switch {
			case fr.lsn != next:
				reason = fmt.Sprintf("record %d where %d was due", fr.lsn, next)
			case err != nil:
				reason = err.Error()
			}
		}
		if reason == "" {
			next++
			rep.Records++
			rep.Bytes += sc.off - off
			continue
		}
		if last {
			found, err := markAfter(f, off+1, size, sc.seed, next)
			if err != nil {
				return 0, err
			}
			if !found {
				rep.Torn = &Torn{File: name, Offset: off, Size: size - off, Reason: reason}
				break
			}
		}
		damage(off, size-off, reason)
		break
	}
	return next, nil
}

// Repair makes a damaged folder one that Open takes, with as much of it as can be had: of a base, all
// blocks but those that do not hold; of the log, what comes before the first damage, because what
// follows would be applied to other values than it was written for. The files as they were are kept beside.
func Repair(fsys vfs.FS, dir string, now time.Time) (CheckReport, error) {
	lock, err := lockDir(fsys, dir)
	if err != nil {
		return CheckReport{}, refused(dir, err)
	}
	rep, all, err := inspect(fsys, dir)
	if err == nil && len(rep.Damage) > 0 {
		err = repair(fsys, dir, all, &rep, ".damaged-"+now.UTC().Format("20060102T150405Z"))
	}
	return rep, refused(dir, errors.Join(err, lock.Close()))
}

func repair(fsys vfs.FS, dir string, all []inspected, rep *CheckReport, suffix string) error {
	num := uint64(0)
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if x, ok := parseName(n); ok {
			num = max(num, x)
		}
	}
	for _, x := range all { // of files that are missing, too: what is named anew must not be one of those put aside
		num = max(num, x.num)
	}
	var segs []segment
	var aside []string
	records, first := uint64(1), uint64(1)
	cut := false
	for _, x := range all {
		if x.kind == kindLog {
			if len(segs) == 0 || segs[len(segs)-1].kind == kindBase {
				first = x.first
			}
			switch {
			case cut:
				aside = append(aside, x.name())
				continue
			case !x.bad:
				segs = append(segs, x.segment)
				continue
			}
			cut = true
			aside = append(aside, x.name())
			if x.gone {
				continue
			}
			num++
			s := segment{num: num, kind: kindLog, first: x.first, size: openEnd}
			if err := copyFile(fsys, filepath.Join(dir, x.name()), filepath.Join(dir, s.name()), x.good); err != nil {
				return err
			}
			segs = append(segs, s)
			continue
		}
		num++
		s := segment{num: num, kind: kindBase, first: records}
		n, size, err := salvage(fsys, filepath.Join(dir, x.name()), filepath.Join(dir, s.name()), s, x.gone)
		if err != nil {
			return err
		}
		aside = append(aside, x.name())
		s.size = size
		segs = append(segs, s)
		records += n
	}
	// The last segment, and it alone, is open.
	if len(segs) == 0 || segs[len(segs)-1].kind == kindBase {
		num++
		s := segment{num: num, kind: kindLog, first: first, size: openEnd}
		if err := writeFile(fsys, filepath.Join(dir, s.name()), s.appendHeader(nil, newSalt())); err != nil {
			return err
		}
		segs = append(segs, s)
	}
	for i := range segs {
		s := &segs[i]
		if i == len(segs)-1 {
			s.size = openEnd
		} else if s.size == openEnd {
			return errors.New("an open segment before the last")
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return err
	}
	if err := writeManifest(fsys, dir, segs); err != nil {
		return err
	}
	for _, n := range aside {
		from := filepath.Join(dir, n)
		if err := fsys.Rename(from, from+suffix); isNotExist(err) {
			continue
		} else if err != nil {
			return err
		}
		rep.Kept = append(rep.Kept, n+suffix)
	}
	return fsys.SyncDir(dir)
}

// copyFile copies the first n bytes of a file, and syncs them.
func copyFile(fsys vfs.FS, from, to string, n int64) error {
	src, err := fsys.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := fsys.Create(to)
	if err != nil {
		return err
	}
	m, err := io.Copy(dst, io.NewSectionReader(src, 0, n))
	if err == nil && m != n {
		err = fmt.Errorf("%s: %d bytes of %d: %w", from, m, n, io.ErrUnexpectedEOF)
	}
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close())
}

// salvage writes what holds of a base to another, whose records count from s.first, and returns how many
// there are. Behind a record that does not hold it looks for the next one at every byte.
func salvage(fsys vfs.FS, from, to string, s segment, gone bool) (records uint64, size int64, err error) {
	dst, err := fsys.Create(to)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	salt := newSalt()
	seed := seedOf(salt)
	buf := s.appendHeader(nil, salt)
	flush := func() error {
		n, err := dst.Write(buf)
		size += int64(n)
		buf = buf[:0]
		return err
	}
	if !gone {
		src, err := fsys.Open(from)
		if err != nil {
			return 0, 0, err
		}
		defer src.Close()
		end, err := src.Size()
		if err != nil {
			return 0, 0, err
		}
		sc := newScanner(src, from, end)
		if _, err := sc.header(); err != nil {
			return 0, 0, err
		}
		dec := decoder{limit: MaxRecord}
		last := uint64(0)
		for {
			off := sc.off
			fr, err := sc.next()
			if err == io.EOF {
				break
			}
			if _, bad := errors.AsType[errBad](err); bad {
				at, found, err := frameAfter(src, off+1, end, sc.seed, last)
				if err != nil {
					return 0, 0, err
				}
				if !found {
					break
				}
				old := sc.seed
				sc = newScanner(io.NewSectionReader(src, at, end-at), from, end)
				sc.off, sc.seed = at, old
				continue
			}
			if err != nil {
				return 0, 0, err
			}
			if !isCommit(fr.typ) {
				return 0, 0, fmt.Errorf("%s at %d: %w", from, off, unknownType(fr.typ))
			}
			last = fr.lsn
			if _, err := dec.commit(fr.payload, fr.typ&^typeCommit); err != nil {
				continue
			}
			start := len(buf)
			buf = append(buf, 0, 0, 0, 0)
			buf = binary.LittleEndian.AppendUint32(buf, uint32(bodyHead+len(fr.payload)))
			buf = binary.LittleEndian.AppendUint64(buf, s.first+records)
			buf = append(append(buf, fr.typ), fr.payload...)
			binary.LittleEndian.PutUint32(buf[start:], crc32.Update(seed, castagnoli, buf[start+4:]))
			records++
			if len(buf) >= baseBuffer {
				if err := flush(); err != nil {
					return 0, 0, err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return 0, 0, err
	}
	return records, size, dst.Sync()
}

// frameAfter looks for the next record behind LSN last whose checksum holds. Of what is no record length, type and
// LSN are hardly ever plausible, so few bytes are looked at twice.
func frameAfter(f vfs.File, off, size int64, seed uint32, last uint64) (at int64, found bool, err error) {
	buf := make([]byte, min(scanBuffer, max(0, size-off)))
	for ; size-off >= frameMin; off += int64(len(buf) - frameMin + 1) {
		b := buf[:min(int64(len(buf)), size-off)]
		if n, err := f.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
			return 0, false, err
		} else if b = b[:n]; n < frameMin {
			return 0, false, nil
		}
		for i := 0; i+frameMin <= len(b); i++ {
			n := int64(binary.LittleEndian.Uint32(b[i+4:]))
			lsn := binary.LittleEndian.Uint64(b[i+8:])
			if typ := b[i+16]; typ&^(flagS2|flagZstd) != typeCommit || n < bodyHead || n > MaxRecord ||
				off+int64(i)+frameHead+n > size || lsn <= last || lsn-last > uint64(size) {
				continue
			}
			crc, err := checksum(f, off+int64(i)+4, 4+n, seed)
			if err != nil {
				return 0, false, err
			}
			if crc == binary.LittleEndian.Uint32(b[i:]) {
				return off + int64(i), true, nil
			}
		}
		if len(b) < len(buf) {
			break
		}
	}
	return 0, false, nil
}

func checksum(f vfs.File, off, n int64, seed uint32) (uint32, error) {
	h := &crcWriter{seed}
	_, err := io.Copy(h, io.NewSectionReader(f, off, n))
	return h.sum, err
}

type crcWriter struct{ sum uint32 }

func (w *crcWriter) Write(p []byte) (int, error) {
	w.sum = crc32.Update(w.sum, castagnoli, p)
	return len(p), nil
}
