package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/replication"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/rdb"
	"github.com/nearcache/nearcache/store/types/str"
)

// A copy for a replica is an RDB file of one moment, which is sent as it is made; to a replica that has to
// know its length first (it does not say capa eof) it goes by way of a file. What Redis
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
	if a.want.PSync {
		if err := a.write([]byte("+FULLRESYNC " + id + " " + strconv.FormatInt(offset, 10) + "\r\n")); err != nil {
			return feed, err
		}
	}
	start := time.Now()
	file := func(w io.Writer) error {
		f := rdb.NewStreamWriter(w)
		if err := f.Write(head); err != nil {
			return err
		}
		if err := snap.Emit(ctx, f.Write); err != nil {
			return err
		}
		if err := indexes.LeftOut(ctx, func(args ...[]byte) error {
			return f.Write(rdb.AppendAux(nil, 0, noteCommands, replication.AppendCommand(nil, args...)))
		}); err != nil {
			return err
		}
		return f.Close()
	}
	if a.peer.EOF {
		err = a.sendMarked(file)
	} else {
		err = a.sendCounted(ctx, file)
	}
	if err == nil {
		a.s.cfg.Logger().Info("sent a copy of all keys", "replica", a.ses.Addr, "keys", snap.Entries(), "offset", offset, "took", time.Since(start).Round(time.Millisecond))
	}
	return feed, err
}

// sendMarked sends a file as it is made, and behind it a mark.
func (a *attached) sendMarked(file func(io.Writer) error) error {
	mark := newMark()
	if err := a.write([]byte("$EOF:" + mark + "\r\n")); err != nil {
		return err
	}
	if err := file(a); err != nil {
		return err
	}
	return a.write([]byte(mark))
}

// sendCounted writes a file to the data folder, and then sends its length and it. As in Redis the replica hears
// meanwhile that somebody is there.
func (a *attached) sendCounted(ctx context.Context, file func(io.Writer) error) error {
	if err := os.MkdirAll(a.s.cfg.Dir(), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(a.s.cfg.Dir(), "nearcache-copy-*.tmp")
	if err != nil {
		return err
	}
	_ = os.Remove(f.Name()) // what is open stays, and nothing is left of it by a crash; where a system does not do that it fails
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := a.awake(ctx, func() error {
		if err := file(w); err != nil {
			return err
		}
		return w.Flush()
	}); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	if err := a.write(fmt.Appendf(nil, "$%d\r\n", size)); err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{a}, struct{ io.Reader }{f}, make([]byte, 256<<10))
	return err
}

// awake has the replica hear that somebody is there until work is done.
func (a *attached) awake(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	t := time.NewTicker(keepAlive)
	defer t.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-t.C:
			if err := a.write([]byte("\n")); err != nil {
				a.ses.Kill() // which ends the work, too
				<-done
				return errors.Join(err, context.Cause(ctx))
			}
		}
	}
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
