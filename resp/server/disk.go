package server

import (
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

// fs is where the data folder is.
func (s *Server) fs() vfs.FS {
	if s.cfg.Files != nil {
		return s.cfg.Files
	}
	return vfs.OS
}

// disk is what is known of the data folder's.
type disk struct {
	free   atomic.Int64 // bytes, as of looked; -1 where that cannot be known
	looked atomic.Int64 // Unix ms
}

// diskEvery is how often it is looked at.
const diskEvery = 500 // ms

// diskFree is how many bytes the disk of the data folder has left, as of a moment ago; -1 where that cannot be
// known.
func (s *Server) diskFree() int64 {
	now := time.Now().UnixMilli()
	if now-s.disk.looked.Load() < diskEvery {
		return s.disk.free.Load()
	}
	free := int64(-1)
	if sp, ok := s.fs().(vfs.Space); ok {
		if n, err := sp.Free(s.cfg.Dir()); err == nil {
			free = n
		}
	}
	s.disk.free.Store(free)
	s.disk.looked.Store(now)
	return free
}

// diskTight reports whether the log should be rewritten while there is room for that: the disk has
// less left than twice what the data takes, and the log is mostly history.
func (s *Server) diskTight(log int64) bool {
	free, used := s.diskFree(), s.ks.Used()
	return free >= 0 && log > tightFrom && log > compactRatio*used && free < 2*used && free > used/2
}

// tightFrom is the size of a log below which nobody's disk is full of it.
const tightFrom = 1 << 20
