package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store/rdb"
	"github.com/nearcache/nearcache/store/types/vset"
)

// aofFiles are the files of a log of Redis in their order: of a folder or a manifest
// those that it names, else the file itself.
func aofFiles(path string) ([]string, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		l, err := filepath.Glob(filepath.Join(path, "*.manifest"))
		if err != nil || len(l) != 1 {
			return nil, fmt.Errorf("%s: %d manifests of a log in the folder, want one", path, len(l))
		}
		path = l[0]
	}
	if !strings.HasSuffix(path, ".manifest") {
		return []string{path}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var base, rest []string
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		fields := map[string]string{}
		for i := 0; i+1 < len(words); i += 2 {
			fields[words[i]] = words[i+1]
		}
		name := fields["file"]
		if name == "" || filepath.Base(name) != name {
			return nil, fmt.Errorf("%s: line %d names no file of the folder", path, n)
		}
		name = filepath.Join(filepath.Dir(path), name)
		switch fields["type"] {
		case "b":
			base = append(base, name)
		case "i":
			rest = append(rest, name)
		case "h": // not needed any more
		default:
			return nil, fmt.Errorf("%s: line %d: a file of type %q", path, n, fields["type"])
		}
	}
	return append(base, rest...), nil
}

// ImportAOF enters a log of Redis: a file, or a folder or manifest of several. A log
// that ends in the middle of a command, or of a transaction, as after a crash, is
// entered up to there, with a note.
func ImportAOF(ctx context.Context, path string, to *Sink, replace bool, w io.Writer) error {
	files, err := aofFiles(path)
	if err != nil {
		return err
	}
	for i, name := range files {
		p, closeFile, err := openFile(ctx, name, w)
		if err != nil {
			return err
		}
		err = importAOFFile(p, to, replace)
		var torn *tornError
		if errors.As(err, &torn) && i == len(files)-1 {
			to.Report.Notes = append(to.Report.Notes, fmt.Sprintf("%s ends in the middle of a command or transaction, which begins at byte %d: it was left out", filepath.Base(name), torn.at))
			err = nil
		}
		if err = errors.Join(err, closeFile()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func importAOFFile(src io.Reader, to *Sink, replace bool) error {
	r := bufio.NewReaderSize(src, 256<<10)
	head, _ := r.Peek(6)
	if bytes.HasPrefix(head, []byte("REDIS")) || bytes.HasPrefix(head, []byte("VALKEY")) {
		rest, err := ImportRDB(r, to, replace)
		if err != nil {
			return err
		}
		r = bufio.NewReaderSize(rest, 256<<10)
	}
	return importCommands(r, to)
}

// tornError says that a log ends in the middle of what begins at a byte.
type tornError struct{ at int64 }

func (e *tornError) Error() string {
	return fmt.Sprintf("it ends in the middle of the command that begins at byte %d", e.at)
}

// importCommands enters commands as clients, and logs of Redis, write them.
func importCommands(r *bufio.Reader, to *Sink) error {
	l := resp.NewCommandReader(r)
	db := 0
	type queued struct {
		db   int
		at   int64
		args [][]byte
	}
	var queue []queued
	var began int64
	inMulti := false
	for {
		at := l.Offset()
		args, err := l.Next()
		switch {
		case err == io.EOF && inMulti:
			return errors.Join(to.Flush(), &tornError{began})
		case err == io.EOF:
			return to.Flush()
		case err == io.ErrUnexpectedEOF:
			if inMulti {
				at = began
			}
			return errors.Join(to.Flush(), &tornError{at})
		case err != nil:
			return errors.Join(to.Flush(), fmt.Errorf("at byte %d: %w", l.Offset(), err))
		}
		switch name := strings.ToLower(string(args[0])); {
		case name == "select" && len(args) == 2:
			if db, err = strconv.Atoi(string(args[1])); err != nil {
				return errors.Join(to.Flush(), fmt.Errorf("at byte %d: SELECT %.100q", at, args[1]))
			}
		case name == "multi" && !inMulti:
			inMulti, began = true, at
		case name == "exec" && inMulti:
			for _, q := range queue {
				if err := to.Send(q.db, fmt.Sprintf("command %.100q", q.args[0]), q.at, q.args...); err != nil {
					return err
				}
			}
			inMulti, queue = false, nil
		case inMulti:
			own := make([][]byte, len(args))
			for i, a := range args {
				own[i] = bytes.Clone(a)
			}
			queue = append(queue, queued{db, at, own})
		default:
			if err := to.Send(db, fmt.Sprintf("command %.100q", args[0]), at, args...); err != nil {
				return err
			}
		}
	}
}

// ExportAOF writes commands that rebuild all keys of a source, as Redis' log has them.
func ExportAOF(from *Source, w io.Writer) error {
	b := bufio.NewWriterSize(w, 256<<10)
	db := -1
	command := func(args ...[]byte) {
		fmt.Fprintf(b, "*%d\r\n", len(args))
		for _, a := range args {
			fmt.Fprintf(b, "$%d\r\n", len(a))
			_, _ = b.Write(a)
			_, _ = b.WriteString("\r\n")
		}
	}
	libs, err := from.libraries()
	if err != nil {
		return err
	}
	for _, code := range libs {
		command([]byte("FUNCTION"), []byte("LOAD"), []byte(code))
	}
	err = from.Each(func(k *Exported) error {
		o, err := rdb.Restore(k.Payload)
		if err != nil {
			return fmt.Errorf("key %.100q: %w", k.Key, err)
		}
		if k.DB != db {
			db = k.DB
			command([]byte("SELECT"), strconv.AppendInt(nil, int64(db), 10))
		}
		key := []byte(k.Key)
		if _, ok := o.(*vset.Value); ok { // whose vectors commands cannot give back bit by bit
			command([]byte("RESTORE"), key, []byte("0"), k.Payload)
		} else {
			o.Rebuild(key, command)
		}
		if k.ExpireAt != 0 {
			command([]byte("PEXPIREAT"), key, strconv.AppendInt(nil, k.ExpireAt, 10))
		}
		return nil
	})
	return errors.Join(err, b.Flush())
}

// libraries are the codes of function libraries.
func (s *Source) libraries() (codes []string, err error) {
	v, err := s.conn.Do("FUNCTION", "LIST", "WITHCODE")
	if e := client.Error(""); errors.As(err, &e) { // an older server has none
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	for _, lib := range v.Elems {
		if code, ok := lib.Get("library_code"); ok {
			codes = append(codes, code.Str)
		}
	}
	return codes, nil
}
