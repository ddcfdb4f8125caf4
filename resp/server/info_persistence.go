package server

import (
	"time"

	"github.com/nearcache/nearcache/store"
)

// keys is how many there are in all databases.
func (s *Server) keys() (n int64) {
	var tx store.Tx
	tx.Begin(s.ks, 0, 0)
	defer tx.End()
	for db := range store.Databases {
		keys, _ := tx.Len(db)
		n += int64(keys)
	}
	return n
}

func (s *Server) infoPersistence(t *infoText) {
	v := &s.saves
	v.mu.Lock()
	now := saveKind(v.now.Load())
	running := int64(time.Since(v.mu.started).Seconds())
	scheduled, figures := v.mu.scheduled, v.mu.figures
	v.mu.Unlock()
	flag := func(on bool) int {
		if on {
			return 1
		}
		return 0
	}
	status := func(err error) string {
		if err != nil {
			return "err"
		}
		return "ok"
	}
	seconds := func(d time.Duration) int64 {
		if d < 0 {
			return -1
		}
		return int64(d.Seconds())
	}
	current := func(k saveKind) int64 {
		if now == k {
			return running
		}
		return -1
	}
	var processed, keys int64
	if snap := s.ks.Snapshot(); snap != nil {
		processed, keys = snap.Entries(), s.keys()
	}
	rdb, aof := figures[saveRDB], figures[saveRewrite]
	t.field("loading", flag(s.loading.on()))
	t.field("async_loading", 0)
	t.field("current_save_keys_processed", processed)
	t.field("current_save_keys_total", keys)
	t.field("rdb_changes_since_last_save", s.changes())
	t.field("rdb_bgsave_in_progress", flag(now == saveRDB || now == saveCopy))
	t.field("rdb_last_save_time", v.lastSave.Load())
	t.field("rdb_last_bgsave_status", status(rdb.err))
	t.field("rdb_last_bgsave_time_sec", seconds(rdb.took))
	t.field("rdb_current_bgsave_time_sec", current(saveRDB))
	t.field("rdb_saves", rdb.count)
	t.field("rdb_saves_consecutive_failures", rdb.failures)
	t.field("rdb_last_load_keys_loaded", s.loading.keys.Load())
	t.field("aof_enabled", flag(s.cfg.AppendOnly()))
	t.field("aof_rewrite_in_progress", flag(now == saveRewrite))
	t.field("aof_rewrite_scheduled", flag(scheduled[saveRewrite]))
	t.field("aof_last_rewrite_time_sec", seconds(aof.took))
	t.field("aof_current_rewrite_time_sec", current(saveRewrite))
	t.field("aof_last_bgrewrite_status", status(aof.err))
	t.field("aof_rewrites", aof.count)
	t.field("aof_rewrites_consecutive_failures", aof.failures)
	t.field("aof_last_write_status", status(s.logFailure()))
	t.field("appendfsync", s.cfg.AppendFsync())
	if log := s.aof.Load(); log != nil {
		l := log.Stats()
		t.field("aof_current_size", l.Size)
		t.field("aof_base_size", l.BaseSize)
		t.field("aof_pending_rewrite", flag(scheduled[saveRewrite]))
		t.field("aof_buffer_length", l.Backlog)
		t.field("aof_pending_bio_fsync", l.Appended-l.Durable)
		t.field("aof_delayed_fsync", l.DelayedSyncs)
		t.field("aof_segments", l.Segments)
		t.field("aof_failures", l.Failures)
		t.field("aof_slowest_fsync_usec", l.SlowestSync.Microseconds())
	}
	if s.files.Load() != nil {
		t.field("disk_free_bytes", s.diskFree())
	}
	s.loading.info(t)
}
