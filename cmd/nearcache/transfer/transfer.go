package transfer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nearcache/nearcache/store/rdb"
)

const importUsage = `nearcache import KIND [-flags] FILE

  rdb         a file of Redis 2.6 to 8.10 or of Valkey: dump.rdb
  aof         a log of Redis: a file, its manifest, or the folder of both
  jsonl       lines that nearcache export has written; with -as, documents of any form, one a line
  npy         the rows of a NumPy array, as elements of a vector set or fields of hashes
  coder-hnsw  the vectors of a graph that github.com/coder/hnsw has exported or saved

`

// Import is nearcache import.
func Import(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("nearcache import", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, importUsage)
		fs.PrintDefaults()
	}
	var to end
	to.flags(fs, "to")
	replace := fs.Bool("replace", false, "replace keys that are there already (rdb, aof, jsonl)")
	quiet := fs.Bool("quiet", false, "tell no progress")
	d := Documents{}
	fs.StringVar(&d.As, "as", "", "jsonl: make a hash or a json document of each line")
	fs.StringVar(&d.ID, "id", "id", "jsonl with -as: the field that names the key behind -prefix; the line's number where it is missing")
	prefix := fs.String("prefix", "", "of the keys (jsonl with -as, npy, coder-hnsw)")
	key := fs.String("key", "", "npy, coder-hnsw: the vector set; without it each vector becomes a hash")
	fieldName := fs.String("field", "embedding", "npy, coder-hnsw: the field of hashes that holds the vector")
	ids := fs.String("ids", "", "npy: a file of names, one a line; without it rows are numbered from 0")
	keys := fs.String("keys", "auto", "coder-hnsw: the type of its keys: string, int, int32, int64, uint32, uint64")
	kind, file, err := parse(fs, args)
	if err != nil {
		return err
	}
	if d.As != "" && d.As != "hash" && d.As != "json" {
		return fmt.Errorf("import: -as %q is neither hash nor json", d.As)
	}
	d.Prefix = *prefix
	v := Vectors{Key: *key, Prefix: *prefix, Field: *fieldName}
	told := stderr
	if *quiet {
		told = nil
	}
	read := map[string]func(s *Sink) error{
		"rdb": func(s *Sink) error {
			return reading(ctx, file, told, func(r io.Reader) error {
				_, err := ImportRDB(r, s, *replace)
				return err
			})
		},
		"aof": func(s *Sink) error { return ImportAOF(ctx, file, s, *replace, told) },
		"jsonl": func(s *Sink) error {
			return reading(ctx, file, told, func(r io.Reader) error { return ImportJSONL(r, s, d, *replace) })
		},
		"npy": func(s *Sink) error {
			names, closeNames, err := openNames(*ids)
			if err != nil {
				return err
			}
			return errors.Join(reading(ctx, file, told, func(r io.Reader) error { return ImportNPY(r, names, s, v) }), closeNames())
		},
		"coder-hnsw": func(s *Sink) error {
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			fi, err := f.Stat()
			if err != nil {
				return errors.Join(err, f.Close())
			}
			wrap := func(r io.Reader) io.Reader { return &progress{ctx: ctx, r: r, w: told, name: file, of: fi.Size()} }
			if err := ImportGraph(f, wrap, *keys, s, v); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", file, err), f.Close())
			}
			return f.Close()
		},
	}[kind]
	if read == nil {
		fs.Usage()
		return fmt.Errorf("import: what? %q", kind)
	}
	if err := readable(file, kind == "aof"); err != nil {
		return err
	}
	conn, stop, err := to.open(ctx)
	if err != nil {
		return err
	}
	s := NewSink(conn)
	start := time.Now()
	err = read(s)
	s.Report.Print(stdout, time.Since(start))
	return errors.Join(err, s.Report.Err(), stop())
}

// readable refuses what is none of the files that are read, before anything is asked of a server.
func readable(file string, folders bool) error {
	fi, err := os.Stat(file)
	if err != nil || fi.IsDir() && folders || !fi.IsDir() && !fi.Mode().IsRegular() {
		return err
	}
	if fi.IsDir() {
		return fmt.Errorf("%s: it is a folder, not a file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return errors.Join(err, f.Close())
	}
	for _, c := range []struct{ name, magic string }{{"gzip", "\x1f\x8b"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"bzip2", "BZh"}, {"xz", "\xfd7zX"}, {"zip", "PK\x03\x04"}} {
		if strings.HasPrefix(string(head[:n]), c.magic) {
			return errors.Join(fmt.Errorf("%s: at byte 0: it is compressed by %s; unpack it first", file, c.name), f.Close())
		}
	}
	return f.Close()
}

// reading opens a file for read.
func reading(ctx context.Context, file string, told io.Writer, read func(io.Reader) error) error {
	p, closeFile, err := openFile(ctx, file, told)
	if err != nil {
		return err
	}
	if err := read(p); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", file, err), closeFile())
	}
	return closeFile()
}

// parse reads KIND, flags and FILE.
func parse(fs *flag.FlagSet, args []string) (kind, file string, err error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		kind, args = args[0], args[1:]
	}
	if err := fs.Parse(args); err != nil {
		return "", "", err
	}
	if kind == "" || fs.NArg() != 1 {
		fs.Usage()
		return "", "", fmt.Errorf("%s: a kind, flags, and one file are wanted", strings.TrimPrefix(fs.Name(), "nearcache "))
	}
	return kind, fs.Arg(0), nil
}

const exportUsage = `nearcache export KIND [-flags] FILE

  rdb    a file that Redis and Valkey load: of the oldest version that holds what is in it
  aof    commands, as Redis' log has them
  jsonl  one key a line

`

// Export is nearcache export.
func Export(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("nearcache export", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, exportUsage)
		fs.PrintDefaults()
	}
	var from end
	from.flags(fs, "from")
	without := fs.String("without", "", "types of keys that are left out, with commas between them; Redis 7 knows no vectorset, and Redis without its modules no ReJSON-RL")
	newest := fs.Int("rdb-version", 0, "rdb: the newest version that may be written: 10 for Redis 7.0, 11 for 7.2, 12 for 7.4 and 8.0; 0 for the oldest in which nothing is lost")
	kind, file, err := parse(fs, args)
	if err != nil {
		return err
	}
	if n := *newest; n != 0 && (n < 10 || n > rdb.Version) {
		return fmt.Errorf("export: -rdb-version is %d, not 10 to %d", n, rdb.Version)
	}
	version := ""
	write := map[string]func(s *Source, f *os.File) error{
		"rdb": func(s *Source, f *os.File) error {
			w, err := ExportRDB(s, f, *newest)
			version = fmt.Sprintf(", an RDB of version %d", w.Version())
			return err
		},
		"aof":   func(s *Source, f *os.File) error { return ExportAOF(s, f) },
		"jsonl": func(s *Source, f *os.File) error { return ExportJSONL(s, f) },
	}[kind]
	if write == nil {
		fs.Usage()
		return fmt.Errorf("export: what? %q", kind)
	}
	if from.dir != "" {
		if _, err := os.Stat(from.dir); err != nil {
			return err
		}
	}
	conn, stop, err := from.open(ctx)
	if err != nil {
		return err
	}
	s := &Source{ctx: ctx, conn: conn}
	if *without != "" {
		s.Without = strings.Split(*without, ",")
	}
	start := time.Now()
	err = writeFile(file, func(f *os.File) error { return write(s, f) })
	if err == nil {
		fmt.Fprintf(stdout, "wrote %d keys in %v%s\n", s.Keys, time.Since(start).Round(time.Millisecond), version)
	}
	return errors.Join(err, stop())
}
