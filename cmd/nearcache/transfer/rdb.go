package transfer

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/rdb"
)

// ImportRDB enters what an RDB file holds, and leaves src behind its end. Keys that are
// there already stay, unless replace says otherwise.
func ImportRDB(src io.Reader, to *Sink, replace bool) (rest io.Reader, err error) {
	f := rdb.NewFile(src)
	now := time.Now().UnixMilli()
	var room []byte
	for {
		it, err := f.Next()
		switch {
		case err == io.EOF:
			return f.Rest(), to.Flush()
		case err != nil:
			return nil, to.End(err)
		}
		switch at := f.Offset(); it.Kind {
		case rdb.Skipped:
			to.Report.skip(string(it.Name))
		case rdb.Function:
			args := [][]byte{[]byte("FUNCTION"), []byte("LOAD")}
			if replace {
				args = append(args, []byte("REPLACE"))
			}
			err = to.Send(0, "a function library", at, append(args, it.Text)...)
		case rdb.Key:
			if it.ExpireAt != 0 && it.ExpireAt <= now {
				to.Report.Expired++
				break
			}
			room, err = restore(to, room[:0], &it, at, replace)
		}
		if err != nil {
			return nil, err
		}
	}
}

// maxPayload is the longest argument that a server takes by default, less what is
// around it.
const maxPayload = 512<<20 - 64<<10

// restore enters a key, with the help of room.
func restore(to *Sink, room []byte, it *rdb.Item, at int64, replace bool) ([]byte, error) {
	of := fmt.Sprintf("key %.100q", it.Key)
	room, err := rdb.Dump(room, it.Value)
	if err != nil || len(room) > maxPayload {
		return nil, rebuild(to, it.Value, it, of, at, replace)
	}
	args := [][]byte{[]byte("RESTORE"), it.Key, strconv.AppendInt(nil, it.ExpireAt, 10), room, []byte("ABSTTL")}
	if replace {
		args = append(args, []byte("REPLACE"))
	}
	switch {
	case it.Idle >= 0:
		args = append(args, []byte("IDLETIME"), strconv.AppendInt(nil, it.Idle, 10))
	case it.Frequency >= 0:
		args = append(args, []byte("FREQ"), strconv.AppendInt(nil, int64(it.Frequency), 10))
	}
	return room, to.Send(it.DB, of, at, args...)
}

// rebuild enters a key that is too large for one command with several.
func rebuild(to *Sink, v object.Object, it *rdb.Item, of string, at int64, replace bool) error {
	if replace {
		if err := to.Send(it.DB, of, at, []byte("DEL"), it.Key); err != nil {
			return err
		}
	}
	var err error
	v.Rebuild(it.Key, func(args ...[]byte) {
		if err == nil {
			err = to.Send(it.DB, of, at, args...)
		}
	})
	if err == nil && it.ExpireAt != 0 {
		err = to.Send(it.DB, of, at, []byte("PEXPIREAT"), it.Key, strconv.AppendInt(nil, it.ExpireAt, 10))
	}
	return err
}

// ExportRDB writes all keys of a source, in a file that a reader of a version of RDB
// reads, or where that is 0 of the oldest version that holds all there is.
func ExportRDB(from *Source, w io.WriteSeeker, newest int) (*rdb.FileWriter, error) {
	f := rdb.NewFileWriter(w)
	for _, note := range [][2]string{
		{"nearcache-ver", command.Version}, {"redis-bits", strconv.Itoa(strconv.IntSize)}, {"ctime", strconv.FormatInt(time.Now().Unix(), 10)},
	} {
		if err := f.Aux(note[0], note[1]); err != nil {
			return f, err
		}
	}
	functions, err := from.conn.Do("FUNCTION", "DUMP")
	switch e := client.Error(""); {
	case errors.As(err, &e): // an older server has none
	case err != nil:
		return f, err
	default:
		if err := f.Functions([]byte(functions.Str)); err != nil {
			return f, fmt.Errorf("functions: %w", err)
		}
	}
	err = from.Each(func(k *Exported) error {
		if newest != 0 {
			o, err := rdb.Restore(k.Payload)
			if err == nil {
				k.Payload, err = rdb.DumpFor(k.Payload[:0], o, newest)
			}
			if err != nil {
				return fmt.Errorf("key %.100q: %w", k.Key, err)
			}
		}
		return f.Key(k.DB, []byte(k.Key), k.Payload, k.ExpireAt)
	})
	if err != nil {
		return f, err
	}
	return f, f.Close()
}
