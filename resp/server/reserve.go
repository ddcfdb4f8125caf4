package server

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/vfs"
)

// A disk that is full of a log's history needs a rewrite, and a rewrite needs room: for the state, and for the segment
// that follows it. So there is a file that takes that room and holds nothing. When the log cannot be written for want
// of room the file goes, the log is rewritten, and only then are writes taken again, or they would take the room
// first. With the old log gone there is room for the file again.
//
// Where the disk fills slowly the log is rewritten earlier, see diskTight, and nobody waits. The reserve stays for that:
// what is written meanwhile would take it, and then there would be no room for a rewrite at all.
type reserve struct {
	busy   atomic.Bool  // a goroutine makes it, or gives it up
	size   atomic.Int64 // of the file
	looked atomic.Int64 // Unix ms
	making atomic.Bool  // it was given up, and the rewrite is under way
}

const (
	reserveName  = "nearcache.reserve"
	reserveEvery = 5000 // ms
	// reserveMore is what it has beside what the data takes in memory, which is more than it takes in a base.
	reserveMore = 1 << 20
)

const errMakingRoom resp.Error = "MISCONF Errors writing to the AOF file: the disk is full; the log is being rewritten, and writes are taken again after that"

// reserveTick looks after the reserve. The server calls it ten times a second.
func (s *Server) reserveTick() {
	log, v := s.aof.Load(), &s.reserve
	if log == nil || v.busy.Load() {
		return
	}
	st := log.Stats()
	full := errors.Is(log.Err(), syscall.ENOSPC)
	worth := s.cfg.rewritePercent.Int() > 0 && st.Size > tightFrom && st.Size > s.ks.Used()
	now := time.Now().UnixMilli()
	switch {
	case full && worth && (v.size.Load() > 0 || now-v.looked.Load() >= reserveEvery): // without it there may be more room now
		v.looked.Store(now)
		v.busy.Store(true)
		s.spawn(func() {
			s.makeRoom(log)
			v.busy.Store(false)
		})
	case !full && now-v.looked.Load() >= reserveEvery:
		v.looked.Store(now)
		v.busy.Store(true)
		s.spawn(func() {
			if err := s.keepReserve(st.Size); err != nil {
				s.cfg.Logger().Warn("no room is kept for a rewrite of the log", "file", s.reservePath(), "error", err)
			}
			v.busy.Store(false)
		})
	}
}

func (s *Server) reservePath() string { return filepath.Join(s.cfg.Dir(), reserveName) }

// keepReserve makes the file as large as it should be, if the disk has twice as much to spare.
func (s *Server) keepReserve(log int64) error {
	fsys, name := s.fs(), s.reservePath()
	has := int64(0)
	if fi, err := fsys.Stat(name); err == nil {
		has = fi.Size
	}
	s.reserve.size.Store(has)
	want := min(s.cfg.diskReserve.Int(), s.ks.Used()+reserveMore)
	if s.cfg.diskReserve.Int() == 0 || log <= tightFrom {
		want = 0
	}
	if want > 0 && has >= want*3/4 && has <= 2*want {
		return nil
	}
	free := int64(-1)
	if sp, ok := fsys.(vfs.Space); ok {
		if n, err := sp.Free(s.cfg.Dir()); err == nil {
			free = n
		}
	}
	if want > 0 && free+has < 2*want {
		return nil // what there is stays
	}
	if has > 0 {
		if err := fsys.Remove(name); err != nil {
			return err
		}
		s.reserve.size.Store(0)
	}
	if want == 0 {
		return nil
	}
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	err = errors.Join(vfs.Allocate(f, want), f.Close())
	if err != nil {
		return errors.Join(err, fsys.Remove(name))
	}
	s.reserve.size.Store(want)
	return nil
}

// makeRoom gives the reserve up and rewrites the log. Nothing else is written before that.
func (s *Server) makeRoom(log *persist.Log) {
	v := &s.reserve
	v.making.Store(true)
	defer v.making.Store(false)
	s.cfg.Logger().Warn("the disk is full: what was kept for that is given up, and the log rewritten", "dir", s.cfg.Dir(), "reserve", v.size.Load(), "log", log.Size())
	var err error
	if v.size.Swap(0) > 0 {
		err = s.fs().Remove(s.reservePath())
	}
	if err == nil {
		err = log.Retry()
	}
	if err == nil {
		err = s.saveBehind(s.ctx, saveRewrite)
	}
	if err != nil && s.ctx.Err() == nil {
		s.cfg.Logger().Error("the disk is full and the log could not be rewritten: writes are refused until there is room", "dir", s.cfg.Dir(), "error", err)
	}
}
