package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/replication"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/rdb"
)

// link keeps a connection to a master. run is its goroutine; the atomics are for INFO.
//
// The offset counts the bytes of the master's stream that have been applied. With it,
// and the stream's ID, a link that was cut goes on where it was (PSYNC); else all
// keys are taken anew.
type link struct {
	s      *Server
	host   string
	port   int
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended

	at        atomic.Int32 // linkState
	offset    atomic.Int64
	streamID  atomic.Pointer[string] // nil: nothing has been taken yet
	selected  atomic.Int32           // the database that the stream is in
	ours      atomic.Bool            // the master is a nearcache, which has indexes too
	loading   atomic.Bool            // keys are taken anew: there are some only
	lastIO    atomic.Int64           // Unix s
	upSince   atomic.Int64
	downSince atomic.Int64
	downFor   atomic.Int64 // s in which it was down, but for the present time
	syncs     atomic.Int64 // attempts
	tries     atomic.Int64 // of these, since it was up
	total     atomic.Int64 // bytes of the RDB that comes, -1 where that is not told
	read      atomic.Int64
	failed    atomic.Int64 // commands of the master that failed here

	session *session.Session // that applies commands
	placing placing
}

// Times of a link.
const (
	retryEvery = time.Second
	ackEvery   = time.Second
	lookEvery  = 5 * time.Millisecond // for the end of a script
)

func (l *link) state() linkState { return linkState(l.at.Load()) }

func (l *link) set(s linkState) { l.at.Store(int32(s)) }

// inherit goes on where a link to another master has ended: it may have the same stream.
func (l *link) inherit(was *link) {
	l.streamID.Store(was.streamID.Load())
	l.offset.Store(was.offset.Load())
	l.selected.Store(was.selected.Load())
	l.ours.Store(was.ours.Load())
	p := &was.placing.mu
	p.Lock()
	at, known, named := p.at, p.known, p.named
	p.Unlock()
	m := &l.placing.mu // who takes a copy looks at it already
	m.Lock()
	m.at, m.known, m.named = at, known, named
	m.Unlock()
}

// takePlace goes on where the data folder says.
func (l *link) takePlace(p *place) {
	l.streamID.Store(&p.id)
	l.offset.Store(p.offset)
	l.selected.Store(int32(p.db))
	l.ours.Store(p.ours)
	m := &l.placing.mu
	m.Lock()
	m.at, m.known = *p, true
	m.Unlock()
}

// run connects again and again, until ctx ends.
func (l *link) run(ctx context.Context) {
	l.s.replica.active.Store(l)
	log := l.s.cfg.Logger()
	addr := net.JoinHostPort(l.host, strconv.Itoa(l.port))
	last := ""
	for ctx.Err() == nil {
		err := l.follow(ctx, addr)
		was := l.state()
		if was == linkConnected {
			l.downSince.Store(time.Now().Unix())
			last = ""
		}
		l.set(linkConnect)
		if ctx.Err() != nil {
			return
		}
		if text := err.Error(); text != last { // once, not every second
			last = text
			log.Warn("the link to the master is down", "master", addr, "error", err)
		}
		if was == linkConnected { // it may be there again
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// masterConn is one connection to a master.
type masterConn struct {
	l    *link
	conn net.Conn
	r    *bufio.Reader
	mu   sync.Mutex // who writes: the link, and who acknowledges meanwhile
	disk onDisk
}

// Read implements io.Reader: what takes longer than repl-timeout fails.
func (w *masterConn) Read(b []byte) (int, error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(w.l.s.cfg.ReplTimeout()))
	n, err := w.conn.Read(b)
	if n > 0 {
		w.l.lastIO.Store(time.Now().Unix())
	}
	return n, err
}

func (w *masterConn) send(words ...string) error {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, x := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(x), x)
	}
	return w.write(b)
}

func (w *masterConn) write(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.l.s.cfg.ReplTimeout()))
	_, err := w.conn.Write(b)
	return err
}

// maxLine is the longest line that a master answers in a handshake.
const maxLine = 4096

// line reads a line; empty ones only say that the master is there.
func (w *masterConn) line() (string, error) {
	for {
		b, err := w.r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if len(b) > maxLine {
			return "", errors.New("the master's line is too long")
		}
		if s := strings.TrimRight(string(b), "\r\n"); s != "" {
			return s, nil
		}
	}
}

// ask sends a command and returns the line that answers it.
func (w *masterConn) ask(words ...string) (string, error) {
	if err := w.send(words...); err != nil {
		return "", err
	}
	return w.line()
}

// follow connects and applies what comes, until something fails.
func (l *link) follow(ctx context.Context, addr string) (err error) {
	l.set(linkConnecting)
	l.syncs.Add(1)
	l.tries.Add(1)
	d := net.Dialer{Timeout: l.s.cfg.ReplTimeout()}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer cancel()
	l.set(linkHandshake)
	w := &masterConn{l: l, conn: conn}
	w.r = bufio.NewReaderSize(w, 64<<10)
	if err := w.handshake(); err != nil {
		return err
	}
	answer, err := w.psync()
	if err != nil {
		return err
	}
	var acks sync.WaitGroup
	acks.Go(func() { w.acknowledge(ctx) })
	defer func() {
		cancel()
		acks.Wait()
	}()
	c := l.s.replayCtx()
	c.Tx.Source = true
	l.session = c.S
	defer func() {
		if r := recover(); r != nil {
			l.s.cfg.Logger().Error("a command of the master has panicked", "command", specName(c.Spec), "panic", r, "stack", string(debug.Stack()))
			c.InExec = false
			c.Tx.Abandon()
			l.streamID.Store(nil)
			l.losePlace()
			err = errors.New("a command of the master has panicked")
		}
	}()
	if answer.full {
		if err := l.takeAll(ctx, w, c, answer); err != nil {
			return fmt.Errorf("taking all keys: %w", err)
		}
	} else {
		c.S.Select(int(l.selected.Load()))
	}
	l.upSince.Store(time.Now().Unix())
	l.downFor.Add(l.upSince.Load() - l.downSince.Load())
	l.tries.Store(0)
	l.set(linkConnected)
	if err := w.ack(); err != nil { // a master that has sent a copy waits for it
		return err
	}
	return l.apply(ctx, w, c)
}

// handshake tells the master who is there.
func (w *masterConn) handshake() error {
	cfg := w.l.s.cfg
	said, err := w.ask("PING")
	switch {
	case err != nil:
		return err
	case said[0] == '-' && !strings.HasPrefix(said, "-NOAUTH") && !strings.HasPrefix(said, "-NOPERM") && !strings.HasPrefix(said, "-ERR operation not permitted"):
		return fmt.Errorf("the master answers PING with %q", said)
	}
	if password := cfg.masterAuth.String(); password != "" {
		words := []string{"AUTH", password}
		if user := cfg.masterUser.String(); user != "" {
			words = []string{"AUTH", user, password}
		}
		if said, err = w.ask(words...); err != nil {
			return err
		} else if said[0] == '-' {
			return fmt.Errorf("the master answers AUTH with %q", said)
		}
	}
	_, port, _ := net.SplitHostPort(w.l.s.Addr())
	for _, words := range [][]string{{"REPLCONF", "listening-port", max(port, "0")}, {"REPLCONF", "capa", "eof", "capa", "psync2"}} {
		if _, err := w.ask(words...); err != nil { // an error reply only says that it is old
			return err
		}
	}
	return nil
}

// answer is what a master says to PSYNC.
type answer struct {
	full   bool
	id     string
	offset int64
}

func (w *masterConn) psync() (a answer, err error) {
	l := w.l
	id, from := "?", int64(-1)
	if p := l.streamID.Load(); p != nil {
		id, from = *p, l.offset.Load()+1
	}
	said, err := w.ask("PSYNC", id, strconv.FormatInt(from, 10))
	if err != nil {
		return a, err
	}
	words := strings.Fields(said)
	switch {
	case words[0] == "+FULLRESYNC" && len(words) == 3:
		a.full, a.id = true, words[1]
		if a.offset, err = strconv.ParseInt(words[2], 10, 64); err != nil || a.offset < 0 {
			return a, fmt.Errorf("the master answers PSYNC with %q", said)
		}
		return a, nil
	case words[0] == "+CONTINUE" && from >= 0:
		if len(words) == 2 { // it may have another name since a failover
			l.streamID.Store(&words[1])
			l.s.source.backlog.Rename(words[1])
			l.rename(words[1])
		}
		return a, nil
	}
	return a, fmt.Errorf("the master answers PSYNC with %q", said)
}

// acknowledge tells the master every second how far this is, or while keys are taken
// anew, that somebody is there.
func (w *masterConn) acknowledge(ctx context.Context) {
	t := time.NewTicker(ackEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		var err error
		if w.l.state() == linkConnected {
			err = w.ack()
		} else {
			err = w.write([]byte("\n"))
		}
		if err != nil {
			return // the link notices by itself
		}
	}
}

func (w *masterConn) ack() error {
	words := []string{"REPLCONF", "ACK", strconv.FormatInt(w.l.offset.Load(), 10)}
	if log := w.l.s.aof.Load(); log != nil {
		words = append(words, "FACK", strconv.FormatInt(w.disk.offset(w.l, log), 10))
	}
	return w.send(words...)
}

// onDisk knows how much of the stream is on this server's disk.
type onDisk struct {
	mu struct {
		sync.Mutex
		known int64 // offset
		next  []struct {
			offset int64
			lsn    uint64 // on whose being durable it is known
		}
	}
}

// maxNext is how many offsets wait for the disk.
const maxNext = 16

func (d *onDisk) offset(l *link, log *persist.Log) int64 {
	offset := l.offset.Load() // whose effects are in the log already
	lsn := log.Appended()
	d.mu.Lock()
	defer d.mu.Unlock()
	if log.Detached() {
		return d.mu.known
	}
	if n := len(d.mu.next); n < maxNext && (n == 0 || d.mu.next[n-1].offset < offset) {
		d.mu.next = append(d.mu.next, struct {
			offset int64
			lsn    uint64
		}{offset, lsn})
	}
	for durable := log.Durable(); len(d.mu.next) > 0 && d.mu.next[0].lsn <= durable; d.mu.next = d.mu.next[1:] {
		d.mu.known = d.mu.next[0].offset
	}
	return d.mu.known
}

// markLen is the length of the mark behind an RDB whose length the master did not
// know.
const markLen = 40

// counted counts what is read of an RDB.
type counted struct {
	r io.Reader
	l *link
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.l.read.Add(int64(n))
	return n, err
}

// takeAll takes all keys of the master in place of those that are here.
func (l *link) takeAll(ctx context.Context, w *masterConn, c *command.Ctx, a answer) error {
	l.total.Store(-1)
	l.read.Store(0)
	l.set(linkSync)
	head, err := w.line()
	if err != nil {
		return err
	}
	mark, hasMark := strings.CutPrefix(head, "$EOF:")
	src := io.Reader(counted{w.r, l})
	size := int64(-1)
	if !hasMark {
		n, ok := strings.CutPrefix(head, "$")
		if size, err = strconv.ParseInt(n, 10, 64); !ok || err != nil || size < 0 {
			return fmt.Errorf("the master sends %.100q where an RDB should be", head)
		}
		l.total.Store(size)
		src = io.LimitReader(src, size)
	} else if len(mark) != markLen {
		return fmt.Errorf("the master sends %.100q where an RDB should be", head)
	}
	l.s.cfg.Logger().Info("taking all keys of the master", "bytes", size, "stream", a.id, "offset", a.offset)
	l.streamID.Store(nil) // what is here is nobody's from now on
	l.placing.begins("", 0, false, false)
	l.losePlace()
	stream := l.s.source.backlog
	stream.Reset(replication.NewID(), 0, false)
	l.s.source.strayed.Store(false)
	l.ours.Store(false)
	l.selected.Store(0)
	l.loading.Store(true)
	defer l.loading.Store(false)
	if err := l.awaitScripts(ctx); err != nil {
		return err
	}
	start := time.Now()
	f := rdb.NewFile(src)
	keys, err := l.load(c, f)
	if err != nil {
		return err
	}
	rest := bufio.NewReaderSize(f.Rest(), 64<<10)
	if hasMark {
		b := make([]byte, markLen)
		if _, err := io.ReadFull(rest, b); err != nil {
			return err
		}
		if string(b) != mark {
			return errors.New("the RDB does not end in its mark")
		}
		w.r = rest
	} else if n, err := io.Copy(io.Discard, rest); err != nil || n > 0 {
		return fmt.Errorf("%d bytes behind the RDB: %w", n, err)
	}
	l.offset.Store(a.offset)
	l.streamID.Store(&a.id)
	c.S.Select(int(l.selected.Load()))
	stream.Reset(a.id, a.offset, l.s.cfg.enableReplicas.String() != "no")
	stream.AppendRaw(nil, c.S.DB)
	l.setPlace(place{a.id, a.offset, c.S.DB, l.ours.Load()})
	l.s.cfg.Logger().Info("took all keys of the master", "keys", keys, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// load empties this server and enters what an RDB holds.
func (l *link) load(c *command.Ctx, f *rdb.File) (keys int, err error) {
	var room []byte
	for first := true; ; first = false {
		it, err := f.Next()
		if first && (err == nil || err == io.EOF) { // it is an RDB at least
			if err := l.run1(c, 0, []byte("FLUSHALL")); err != nil {
				return 0, err
			}
			if err := l.run1(c, 0, []byte("FUNCTION"), []byte("FLUSH")); err != nil {
				return 0, err
			}
		}
		switch {
		case err == io.EOF:
			c.Settle()
			return keys, nil
		case err != nil:
			return keys, err
		}
		switch it.Kind {
		case rdb.Skipped:
			l.failed.Add(1)
			l.s.cfg.Logger().Warn("the master has what is not here", "key", string(it.Key), "what", string(it.Name))
		case rdb.Function:
			if err := l.run1(c, 0, []byte("FUNCTION"), []byte("LOAD"), it.Text); err != nil {
				l.complain(err)
			}
		case rdb.Aux:
			if err := l.note(c, &it); isBusy(err) {
				return keys, err
			} else if err != nil {
				l.complain(err)
			}
		case rdb.Key:
			keys++
			if room, err = l.enter(c, room[:0], &it); isBusy(err) {
				return keys, err
			} else if err != nil {
				l.complain(fmt.Errorf("key %.100q: %w", it.Key, err))
			}
		}
	}
}

// note takes what a copy says beside its keys, see source_copy.go.
func (l *link) note(c *command.Ctx, it *rdb.Item) error {
	switch string(it.Name) {
	case noteVersion:
		l.ours.Store(true)
	case noteDB:
		n, err := strconv.Atoi(string(it.Text))
		if err != nil || n < 0 || n >= store.Databases {
			return fmt.Errorf("the master's stream goes on in database %.20q", it.Text)
		}
		l.selected.Store(int32(n))
	case noteCommands:
		r := resp.NewCommandReader(bufio.NewReader(bytes.NewReader(it.Text)))
		for {
			args, err := r.Next()
			if err == io.EOF {
				return nil
			}
			if err == nil {
				err = l.run1(c, it.DB, args...)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// enter enters a key of an RDB.
func (l *link) enter(c *command.Ctx, room []byte, it *rdb.Item) ([]byte, error) {
	room, err := rdb.Dump(room, it.Value)
	if err != nil { // it has no form that RESTORE takes
		it.Value.Rebuild(it.Key, func(args ...[]byte) {
			if e := l.run1(c, it.DB, args...); e != nil {
				err = e
			}
		})
		return nil, err
	}
	args := [][]byte{[]byte("RESTORE"), it.Key, strconv.AppendInt(nil, it.ExpireAt, 10), room, []byte("REPLACE"), []byte("ABSTTL")}
	switch {
	case it.Idle >= 0:
		args = append(args, []byte("IDLETIME"), strconv.AppendInt(nil, it.Idle, 10))
	case it.Frequency >= 0:
		args = append(args, []byte("FREQ"), strconv.AppendInt(nil, int64(it.Frequency), 10))
	}
	return room, l.run1(c, it.DB, args...)
}

// complain logs what of the master's could not be done here. The first few are told
// each, then every thousandth.
func (l *link) complain(err error) {
	if n := l.failed.Add(1); n <= 10 || n%1000 == 0 {
		l.s.cfg.Logger().Error("a command of the master failed here", "error", err, "so far", n)
	}
}

// isBusy reports whether a command was not run because a script takes long. The master's
// have to wait for it.
func isBusy(err error) bool {
	e, ok := errors.AsType[resp.Error](err)
	return ok && strings.HasPrefix(string(e), "BUSY ")
}

// awaitScripts waits until no script takes long.
func (l *link) awaitScripts(ctx context.Context) error {
	for l.s.ks.Lent() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
	return nil
}

// run1 runs a command in a database.
func (l *link) run1(c *command.Ctx, db int, args ...[]byte) error {
	return l.s.replay(c, persist.Command{DB: db, Args: args})
}

// apply applies the master's commands as they come.
func (l *link) apply(ctx context.Context, w *masterConn, c *command.Ctx) error {
	r := resp.NewCommandReader(w.r)
	r.Keep()
	base := l.offset.Load()
	for {
		words, err := r.Next()
		if err != nil {
			c.Settle()
			return err
		}
		if log := l.s.aof.Load(); log != nil {
			log.Throttle()
		}
		l.s.ks.CatchUp()
		if err := l.awaitScripts(ctx); err != nil {
			return err
		}
		asked := len(words) > 1 && args.EqualFold(words[0], "replconf") && args.EqualFold(words[1], "getack")
		if err := l.step(c, r, words, base); err != nil {
			return err
		}
		if asked { // behind it, where Redis' answer is of what was before: a master that ends waits for all of its stream
			c.Settle()
			if err := w.ack(); err != nil {
				return err
			}
		}
		if r.Buffered() == 0 {
			c.Settle()
		}
		if l.ours.Load() && l.s.cfg.replicaReadOnly.Bool() && l.s.source.strayed.Load() {
			l.streamID.Store(nil)
			return errors.New("a client's write has come between: all keys are to be taken anew")
		}
	}
}

// step applies a command, and passes its bytes on to replicas of this server. A copy for
// one of them is made between two steps.
func (l *link) step(c *command.Ctx, r *resp.CommandReader, args [][]byte, base int64) error {
	src := &l.s.source
	src.applying.Lock()
	defer src.applying.Unlock()
	spec := l.s.env.Table.Find(args[0])
	l.placing.begins(*l.streamID.Load(), base+r.Offset(), l.ours.Load(), onceSure(spec))
	if err := l.one(c, spec, args); err != nil {
		return err
	}
	l.ended()
	if !c.Queue.Open { // a transaction that is cut is asked for again
		l.selected.Store(int32(c.S.DB))
		l.offset.Store(base + r.Offset())
		src.backlog.AppendRaw(r.Raw(), c.S.DB)
		r.Forget()
	}
	return nil
}

// one applies a command. It fails where the stream cannot go on.
func (l *link) one(c *command.Ctx, spec *command.Spec, args [][]byte) error {
	switch specName(spec) {
	case "ping", "replconf":
		return nil
	case "select":
		n, err := strconv.Atoi(string(args[len(args)-1]))
		if err != nil || n < 0 || n >= store.Databases {
			return fmt.Errorf("the master uses database %.20q", args[len(args)-1])
		}
		if !c.Queue.Open { // else it has its turn
			c.S.Select(n)
			return nil
		}
	case "multi", "exec":
		c.Now = l.s.clock.Now()
		err := c.Run(spec, args)
		c.S.Out.Reset()
		return err
	}
	if c.Queue.Open {
		if spec != nil && len(spec.Sub) > 0 && len(args) > 1 {
			spec = spec.Match(args[1])
		}
		if spec == nil || !spec.ArityOK(len(args)) {
			l.complain(fmt.Errorf("%.100q is not known here", args[0]))
			return nil
		}
		err := l.s.enqueue(c, spec, args)
		c.S.Out.Reset()
		return err
	}
	err := l.run1(c, c.S.DB, args...)
	if isBusy(err) {
		return err // it is asked for again
	}
	if err != nil {
		l.complain(err)
	}
	return nil
}
