package server

import (
	"context"
	"strconv"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/persist"
)

// A log is compacted at start when it is larger than compactFrom and more than
// compactRatio times what its data takes: it then holds mostly history.
const (
	compactFrom  = 64 << 20
	compactRatio = 2
)

// compact rewrites the log as the shortest sequence of effects that gives the
// present state: functions, definitions of indexes, then keys. Nobody is connected yet,
// so this is the state of one moment.
func (s *Server) compact(logged int64) error {
	if logged < compactFrom || logged < compactRatio*s.ks.Used() {
		return nil
	}
	err := s.log.Rewrite(context.Background(), func(emit func(persist.Record) error) error {
		return s.eachEffect(func(db int, args [][]byte) error {
			return emit(persist.Record{Seq: s.ks.Seq(), At: s.ks.Now(), Commands: []persist.Command{{DB: db, Args: args}}})
		})
	})
	if err == nil {
		s.cfg.Logger().Info("compacted the log", "before", logged, "after", s.log.Size())
	}
	return err
}

// eachEffect calls f with commands that build the present state in an empty
// server, in order. No one may write meanwhile.
func (s *Server) eachEffect(f func(db int, args [][]byte) error) error {
	for _, lib := range s.env.Scripts.Libraries() {
		if err := f(0, [][]byte{[]byte("FUNCTION"), []byte("LOAD"), []byte(lib.Code)}); err != nil {
			return err
		}
	}
	err := s.env.Catalog.Each(func(ix *catalog.Index) error { return f(0, ix.Args) })
	if err != nil {
		return err
	}
	var tx store.Tx
	for db := range store.Databases {
		tx.Begin(s.ks, db, 0)
		tx.Each(func(e *store.Entry) bool {
			key := []byte(e.Key())
			e.Value().Rebuild(key, func(args ...[]byte) {
				if err == nil {
					err = f(db, args)
				}
			})
			if at := e.ExpireAt(); at != 0 && err == nil {
				err = f(db, [][]byte{[]byte("PEXPIREAT"), key, strconv.AppendInt(nil, at, 10)})
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
