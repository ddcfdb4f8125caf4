package server

import (
	"errors"
	"strconv"
	"sync"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/replication"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/vfs"
)

// A replica goes on where it was after a restart too, if it knows the place of what its disk has. So
// the place lies in the data folder, as the word PLACE among the effects of a commit:
//
//	PLACE offset db [id ours]
//
// What the source's stream makes of the keys is a commit in the log, and the place behind it is a part
// of that commit: whatever a crash leaves of the log, its last commit says where it is. A commit that says
// nothing, as of a client or within a copy of all keys, is no place. Where a command may make several commits
// the place is a record of its own behind them. id and ours come with the first place behind a base, or when they change.
// A base begins with the place of its moment.
//
// A master's own stream has its place in bases, and behind all else when the server ends, as in Redis:
// it goes on under another ID then, and who has all of the old one needs no copy.

var wordPlace = []byte("PLACE")

// place is a place in a stream: what has been applied of it.
type place struct {
	id     string
	offset int64
	db     int
	ours   bool // see link
}

// placeAt is the place of what there was after a commit.
type placeAt struct {
	place
	seq uint64
}

// effect is what the log has of it.
func (p *place) effect(full bool) store.Effect {
	args := [][]byte{wordPlace, strconv.AppendInt(nil, p.offset, 10), strconv.AppendInt(nil, int64(p.db), 10)}
	if full {
		args = append(args, []byte(p.id), strconv.AppendInt(nil, int64(flagOf(p.ours)), 10))
	}
	return store.Effect{Args: args}
}

// read takes what an effect says; false if it is none, or says what cannot be.
func (p *place) read(args [][]byte) bool {
	if len(args) != 3 && len(args) != 5 {
		return false
	}
	offset, ok := resp.ParseInt(args[1])
	db, ok2 := resp.ParseInt(args[2])
	if !ok || !ok2 || offset < 0 || db < 0 || db >= store.Databases {
		return false
	}
	if len(args) == 5 {
		if len(args[3]) != len(replication.NoID) {
			return false
		}
		p.id, p.ours = string(args[3]), string(args[4]) == "1"
	}
	p.offset, p.db = offset, int(db)
	return true
}

// placing is the place of what a link has brought into the keyspace.
type placing struct {
	mu struct { // a leaf
		sync.Mutex
		at    place
		known bool // it is that of all that was committed
		named bool // the log has its id
	}
	// These belong to the link's goroutine.
	next    place // behind the command that is applied
	sure    bool  // which makes one commit
	commits int   // so many it has made
	effects []store.Effect
}

// begins is called before a command is applied that ends at an offset.
func (p *placing) begins(id string, offset int64, ours, sure bool) {
	p.next = place{id, offset, 0, ours}
	p.sure, p.commits = sure, 0
}

// placed is called for each commit of the link's, with shards held. It returns what the log is to have.
func (l *link) placed(effects []store.Effect) []store.Effect {
	p := &l.placing
	p.commits++
	r, strayed := &l.s.replica, l.ours.Load() && l.s.source.strayed.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.known = p.sure && p.commits == 1 && !strayed && r.link.Load() == l; !p.mu.known {
		return effects
	}
	p.next.db = l.session.DB
	p.mu.at = p.next
	p.effects = append(append(p.effects[:0], effects...), p.mu.at.effect(!p.mu.named))
	p.mu.named = true
	return p.effects
}

// ended is called when a command was applied. Where it has made commits without a place, here it is.
func (l *link) ended() {
	p := &l.placing
	p.mu.Lock()
	known := p.mu.known
	p.mu.Unlock()
	if p.commits > 0 && !known {
		p.next.db = l.session.DB
		l.setPlace(p.next)
	}
}

// setPlace says where the keyspace is, when the link makes no commit.
func (l *link) setPlace(at place) {
	p := &l.placing
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.at, p.mu.known, p.mu.named = at, true, true
	l.s.logPlace(&at)
}

// rename gives the stream another ID.
func (l *link) rename(id string) {
	p := &l.placing
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.at.id, p.mu.named = id, false
}

// losePlace says that it is not known.
func (l *link) losePlace() {
	p := &l.placing
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.known, p.mu.named = false, false
}

// logPlace appends a place to the log, if there is one.
func (s *Server) logPlace(at *place) {
	if log := s.aof.Load(); log != nil && log.Err() == nil {
		log.Append(&persist.Record{Seq: s.ks.Seq(), At: s.ks.Now(), Commands: []store.Effect{at.effect(true)}})
	}
}

// basePlace is the place of a base. All shards are held.
func (s *Server) basePlace(at *store.Snapshot) (l []persist.Record) {
	p, ok := s.currentPlace()
	if ok {
		l = append(l, persist.Record{Seq: at.Seq, At: at.At, Commands: []store.Effect{p.effect(true)}})
	}
	return l
}

func (s *Server) currentPlace() (at place, ok bool) {
	if p := s.replica.last.Load(); p != nil { // the server ends, and its link has
		return p.place, p.id != "" && s.ks.Seq() == p.seq
	}
	if l := s.replica.link.Load(); l != nil {
		p := &l.placing
		p.mu.Lock()
		defer p.mu.Unlock()
		p.mu.named = p.mu.known // the log goes on behind the base
		return p.mu.at, p.mu.known
	}
	st := s.source.backlog.State()
	return place{st.ID, st.Offset, max(st.DB, 0), true}, st.On
}

// endReplica ends the link at the end of the server, and keeps its place.
func (s *Server) endReplica() {
	l := s.replica.link.Load()
	s.follow("", 0, true)
	if l == nil {
		return
	}
	last := &placeAt{seq: s.ks.Seq()}
	if id := l.streamID.Load(); id != nil && !(l.ours.Load() && s.source.strayed.Load()) {
		last.place = place{*id, l.offset.Load(), int(l.selected.Load()), l.ours.Load()}
	}
	s.replica.last.Store(last)
}

// placeAtEnd is the last record of a log.
func (s *Server) placeAtEnd() {
	if p, ok := s.currentPlace(); ok {
		s.logPlace(&p)
	}
}

// regain goes on where the data folder says that the server was: as a replica when it follows somebody, as
// Redis does; else with a stream of its own, before which there was the other.
func (s *Server) regain(p *place) {
	if p == nil {
		return
	}
	s.replica.loaded = &placeAt{*p, s.ks.Seq()}
	if s.cfg.enableReplicas.String() != "no" {
		s.source.backlog.Regain(p.id, p.offset)
	}
	s.cfg.Logger().Info("the place in the stream is known", "stream", p.id, "offset", p.offset)
}

// loadedPlace is the place of what was loaded, once, if that is what there is.
func (s *Server) loadedPlace() *place {
	p := s.replica.loaded
	s.replica.loaded = nil
	if p == nil || s.ks.Seq() != p.seq {
		return nil
	}
	return &p.place
}

// onceSure reports whether a command makes one commit, if any.
func onceSure(spec *command.Spec) bool {
	return spec != nil && spec.Flags&command.OwnLock == 0 && (spec.Flags&command.AllShards != 0 || !spec.Keys.None() || spec.Name == "exec")
}

// ForgetPlace has whoever loads a data folder next know no place in a stream: not all that is before the place is there, as in
// a folder that was repaired. A replica takes a full copy then.
func ForgetPlace(fsys vfs.FS, dir string) error {
	at := int64(0)
	log, rep, err := persist.Open(fsys, dir, persist.Options{}, func(r persist.Record) error {
		at = r.At
		return nil
	})
	if err != nil {
		return err
	}
	log.Append(&persist.Record{Seq: rep.LastSeq, At: at, Commands: []persist.Command{{Args: [][]byte{wordPlace}}}})
	return errors.Join(log.Flush(), log.Close())
}
