package persist

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/store/vfs"
)

const (
	manifestName = "nearcache.manifest"
	manifestHead = "nearcache manifest 1\n"
	maxManifest  = 16 << 20
)

// appendManifest writes the list of segments, in the order in which they are replayed.
func appendManifest(b []byte, segs []segment) []byte {
	b = append(b, manifestHead...)
	for _, s := range segs {
		kind, size := "log", "-"
		if s.kind == kindBase {
			kind = "base"
		}
		if s.size != openEnd {
			size = strconv.FormatInt(s.size, 10)
		}
		b = fmt.Appendf(b, "%s %08d first %d size %s\n", kind, s.num, s.first, size)
	}
	return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, castagnoli))
}

// parseManifest reads what appendManifest wrote.
func parseManifest(text string) ([]segment, error) {
	body, ok := strings.CutPrefix(text, manifestHead)
	if !ok {
		if v, ok := strings.CutPrefix(text, "nearcache manifest "); ok {
			v, _, _ = strings.Cut(v, "\n")
			return nil, fmt.Errorf("format version %.20q: %w: it reads version 1", v, ErrVersion)
		}
		return nil, damagedManifest("it does not begin as one")
	}
	sum := strings.LastIndex(text, "crc32c ")
	if sum < 0 || text[sum:] != fmt.Sprintf("crc32c %08x\n", crc32.Checksum([]byte(text[:sum]), castagnoli)) {
		return nil, damagedManifest("wrong checksum")
	}
	body = body[:len(body)-(len(text)-sum)]
	var segs []segment
	for line := range strings.Lines(body) {
		f := strings.Fields(line)
		if len(f) != 6 || f[2] != "first" || f[4] != "size" {
			return nil, fmt.Errorf("line %.100q", line)
		}
		s := segment{size: openEnd}
		switch f[0] {
		case "log":
		case "base":
			s.kind = kindBase
		default:
			return nil, fmt.Errorf("line %.100q", line)
		}
		var err1, err2, err3 error
		s.num, err1 = strconv.ParseUint(f[1], 10, 63)
		s.first, err2 = strconv.ParseUint(f[3], 10, 64)
		if f[5] != "-" {
			s.size, err3 = strconv.ParseInt(f[5], 10, 63)
		}
		if err1 != nil || err2 != nil || err3 != nil || s.size != openEnd && s.size < headerSize {
			return nil, fmt.Errorf("line %.100q", line)
		}
		segs = append(segs, s)
	}
	for i, s := range segs {
		last := i == len(segs)-1
		if last != (s.size == openEnd) || last && s.kind != kindLog {
			return nil, fmt.Errorf("segment %08d: the last segment, and no other, is open", s.num)
		}
		if i > 0 && s.kind == kindBase && segs[i-1].kind != kindBase {
			return nil, fmt.Errorf("segment %08d: a base after the log", s.num)
		}
	}
	if len(segs) == 0 {
		return nil, errors.New("no segments")
	}
	return segs, nil
}

// damagedManifest is the error of one that does not hold: nothing else says which files are the state.
func damagedManifest(why string) error {
	return fmt.Errorf("the manifest is damaged: %s. It cannot be repaired; restore the folder from a backup", why)
}

// readManifest returns the segments, or fs.ErrNotExist.
func readManifest(fsys vfs.FS, dir string) ([]segment, error) {
	name := filepath.Join(dir, manifestName)
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > maxManifest {
		return nil, fmt.Errorf("%s: longer than %d bytes", name, maxManifest)
	}
	segs, err := parseManifest(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return segs, nil
}

// writeManifest replaces the manifest: beside, synced, renamed, folder synced.
func writeManifest(fsys vfs.FS, dir string, segs []segment) error {
	name := filepath.Join(dir, manifestName)
	if err := writeFile(fsys, name+".tmp", appendManifest(nil, segs)); err != nil {
		_ = fsys.Remove(name + ".tmp") // the next one is a new file: this one is not trusted again
		return err
	}
	if err := fsys.Rename(name+".tmp", name); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// writeFile writes and syncs a file; its name is not yet durable.
func writeFile(fsys vfs.FS, name string, b []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
