package commands

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/rdb"
)

// MIGRATE does as Redis does, but for three points. Whoever may send it may have this
// server connect to anything it can reach, so that enable-outgoing-connections must
// allow it. Nothing is locked while the other server is waited for: a key that changes
// meanwhile is sent again, and only what has arrived as it is gets deleted. And it is
// refused in transactions and scripts, which hold their keys.

// Errors of MIGRATE.
const (
	errMigrateRefused resp.Error = "ERR MIGRATE command not allowed. If the enable-outgoing-connections option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
	errMigrateHeld    resp.Error = "ERR MIGRATE is not allowed in transactions and scripts"
	errMigrateKeys    resp.Error = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
	errMigrateConnect resp.Error = "IOERR error or timeout connecting to the client"
	errMigrateWrite   resp.Error = "IOERR error or timeout writing to target instance"
	errMigrateRead    resp.Error = "IOERR error or timeout reading from target instance"
	errMigrateRaced   resp.Error = "ERR a key is changed while it is moved: it is here, and an older copy of it on the target instance"
)

var migrateCommand = &command.Spec{
	Name: "migrate", Arity: -6, Flags: command.Write | command.MovableKeys | command.OwnLock,
	Keys: command.KeySpec{First: 3, Last: 3, Step: 1, Find: migrateKeys}, Group: command.GroupGeneric, Since: "2.6.0",
	Summary: "Atomically transfers a key from one Redis instance to another.",
	Args: []command.Arg{
		{Name: "host", Type: "string"},
		{Name: "port", Type: "integer"},
		{Name: "key-selector", Type: "oneof", Args: []command.Arg{
			keyArg,
			{Name: "empty-string", Type: "pure-token"},
		}},
		{Name: "destination-db", Type: "integer"},
		{Name: "timeout", Type: "integer"},
		{Name: "copy", Type: "pure-token", Token: "COPY", Since: "3.0.0", Optional: true},
		{Name: "replace", Type: "pure-token", Token: "REPLACE", Since: "3.0.0", Optional: true},
		{Name: "authentication", Type: "oneof", Optional: true, Args: []command.Arg{
			{Name: "auth", Type: "string", Shown: "password", Token: "AUTH", Since: "4.0.7"},
			{Name: "auth2", Type: "block", Token: "AUTH2", Since: "6.0.0", Args: []command.Arg{
				{Name: "username", Type: "string"}, {Name: "password", Type: "string"},
			}},
		}},
		{Name: "keys", Type: "key", Shown: "key", Token: "KEYS", KeySpec: 1, Since: "3.0.6", Optional: true, Multiple: true},
	},
	Bind: command.Bind(parseMigrate, runMigrate),
}

// migrateKeys are the key, or where it is empty those behind KEYS.
func migrateKeys(argv [][]byte) [][]byte {
	if len(argv[3]) == 0 {
		for i := 6; i < len(argv); i++ {
			switch {
			case args.EqualFold(argv[i], "auth"):
				i++
			case args.EqualFold(argv[i], "auth2"):
				i += 2
			case args.EqualFold(argv[i], "keys"):
				return argv[i+1:]
			}
		}
	}
	return argv[3:4]
}

type migrateArgs struct {
	host, port    string
	keys          [][]byte
	db            int64
	timeout       time.Duration
	copy, replace bool
	auth          [][]byte // what AUTH takes; nil without
}

// maxMigrate is the longest that is waited for the target to do something.
const maxMigrate = time.Hour

func parseMigrate(p *args.Parser) migrateArgs {
	a := migrateArgs{host: p.String(), port: p.String()}
	key, db, timeout := p.Bytes(), p.Bytes(), p.Bytes()
	a.keys = [][]byte{key}
	for p.More() {
		switch {
		case p.Accept("copy"):
			a.copy = true
		case p.Accept("replace"):
			a.replace = true
		case p.Len() > 1 && p.Accept("auth"):
			a.auth = [][]byte{p.Bytes()}
		case p.Len() > 2 && p.Accept("auth2"):
			a.auth = [][]byte{p.Bytes(), p.Bytes()}
		case p.Accept("keys"):
			if len(key) > 0 {
				p.Fail(errMigrateKeys)
			}
			a.keys = p.Rest()
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	ms, isInt := resp.ParseInt(timeout)
	var isDB bool
	if a.db, isDB = resp.ParseInt(db); !isInt || !isDB {
		p.Fail(resp.ErrNotInt)
	}
	if ms <= 0 {
		ms = 1000
	}
	a.timeout = time.Duration(min(ms, maxMigrate.Milliseconds())) * time.Millisecond
	return a
}

// moving is a key on its way.
type moving struct {
	key   []byte
	watch *store.Watch // tells if it changes meanwhile
	there bool         // the target has it
}

// migrateTries is how often keys that change are sent.
const migrateTries = 3

func runMigrate(c *command.Ctx, a migrateArgs) error {
	switch {
	case !c.Server.ConnectAllowed(c):
		return errMigrateRefused
	case c.InExec || c.InScript:
		return errMigrateHeld
	}
	keys := slices.DeleteFunc(slices.Clone(a.keys), func(key []byte) (none bool) {
		c.After(c.Tx.With(key, func(tx *store.Tx) { none = tx.Get(key) == nil }))
		return none
	})
	if len(keys) == 0 {
		c.W.Status("NOKEY")
		return nil
	}
	t, err := dialTarget(c, &a)
	if err != nil {
		return err
	}
	defer t.close()
	for range migrateTries {
		sent, lost := t.send(keys)
		// A script may have the keys that takes long: then they stay on both sides.
		if keys, err = leave(c, sent, a.copy); err != nil {
			return err
		}
		switch {
		case lost != nil:
			return lost
		case len(keys) == 0:
			c.W.Status("OK")
			return nil
		}
		c.After(c.Tx.End())
		c.Begin()
		a.replace = true // what is there of them has come from here
	}
	return errMigrateRaced
}

// leave deletes the keys that have arrived, and returns those that have changed
// since they were sent. The keys are locked afterwards.
func leave(c *command.Ctx, sent []moving, stay bool) (changed [][]byte, err error) {
	err = c.Lock(store.LockSet{}, func(f func(key []byte)) {
		for _, m := range sent {
			f(m.key)
		}
	})
	if err != nil {
		for _, m := range sent {
			c.After(c.Tx.With(m.key, func(tx *store.Tx) { tx.Unwatch(m.watch) }))
		}
		return nil, err
	}
	effect := [][]byte{wordDel}
	for _, m := range sent {
		dirty := m.watch.Dirty()
		c.Tx.Unwatch(m.watch)
		switch {
		case !m.there || stay:
		case dirty:
			changed = append(changed, m.key)
		case c.Tx.Delete(m.key, "del"):
			effect = append(effect, m.key)
		}
	}
	if len(effect) > 1 {
		c.Tx.Effect(effect...)
	}
	return changed, nil
}

// target is the server that keys move to.
type target struct {
	a      *migrateArgs
	c      *command.Ctx
	conn   net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	cancel context.CancelFunc
	guard  sync.WaitGroup
}

const (
	// maxReplyLine is the longest line that is read of the target.
	maxReplyLine = 4096
	// killedEvery is how soon a client that is closed ends its MIGRATE.
	killedEvery = 50 * time.Millisecond
	// migrateWindow bounds the keys whose replies are not read yet: they must find
	// room on the way.
	migrateWindow = 128
)

// dialTarget connects. A client that is closed ends it, and what follows.
func dialTarget(c *command.Ctx, a *migrateArgs) (*target, error) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &target{a: a, c: c, cancel: cancel}
	t.guard.Go(func() {
		tick := time.NewTicker(killedEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if c.S.Killed() {
					cancel()
				}
			}
		}
	})
	dialer := net.Dialer{Timeout: a.timeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.host, a.port))
	if err != nil {
		t.close()
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil, errMigrateWrite // Redis notices no earlier
		}
		return nil, errMigrateConnect
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	t.conn, t.r, t.w = conn, bufio.NewReaderSize(conn, maxReplyLine), bufio.NewWriterSize(conn, 64<<10)
	return t, nil
}

func (t *target) close() {
	t.cancel()
	t.guard.Wait()
}

// send sends keys and returns those that were there, each watched from then on. It
// fails with what the target said first, or where it did not answer: which keys have
// arrived until then is told all the same.
func (t *target) send(keys [][]byte) (sent []moving, err error) {
	var preamble int
	if t.a.auth != nil {
		t.command(append([][]byte{[]byte("AUTH")}, t.a.auth...)...)
		preamble++
	}
	t.command([]byte("SELECT"), strconv.AppendInt(nil, t.a.db, 10))
	preamble++
	var refused error // what the target said before the first key: then it has taken none
	for len(keys) > 0 {
		window := keys[:min(len(keys), migrateWindow)]
		keys = keys[len(window):]
		from := len(sent)
		for _, key := range window {
			m, payload, ttl, dumpErr := t.dump(key)
			if dumpErr != nil && err == nil {
				err = dumpErr
			}
			if payload == nil {
				continue
			}
			sent = append(sent, m)
			argv := [][]byte{wordRestore, key, strconv.AppendInt(nil, ttl, 10), payload}
			if t.a.replace {
				argv = append(argv, wordReplace)
			}
			t.command(argv...)
		}
		_ = t.conn.SetWriteDeadline(time.Now().Add(t.a.timeout))
		if t.w.Flush() != nil {
			return sent, errMigrateWrite
		}
		for ; preamble > 0; preamble-- {
			said, lost := t.reply()
			if lost != nil {
				return sent, lost
			}
			if refused == nil {
				refused = said
			}
		}
		for i := from; i < len(sent); i++ {
			said, lost := t.reply()
			if lost != nil {
				return sent, lost
			}
			sent[i].there = said == nil && refused == nil
			if err == nil {
				err = cmp.Or(refused, said)
			}
		}
	}
	return sent, err
}

// dump takes a key as it is. There is no payload where the key is gone, or has no
// form that the target would know.
func (t *target) dump(key []byte) (m moving, payload []byte, ttl int64, err error) {
	m = moving{key: key, watch: new(store.Watch)}
	t.c.After(t.c.Tx.With(key, func(tx *store.Tx) {
		e := tx.Find(key)
		if e == nil {
			return
		}
		if payload, err = rdb.Dump(nil, e.Value()); err != nil {
			payload = nil
			return
		}
		if at := e.ExpireAt(); at != 0 {
			ttl = max(at-t.c.Keyspace.Now(), 1)
		}
		tx.Watch(m.watch, key)
	}))
	return m, payload, ttl, err
}

// command writes a command. An error shows when it is flushed.
func (t *target) command(argv ...[]byte) {
	_ = t.conn.SetWriteDeadline(time.Now().Add(t.a.timeout))
	fmt.Fprintf(t.w, "*%d\r\n", len(argv))
	for _, a := range argv {
		fmt.Fprintf(t.w, "$%d\r\n", len(a))
		_, _ = t.w.Write(a)
		_, _ = t.w.WriteString("\r\n")
	}
}

// reply reads one line: said is an error of the target's.
func (t *target) reply() (said, lost error) {
	_ = t.conn.SetReadDeadline(time.Now().Add(t.a.timeout))
	line, err := t.r.ReadSlice('\n')
	if err != nil {
		return nil, errMigrateRead
	}
	if line[0] == '-' {
		return resp.Error("ERR Target instance replied with error: " + string(bytes.TrimRight(line[1:], "\r\n"))), nil
	}
	return nil, nil
}
