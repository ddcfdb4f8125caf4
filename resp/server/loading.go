package server

import (
	"fmt"
	"sync/atomic"
	"time"
)

// loading is the state of the start: clients are there, and most commands are refused.
type loading struct {
	active        atomic.Bool
	started       atomic.Int64 // Unix seconds
	loaded, total atomic.Int64 // bytes
	keys          atomic.Int64 // loaded
}

func (l *loading) begin() {
	l.started.Store(time.Now().Unix())
	l.active.Store(true)
}

func (l *loading) end() { l.active.Store(false) }

func (l *loading) on() bool { return l.active.Load() }

func (l *loading) progress(done, total int64) {
	l.loaded.Store(done)
	l.total.Store(total)
}

// info writes the fields that INFO persistence has meanwhile.
func (l *loading) info(t *infoText) {
	if !l.on() {
		return
	}
	done, total := l.loaded.Load(), l.total.Load()
	elapsed := time.Now().Unix() - l.started.Load()
	eta := int64(1) // Redis' word for not yet
	if elapsed > 0 && done > 0 {
		eta = elapsed * (total - done) / done
	}
	t.field("loading_start_time", l.started.Load())
	t.field("loading_total_bytes", total)
	t.field("loading_rdb_used_mem", 0)
	t.field("loading_loaded_bytes", done)
	t.field("loading_loaded_perc", fmt.Sprintf("%.2f", 100*float64(done)/float64(max(total, 1))))
	t.field("loading_eta_seconds", eta)
}
