package near

import (
	"strings"

	"github.com/nearcache/nearcache/resp/client"
)

// What is answered from copies the server does not see. So a client tells it
// now and then, by prefix of the keys (TRACKING.REPORT), for TRACKING.STATS to
// show. One key in sampled is counted, always the same ones.

const (
	sampled     = 16
	maxPrefixes = 64 // of a shard, in one report
	maxPrefix   = 64 // bytes
)

type answered struct{ hits, misses int64 }

// count notes a look-up. The shard is held.
func (sh *shard) count(key string, hit bool) {
	prefix := ""
	if i := strings.IndexByte(key[:min(len(key), maxPrefix)], ':'); i >= 0 {
		prefix = key[:i+1]
	}
	a := sh.answers[prefix]
	if a == nil {
		if len(sh.answers) >= maxPrefixes {
			return
		}
		if sh.answers == nil {
			sh.answers = map[string]*answered{}
		}
		a = new(answered)
		sh.answers[prefix] = a
	}
	if hit {
		a.hits += sampled
	} else {
		a.misses += sampled
	}
}

// report is the command that tells of what was counted since the last one, nil if
// nothing was.
func (l *local) report() []byte {
	all := map[string]answered{}
	for i := range l.shards {
		sh := &l.shards[i]
		sh.Lock()
		for p, a := range sh.answers {
			x := all[p]
			all[p] = answered{x.hits + a.hits, x.misses + a.misses}
		}
		clear(sh.answers)
		sh.Unlock()
	}
	if len(all) == 0 {
		return nil
	}
	args := []any{"TRACKING.REPORT"}
	for p, a := range all {
		args = append(args, p, a.hits, a.misses)
	}
	out, err := client.AppendCommand(nil, args...)
	if err != nil {
		return nil
	}
	return out
}
