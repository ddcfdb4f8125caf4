package server

import (
	"context"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/replication"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/rdb"
	"github.com/nearcache/nearcache/store/types/str"
)

// A copy for a replica is an RDB file of one moment, which is sent as it is made. What Redis
// has no form of are commands in notes, which it passes over and nearcache runs: indexes,
// semantic caches, dictionaries of suggestions.

// Notes in a copy.
const (
	noteVersion  = "nearcache-version"
	noteCommands = "nearcache-commands" // in RESP, for the database that is selected
	noteDB       = "repl-stream-db"     // in which the stream goes on; Redis' own
)

// keepAlive is how often a replica that waits hears that somebody is there.
const keepAlive = time.Second

// copy sends a copy of all keys. The Feed it returns, with an error too, begins at the
// copy's moment.
func (a *attached) copy(ctx context.Context) (feed *replication.Feed, err error) {
	v := &a.s.saves
	if err := a.claimCopy(ctx); err != nil {
		return nil, err
	}
	defer func() {
		v.mu.Lock()
		v.endLocked()
		v.mu.Unlock()
	}()
	a.at.Store(int32(takesCopy))
	var head []byte
	var indexes *catalog.Cut
	var id string
	var offset int64
	cut := func(at *store.Snapshot) {
		at.GiveUp = a.giveUp
		var db int
		feed, id, offset, db = a.source().backlog.Start(a.limit(), a.end)
		a.feed.Store(feed)
		head = a.s.copyHead(at, db)
		indexes = a.s.env.Catalog.Cut()
	}
	a.source().applying.Lock()
	snap, err := a.s.ks.Cut(encodeForReplica, cut)
	a.source().applying.Unlock()
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	mark := newMark()
	var first []byte
	if a.want.PSync {
		first = append(first, "+FULLRESYNC "+id+" "+strconv.FormatInt(offset, 10)+"\r\n"...)
	}
	if err := a.write(append(first, "$EOF:"+mark+"\r\n"...)); err != nil {
		return feed, err
	}
	start := time.Now()
	w := rdb.NewStreamWriter(a)
	if err := w.Write(head); err != nil {
		return feed, err
	}
	if err := snap.Emit(ctx, w.Write); err != nil {
		return feed, err
	}
	if err := indexes.LeftOut(ctx, func(args ...[]byte) error {
		return w.Write(rdb.AppendAux(nil, 0, noteCommands, replication.AppendCommand(nil, args...)))
	}); err != nil {
		return feed, err
	}
	if err := w.Close(); err != nil {
		return feed, err
	}
	a.s.cfg.Logger().Info("sent a copy of all keys", "replica", a.ses.Addr, "keys", snap.Entries(), "offset", offset, "took", time.Since(start).Round(time.Millisecond))
	return feed, a.write([]byte(mark))
}

// giveUp ends a copy that is taken too slowly.
func (a *attached) giveUp() {
	a.s.cfg.Logger().Warn("a replica takes its copy too slowly for what is written meanwhile", "replica", a.ses.Addr)
	a.ses.Overflow()
}

// claimCopy waits until no other snapshot is made.
func (a *attached) claimCopy(ctx context.Context) error {
	t := time.NewTicker(keepAlive)
	defer t.Stop()
	for {
		busy, wait := a.s.saves.claim(saveCopy)
		if busy == noSave {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
			if err := a.write([]byte("\n")); err != nil {
				return err
			}
		}
	}
}

// copyHead is what stands before the keys. All shards are held.
func (s *Server) copyHead(at *store.Snapshot, db int) (b []byte) {
	b = rdb.AppendAux(b, 0, noteVersion, []byte(command.Version))
	if db >= 0 {
		b = rdb.AppendAux(b, 0, noteDB, []byte(strconv.Itoa(db)))
	}
	for _, r := range s.definitions(at) {
		for _, c := range r.Commands {
			if string(c.Args[0]) == "FUNCTION" {
				b = rdb.AppendFunction(b, c.Args[2])
			} else {
				b = rdb.AppendAux(b, c.DB, noteCommands, replication.AppendCommand(nil, c.Args...))
			}
		}
	}
	return b
}

// encodeForReplica is a store.Encoder.
func encodeForReplica(b []byte, db int, e *store.Entry) []byte {
	v, at := e.Value(), e.ExpireAt()
	b, err := rdb.AppendKey(b, db, e.KeyBytes(), v, at)
	if err == nil {
		return b
	}
	var text []byte
	if s, ok := v.(*str.Value); ok {
		text = replication.AppendCommand(text, wordSet, e.KeyBytes(), s.B)
	} else {
		v.Rebuild(e.KeyBytes(), func(args ...[]byte) { text = replication.AppendCommand(text, args...) })
	}
	if at != 0 {
		text = replication.AppendCommand(text, wordPExpireAt, e.KeyBytes(), strconv.AppendInt(nil, at, 10))
	}
	return rdb.AppendAux(b, db, noteCommands, text)
}
