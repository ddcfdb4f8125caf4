package server

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/command"
)

// A server is a replica while it has a link: a goroutine that keeps a connection to
// the master, see replica_link.go.
//
//	REPLICAOF ──► replica.set ──► link ── PSYNC ──► RDB, then commands
//	                                │                  │ as by a client whom nothing is refused
//	                                ▼                  ▼
//	                             REPLCONF ACK       keyspace ──► log, indexes, tracking
//
// What the master sends goes the way of every command, so that the log has it,
// searches find it, and clients hear that their copies have died. Clients may not
// write; who waits for a key when the server becomes a replica waits no more.

// replica says whose replica the server is, if anyone's.
type replica struct {
	link    atomic.Pointer[link] // nil: this is a master
	changes sync.Mutex           // one who changes link; it is no leaf

	active atomic.Pointer[link] // whose goroutine runs

	loaded *placeAt                // of the data folder, see place.go
	last   atomic.Pointer[placeAt] // where the link was when the server ended; without an ID: not known
}

// linkState is how far a link is, in the words of ROLE.
type linkState int32

const (
	linkConnect linkState = iota
	linkConnecting
	linkHandshake
	linkSync
	linkConnected
)

func (s linkState) String() string {
	return [...]string{"connect", "connecting", "handshake", "sync", "connected"}[s]
}

const errReadOnly resp.Error = "READONLY You can't write against a read only replica."

// startReplica begins to follow the master that the settings name.
func (s *Server) startReplica() {
	if host, port, ok := strings.Cut(s.cfg.replicaOf.String(), " "); ok {
		n, _ := strconv.Atoi(strings.TrimSpace(port))
		s.follow(host, n, true)
	}
}

// ReplicaOf implements command.Server.
func (s *Server) ReplicaOf(host string, port int, wait bool) (already bool) {
	if l := s.replica.link.Load(); l != nil && strings.EqualFold(l.host, host) && l.port == port {
		return true
	}
	s.follow(host, port, wait)
	return false
}

// follow makes the server a replica of another, or a master where host is empty. When
// it returns nothing of a former master is applied any more, unless the caller cannot
// wait for that: it may hold what a command of the master's wants.
//
// A replica that has all of its master's stream keeps it: another replica of the same
// master, or the master itself, can go on from it, and it from them.
func (s *Server) follow(host string, port int, wait bool) {
	r, stream := &s.replica, s.source.backlog
	r.changes.Lock()
	defer r.changes.Unlock()
	was := r.link.Load()
	if was != nil {
		was.cancel()
		if wait {
			<-was.done
		}
	}
	if host == "" || s.ctx == nil || s.ctx.Err() != nil {
		if was == nil {
			return
		}
		// Where the link may still be at a command its bytes may come too late.
		stream.Promote(wait && was.streamID.Load() != nil)
		s.ks.Follow(false)
		r.link.Store(nil)
		s.cfg.Logger().Info("this server is a master")
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	l := &link{s: s, host: host, port: port, cancel: cancel, done: make(chan struct{})}
	l.downSince.Store(time.Now().Unix())
	s.ks.Follow(true)
	r.link.Store(l)
	s.source.strayed.Store(false)
	var known *place
	if was == nil {
		if known = s.loadedPlace(); known != nil {
			stream.Reset(known.id, known.offset, s.cfg.enableReplicas.String() != "no")
		}
	}
	stream.Follow()
	for _, c := range s.env.Clients.All() {
		s.env.Blocking.Release(c, blocking.Demoted)
	}
	s.cfg.Logger().Info("this server is a replica", "master", net.JoinHostPort(host, strconv.Itoa(port)))
	s.wg.Go(func() {
		defer close(l.done)
		if was != nil {
			<-was.done
			l.inherit(was)
		} else if known != nil {
			stream.AppendRaw(nil, known.db)
			l.takePlace(known)
		} else if st := stream.State(); st.On {
			l.ours.Store(true)
			l.streamID.Store(&st.ID)
			l.offset.Store(st.Offset)
			l.selected.Store(int32(max(st.DB, 0)))
		}
		l.run(ctx)
	})
}

// replicaRefuses is why a replica does not run a command, nil where it does. Indexes are
// its own where the master is a Redis, which knows nothing of them.
func (s *Server) replicaRefuses(c *command.Ctx, spec *command.Spec, argv [][]byte) error {
	l := s.replica.link.Load()
	switch {
	case l == nil:
	case l.loading.Load() && anyLacks(c, spec, argv, command.Loading):
		return resp.ErrLoading
	case s.cfg.replicaReadOnly.Bool() && anyRuns(c, spec, argv, func(q command.Queued) bool {
		return q.Flags&command.Write != 0 && (q.Spec.Group != command.GroupSearch || l.ours.Load())
	}):
		return errReadOnly
	}
	return nil
}

// Stale implements command.Server.
func (s *Server) Stale() bool {
	l := s.replica.link.Load()
	return l != nil && l.state() != linkConnected && !s.cfg.serveStale.Bool()
}

// Master implements command.Server.
func (s *Server) Master() (m command.Master, ok bool) {
	l := s.replica.link.Load()
	if l == nil {
		return m, false
	}
	m = command.Master{Host: l.host, Port: l.port, State: l.state().String(), Offset: -1}
	if l.state() == linkConnected {
		m.Offset = l.offset.Load()
	}
	return m, true
}

func (s *Server) infoReplication(t *infoText) {
	l := s.replica.link.Load()
	if l == nil {
		t.field("role", "master")
	} else {
		t.field("role", "slave")
		l.info(t)
		t.field("slave_priority", s.cfg.replicaPriority.Int())
		t.field("slave_read_only", flagOf(s.cfg.replicaReadOnly.Bool()))
		t.field("replica_announced", 1)
	}
	replicas := *s.source.list.Load()
	t.field("connected_slaves", len(replicas))
	if s.cfg.minReplicas.Int() > 0 && s.cfg.maxLag.Int() > 0 {
		t.field("min_slaves_good_slaves", s.goodReplicas())
	}
	for i, a := range replicas {
		lag := int64(0)
		if a.state() == online {
			lag = time.Now().Unix() - a.heardAt.Load()/1000
		}
		t.field("slave"+strconv.Itoa(i), fmt.Sprintf("ip=%s,port=%d,state=%s,offset=%d,lag=%d,io-thread=0", a.host, a.peer.Port, a.state(), a.acked.Load(), lag))
	}
	st := s.source.backlog.State()
	t.field("master_failover_state", "no-failover")
	t.field("master_replid", st.ID)
	t.field("master_replid2", st.ID2)
	t.field("master_repl_offset", st.Offset)
	t.field("second_repl_offset", st.Second)
	t.field("repl_backlog_active", flagOf(st.On))
	t.field("repl_backlog_size", st.Size)
	t.field("repl_backlog_first_byte_offset", st.First)
	t.field("repl_backlog_histlen", st.Kept)
}

func flagOf(on bool) int {
	if on {
		return 1
	}
	return 0
}

func (l *link) info(t *infoText) {
	now := time.Now().Unix()
	state := l.state()
	t.field("master_host", l.host)
	t.field("master_port", l.port)
	status, last := "down", int64(-1)
	if state == linkConnected {
		status, last = "up", now-l.lastIO.Load()
	}
	t.field("master_link_status", status)
	t.field("master_last_io_seconds_ago", last)
	t.field("master_sync_in_progress", flagOf(state == linkSync))
	t.field("slave_read_repl_offset", l.offset.Load())
	t.field("slave_repl_offset", l.offset.Load())
	t.field("replica_full_sync_buffer_size", 0)
	t.field("replica_full_sync_buffer_peak", 0)
	t.field("master_current_sync_attempts", l.tries.Load())
	t.field("master_total_sync_attempts", l.syncs.Load())
	if state == linkSync {
		total, read := l.total.Load(), l.read.Load()
		t.field("master_sync_total_bytes", total)
		t.field("master_sync_read_bytes", read)
		t.field("master_sync_left_bytes", total-read)
		perc := 0.0
		if total != 0 {
			perc = 100 * float64(read) / float64(total)
		}
		t.field("master_sync_perc", fmt.Sprintf("%.2f", perc))
		t.field("master_sync_last_io_seconds_ago", now-l.lastIO.Load())
	}
	down := l.downFor.Load()
	if state == linkConnected {
		t.field("master_link_up_since_seconds", now-l.upSince.Load())
		t.field("master_client_io_thread", 0)
	} else {
		t.field("master_link_down_since_seconds", now-l.downSince.Load())
		down += now - l.downSince.Load()
	}
	t.field("total_disconnect_time_sec", down)
	t.field("nearcache_replication_errors", l.failed.Load())
}
