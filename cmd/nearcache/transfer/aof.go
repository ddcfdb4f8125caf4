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
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/commands"
	"github.com/nearcache/nearcache/store/rdb"
	"github.com/nearcache/nearcache/store/types/stream"
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
// entered up to there, with a note. One that empties databases ends there, where the
// server has had keys of its own and nothing may be replaced.
func ImportAOF(ctx context.Context, path string, to *Sink, replace bool, w io.Writer) error {
	files, err := aofFiles(path)
	if err != nil {
		return err
	}
	if !replace {
		v, err := to.conn.Do("INFO", "keyspace")
		if err != nil {
			return err
		}
		to.keeps = strings.Contains(v.Str, "keys=")
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
			return to.End(&tornError{began})
		case err == io.EOF:
			return to.Flush()
		case err == io.ErrUnexpectedEOF:
			if inMulti {
				at = began
			}
			return to.End(&tornError{at})
		case err != nil:
			return to.End(fmt.Errorf("at byte %d: %w", l.Offset(), err))
		}
		switch name := strings.ToLower(string(args[0])); {
		case name == "select" && len(args) == 2:
			if db, err = strconv.Atoi(string(args[1])); err != nil {
				return to.End(fmt.Errorf("at byte %d: SELECT %.100q", at, args[1]))
			}
		case name == "multi" && !inMulti:
			inMulti, began = true, at
		case name == "exec" && inMulti:
			for _, q := range queue {
				if err := sendLogged(to, q.db, q.at, q.args); err != nil {
					return to.End(err)
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
			if err := sendLogged(to, db, at, args); err != nil {
				return to.End(err)
			}
		}
	}
}

// rows are the commands that are known here.
var rows = command.NewTable(commands.All()...)

// belongs reports whether a log can hold a command: it changes something, or is of scripts, and nobody waits for it. A server
// that is told anything else of a file may end, follow another one, or answer so that no later reply is read for what it is.
func belongs(args [][]byte) bool {
	row := rows.Find(args[0])
	if row != nil && len(args) > 1 && len(row.Sub) > 0 {
		row = row.Match(args[1])
	}
	return row == nil || row.Group == command.GroupScripting || row.Flags&(command.Write|command.MayReplicate) != 0 && row.Flags&command.Blocking == 0
}

// sendLogged enters a command of a log.
func sendLogged(to *Sink, db int, at int64, args [][]byte) error {
	if !belongs(args) {
		to.Report.skip(fmt.Sprintf("command %.100q, which belongs in no log", args[0]))
		return nil
	}
	if name := strings.ToLower(string(args[0])); to.keeps && slices.Contains([]string{"flushall", "flushdb", "swapdb"}, name) {
		return fmt.Errorf("at byte %d: %.10q would take keys that were there before; -replace lets it", at, args[0])
	}
	of := fmt.Sprintf("command %.100q", args[0])
	if !strings.EqualFold(string(args[0]), "xadd") {
		return to.Send(db, of, at, args...)
	}
	for _, c := range loggedXAdd(args) {
		if err := to.Send(db, of, at, c...); err != nil {
			return err
		}
	}
	return nil
}

// loggedXAdd is what clients may say in place of an XADD of a log. One with an idempotent ID has the ID of the entry
// there, too, or where it has not, it is of an entry that was there already.
func loggedXAdd(args [][]byte) [][][]byte {
	var pid, iid []byte
	without := slices.Clone(args[:min(2, len(args))])
	at := 2
	for at < len(args) {
		n, cut := 1, false
		switch strings.ToLower(string(args[at])) {
		case "nomkstream", "keepref", "delref", "acked":
		case "limit":
			n = 2
		case "maxlen", "minid":
			if n = 2; at+1 < len(args) && (string(args[at+1]) == "=" || string(args[at+1]) == "~") {
				n = 3
			}
		case "idmpauto":
			n, cut = 2, true
		case "idmp":
			n, cut = 3, true
		default:
			n = 0
		}
		if n == 0 {
			break
		}
		if at+n >= len(args) {
			return [][][]byte{args}
		}
		if cut {
			if pid = args[at+1]; n == 3 {
				iid = args[at+2]
			}
		} else {
			without = append(without, args[at:at+n]...)
		}
		at += n
	}
	switch {
	case pid == nil:
		return [][][]byte{args}
	case string(args[at]) == "*":
		return nil
	case iid == nil:
		pairs := args[at+1:]
		iid = stream.AutoIID(nil, pairs[:len(pairs)&^1])
	}
	return [][][]byte{append(without, args[at:]...), {[]byte("XIDMPRECORD"), args[1], pid, iid, args[at]}}
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
