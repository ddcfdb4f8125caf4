package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/vfs"
)

// logObserver writes the effects of every commit to the log.
type logObserver struct{ s *Server }

// Committed implements store.Observer: it encodes under the shard locks, so
// the log has each key's changes in their order.
func (o logObserver) Committed(c *store.Commit) {
	if len(c.Effects) == 0 {
		return
	}
	effects := c.Effects
	if c.Source {
		effects = o.s.replica.active.Load().placed(effects)
	}
	log := o.s.aof.Load()
	if log == nil {
		return
	}
	log.Append(&persist.Record{Seq: c.Seq, At: c.At, Commands: effects})
}

// openData opens the data folder and loads what is in it. Without a log that is done where
// there is something to load, and nobody else uses it.
func (s *Server) openData(ctx context.Context) error {
	dir, last := s.cfg.Dir(), time.Now()
	exists := persist.Exists(s.fs(), dir)
	if !exists {
		s.tellOfRedis(dir)
	}
	if !s.cfg.AppendOnly() && !exists {
		return nil
	}
	l := newLoader(s)
	s.env.Catalog.BeginLoad(s.fs(), dir, s.cfg.Logger())
	o := persist.Options{
		Fsync:  s.fsyncPolicy(),
		Logger: s.cfg.Logger(),
		Progress: func(read, total int64) {
			s.loading.progress(read, total)
			if time.Since(last) > time.Second || read == total && read > 1<<20 {
				last = time.Now()
				s.cfg.Logger().Info("loading", "dir", dir, "percent", 100*read/max(1, total))
			}
		},
	}
	log, report, err := persist.Open(s.fs(), dir, o, func(r persist.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return l.record(&r)
	})
	l.end()
	if errors.Is(err, vfs.ErrLocked) && !s.cfg.AppendOnly() {
		s.env.Catalog.EndLoad()
		s.cfg.Logger().Warn("another server uses the data folder: nothing is loaded, and nothing can be saved", "dir", dir)
		return nil
	}
	if err != nil {
		return fmt.Errorf("load %s: %w", dir, err)
	}
	s.ks.SetSeq(report.LastSeq)
	s.env.Catalog.EndLoad()
	s.saves.savedSeq.Store(s.ks.Seq())
	s.saves.savedCount.Store(s.ks.Changes())
	s.regain(l.place)
	s.loading.keys.Store(s.keys())
	s.files.Store(log)
	if s.cfg.AppendOnly() {
		s.aof.Store(log)
	}
	s.cfg.Logger().Info("loaded", "dir", dir, "records", report.Records, "bytes", report.Bytes, "took", report.Took.Round(time.Millisecond))
	if t := report.Torn; t != nil {
		s.cfg.Logger().Warn("the log ended in an incomplete record, as after a power cut; it was cut off and kept beside",
			"file", t.File, "offset", t.Offset, "bytes", t.Size, "kept", t.Kept, "reason", t.Reason)
	}
	if s.cfg.AppendOnly() && report.Bytes > compactFrom && report.Bytes > compactRatio*s.ks.Used() {
		s.scheduleSave(saveRewrite)
	}
	return nil
}

// tellOfRedis says what to do with the data of a Redis that a new data folder has.
func (s *Server) tellOfRedis(dir string) {
	for _, x := range []struct{ name, kind string }{{"appendonlydir", "aof"}, {"appendonly.aof", "aof"}, {s.cfg.dbFilename.String(), "rdb"}} {
		file := filepath.Join(dir, x.name)
		if _, err := s.fs().Stat(file); err == nil {
			s.cfg.Logger().Warn("the data folder has data of a Redis, which is not loaded; 'nearcache import' enters it into a server that runs",
				"file", file, "command", "nearcache import "+x.kind+" "+file)
			return
		}
	}
}

// A log is rewritten after the start when it is larger than compactFrom and more than
// compactRatio times what its data takes: it then holds mostly history.
const (
	compactFrom  = 64 << 20
	compactRatio = 2
)

func (s *Server) fsyncPolicy() persist.Policy {
	p, err := persist.ParsePolicy(s.cfg.AppendFsync())
	if err != nil {
		return persist.Everysec // the setting's own check admits no other word
	}
	return p
}

// setFsync applies appendfsync at run time.
func (s *Server) setFsync() {
	if log := s.aof.Load(); log != nil {
		log.SetFsync(s.fsyncPolicy())
	}
}

// setAppendOnly applies appendonly at run time. The log begins with the next save, which is due then: what comes after
// its moment goes behind its base, and what the folder had is loaded until that is whole. A log that ends stays as it
// is, up to this moment, until something is saved.
func (s *Server) setAppendOnly() error {
	switch {
	case s.ctx == nil: // the server does not run yet: see openData
		return nil
	case s.loading.on():
		return errors.New("can't be changed while the data is loaded")
	case !s.cfg.AppendOnly():
		if log := s.aof.Swap(nil); log != nil {
			_ = log.Flush() // where it fails the log tells why, and it may be what the log is ended for
		}
		return nil
	}
	if _, err := s.openFiles(); err != nil {
		s.cfg.Logger().Error("the log cannot begin", "dir", s.cfg.Dir(), "error", err)
		return errors.New("Unable to turn on AOF. Check server logs.") //lint:ignore ST1005 Redis' words
	}
	return nil
}

// logBegins reports whether a log is wanted and has not begun.
func (s *Server) logBegins() bool {
	return s.cfg.AppendOnly() && s.aof.Load() == nil && !s.loading.on()
}

func (s *Server) replay(c *command.Ctx, cmd persist.Command) error {
	if string(cmd.Args[0]) == catalog.LeftOut && len(cmd.Args) > 1 {
		c.Settle()
		s.env.Catalog.LeaveOut(cmd.Args[1], cmd.Args[2:])
		return nil
	}
	spec := s.env.Table.Find(cmd.Args[0])
	argv := cmd.Args
	if spec != nil && len(spec.Sub) > 0 && len(argv) > 1 {
		spec = spec.Match(argv[1])
	}
	if spec == nil || !spec.ArityOK(len(argv)) {
		return fmt.Errorf("record holds the command %q with %d arguments, which this version does not know", argv[0], len(argv)-1)
	}
	if c.S.DB != cmd.DB {
		c.S.Select(cmd.DB)
	}
	c.Now = s.clock.Now()
	if err := c.Run(spec, argv); err != nil {
		return fmt.Errorf("replay %q: %w", argv[0], resp.Error(resp.ErrorText(err)))
	}
	c.S.Out.Reset()
	return nil
}

// replayCtx makes a session that nobody is connected to.
func (s *Server) replayCtx() *command.Ctx {
	ses := session.New(0, nil, nil, nil, nil)
	ses.Authed.Store(true)
	c := command.NewCtx(&s.env, ses, nil)
	c.Mute = true
	return c
}

// logFailure is the error of writes while the log cannot be written.
func (s *Server) logFailure() error {
	log := s.aof.Load()
	if log == nil {
		return nil
	}
	if s.reserve.making.Load() {
		return errMakingRoom
	}
	if err := log.Err(); err != nil {
		return resp.Error("MISCONF Errors writing to the AOF file: " + err.Error())
	}
	return nil
}

// WriteError implements command.Server.
func (s *Server) WriteError() error {
	if s.replica.link.Load() != nil && s.cfg.replicaReadOnly.Bool() {
		return errReadOnly
	}
	return s.unwritable()
}

// unwritable is why nothing may be written, nil where it may: it could not be kept, or too few replicas are there.
func (s *Server) unwritable() error {
	if err := s.logFailure(); err != nil {
		return err
	}
	if err := s.saveFailure(); err != nil {
		return err
	}
	return s.tooFewReplicas()
}

func (s *Server) closeFiles() error {
	if f := s.files.Load(); f != nil {
		return f.Close()
	}
	return nil
}
