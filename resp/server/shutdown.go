package server

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/command"
)

// A server that is told to end does so in steps, as Redis does:
//
//	SHUTDOWN, or the end of Run's context
//	  writes wait, as in CLIENT PAUSE WRITE ── replicas catch up, for shutdown-timeout at most
//	  a snapshot, where one is asked for    ── fails: all goes on, unless FORCE
//	  Run ends clients and loops            ── nothing can be written any more
//	  replicas are sent the last of it      ── see letReplicasGo
//
// A snapshot that fails ends Run with an error where its context has ended, which is to be obeyed; Redis goes on after
// SIGTERM too.
//
// Up to the third step SHUTDOWN ABORT takes back what SHUTDOWN has begun. Replicas that have all of the stream go on
// without a copy when the server is back, see place.go. A write that had begun before they were to wait may come behind
// what replicas were asked for: so they are the last to be let go.

// ending is how far that is.
type ending struct {
	holds atomic.Bool  // writes wait
	until atomic.Int64 // Unix ms until which replicas may catch up, 0 before
	mode  atomic.Int32 // a command.ShutdownMode: of the last snapshot
	moved chan struct{}

	mu struct { // a leaf
		sync.Mutex
		firm    bool               // it ends in any case
		aborted context.CancelFunc // nil: nobody has told it to end
		failed  map[*func()]struct{}
	}
}

func (s *Server) initEnding() {
	s.ending.moved = make(chan struct{}, 1)
	s.ending.mu.failed = map[*func()]struct{}{}
}

// Shutdown implements command.Server.
func (s *Server) Shutdown(how command.Shutdown, failed func()) (stop func()) {
	e := &s.ending
	e.mu.Lock()
	e.mu.failed[&failed] = struct{}{}
	e.mu.firm = e.mu.firm || how.Firm
	begun := e.mu.aborted != nil
	var ctx context.Context
	if !begun {
		ctx, e.mu.aborted = context.WithCancel(s.ctx)
	}
	e.mu.Unlock()
	if !begun {
		s.spawn(func() { s.shutDown(ctx, how) })
	}
	return func() {
		e.mu.Lock()
		delete(e.mu.failed, &failed)
		e.mu.Unlock()
	}
}

// endWith ends the server when ctx ends.
func (s *Server) endWith(ctx context.Context) {
	select {
	case <-ctx.Done():
		s.Shutdown(command.Shutdown{Firm: true}, func() {})
	case <-s.ctx.Done():
	}
}

// AbortShutdown implements command.Server.
func (s *Server) AbortShutdown() bool {
	if !s.goOn() {
		return false
	}
	s.cfg.Logger().Info("Shutdown manually aborted.")
	return true
}

// goOn takes back what Shutdown has begun; false if there is nothing, or it is too late.
func (s *Server) goOn() bool {
	e := &s.ending
	e.mu.Lock()
	if e.mu.aborted == nil || e.mu.firm || s.ctx.Err() != nil {
		e.mu.Unlock()
		return false
	}
	e.mu.aborted()
	e.mu.aborted = nil
	failed := e.mu.failed
	e.mu.failed = map[*func()]struct{}{}
	e.until.Store(0)
	e.holds.Store(false)
	e.mu.Unlock()
	s.pause.look()
	s.wakePaused()
	for f := range failed {
		(*f)()
	}
	return true
}

// decide ends the server, unless that was taken back before.
func (s *Server) decide(ctx context.Context, mode command.ShutdownMode) {
	e := &s.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() == nil {
		e.mode.Store(int32(mode))
		s.stop()
	}
}

// holdWrites has commands that write wait, until goOn.
func (s *Server) holdWrites(ctx context.Context) {
	e := &s.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() == nil {
		e.holds.Store(true)
	}
}

// shutDown ends the server if it can, and ctx does not end before.
func (s *Server) shutDown(ctx context.Context, how command.Shutdown) {
	log := s.cfg.Logger()
	log.Info("User requested shutdown...")
	if timeout := time.Duration(s.cfg.shutdownTimeout.Int()) * time.Second; !how.Now && timeout > 0 && len(*s.source.list.Load()) > 0 {
		s.holdWrites(ctx)
		s.awaitInSync(ctx, s.giveTime(ctx, timeout), func() { log.Info("Waiting for replicas before shutting down.") })
	}
	if ctx.Err() != nil {
		return
	}
	s.tellLag()
	mode := how.Mode
	if s.loading.on() {
		mode = command.ShutdownNoSave
	}
	if how.Firm || !s.savesAtEnd(mode) { // what Run saves then is its own to report
		s.decide(ctx, mode)
		return
	}
	s.holdWrites(ctx)
	log.Info("Saving the final snapshot before exiting.")
	switch err := s.saveBehind(ctx, saveRDB); {
	case ctx.Err() != nil:
	case err == nil:
		s.decide(ctx, command.ShutdownSaved)
	case how.Force:
		log.Warn("Error trying to save the DB. Exit anyway.")
		s.decide(ctx, command.ShutdownNoSave)
	default:
		log.Warn("Error trying to save the DB, can't exit.")
		log.Warn("Errors trying to shut down the server. Check the logs for more information.")
		if !s.goOn() {
			s.decide(ctx, mode)
		}
	}
}

// giveTime is until when replicas may catch up.
func (s *Server) giveTime(ctx context.Context, timeout time.Duration) (until int64) {
	e := &s.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	until = time.Now().Add(timeout).UnixMilli()
	if ctx.Err() == nil {
		e.until.Store(until)
	}
	return until
}

// lagging are replicas that have not acknowledged the stream up to an offset.
func (s *Server) lagging(offset int64) (l []*attached) {
	for _, a := range *s.source.list.Load() {
		if a.acked.Load() < offset {
			l = append(l, a)
		}
	}
	return l
}

// awaitInSync waits until replicas have what there is of the stream, or a time, Unix ms. They are asked to
// tell; begins is called if there is something to wait for.
func (s *Server) awaitInSync(ctx context.Context, until int64, begins func()) {
	e, stream := &s.ending, s.source.backlog
	if len(s.lagging(stream.Offset())) == 0 {
		return
	}
	begins()
	s.askReplicas()
	offset := stream.Offset()
	end := time.NewTimer(time.Until(time.UnixMilli(until)))
	defer end.Stop()
	for len(s.lagging(offset)) > 0 {
		select {
		case <-e.moved:
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// askReplicas has replicas tell at once how far they are.
func (s *Server) askReplicas() {
	s.source.backlog.AppendCommand([]byte("REPLCONF"), []byte("GETACK"), []byte("*"))
}

// replicaMoved is called when one has acknowledged something, or has gone.
func (s *Server) replicaMoved() {
	select {
	case s.ending.moved <- struct{}{}:
	default:
	}
}

// tellLag logs which replicas lack something.
func (s *Server) tellLag() {
	offset, all := s.source.backlog.Offset(), len(*s.source.list.Load())
	if all == 0 {
		return
	}
	late := s.lagging(offset)
	for _, a := range late {
		lag := int64(0)
		if a.state() == online {
			lag = (time.Now().UnixMilli() - a.heardAt.Load()) / 1000
		}
		s.cfg.Logger().Info(fmt.Sprintf("Lagging replica %s reported offset %d behind master, lag=%d, state=%s.",
			net.JoinHostPort(a.host, strconv.Itoa(a.peer.Port)), offset-a.acked.Load(), lag, a.state()))
	}
	s.cfg.Logger().Info(fmt.Sprintf("%d of %d replicas are in sync when shutting down.", all-len(late), all))
}

// letReplicasGo ends the connections of replicas, when those that were in time have all of the stream. Nothing comes
// to it any more.
func (s *Server) letReplicasGo() {
	s.dropCopies()
	if until := s.ending.until.Load(); until > time.Now().UnixMilli() {
		s.awaitInSync(context.Background(), until, func() {})
	}
	s.source.end()
	s.source.wg.Wait()
}

// dropCopies cuts off replicas that are still to get a copy, for nothing now.
func (s *Server) dropCopies() {
	for _, a := range *s.source.list.Load() {
		if a.state() != online {
			a.end(false)
		}
	}
}
