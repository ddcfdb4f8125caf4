package command

import (
	"math"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
)

// Wait says what a command that has found nothing waits for. See package blocking.
type Wait struct {
	Keys    [][]byte  // as they are named by the command, in its order
	Type    object.ID // of the value that ends the wait
	Gone    bool      // a key that goes or becomes another type ends it too
	Share   []byte    // where one finds nothing at a key, no other of the same Share does; empty for those who find by themselves
	Timeout int64     // ms, 0 = for ever
	Again   int64     // ms after which there may be something though nothing has changed, 0 = never
	Args    [][]byte  // run again with these arguments, the name first; nil for the command's own
}

// MayBlock reports whether Block may be called: in EXEC, in scripts and while
// the log is loaded nothing waits, and the handler answers as after a timeout.
func (c *Ctx) MayBlock() bool { return c.guest != nil || !c.InExec && c.S.MayBlock() }

// Block makes the client wait; the handler returns its result and writes no
// reply. The command is run again when there may be something for it.
func (c *Ctx) Block(wait Wait) error {
	if c.guest != nil {
		c.guest.again = true
		c.guest.waiter.Again = duration(wait.Again)
		return nil
	}
	w := &blocking.Waiter{
		Session: c.S, DB: c.Tx.DB, Type: wait.Type, Gone: wait.Gone, Share: string(wait.Share),
		Keys: make([]string, 0, len(wait.Keys)),
		Mute: c.S.Reply == session.ReplyOff || c.S.Reply == session.ReplySkip,
	}
	known := make(map[string]struct{}, len(wait.Keys))
	for _, k := range wait.Keys {
		if _, ok := known[string(k)]; !ok {
			name := string(k)
			known[name] = struct{}{}
			w.Keys = append(w.Keys, name)
		}
	}
	c.Spec.Keys.Each(c.Args, func(key []byte) {
		w.Shards.Add(key)
		if _, waits := known[string(key)]; !waits {
			w.Shards.AddAll() // it may write there, and so wake others
		}
	})
	w.Timeout, w.Again = duration(wait.Timeout), duration(wait.Again)
	if wait.Args == nil {
		wait.Args = c.Args
	}
	w.Args = CopyArgs(wait.Args)
	n := 0
	for _, a := range w.Args {
		n += len(a)
	}
	c.S.Waiting.Store(int64(n))
	c.wait()
	c.Blocking.Add(w)
	return nil
}

// BlockUntil makes the client wait for something that is no key. begin is told how to
// end the wait, and returns what is called when it is over, also by its timeout
// (ms, 0 = for ever), by CLIENT UNBLOCK or because the client is gone. reply is the answer
// in any case but the last.
func (c *Ctx) BlockUntil(timeout int64, reply func(*resp.Writer), begin func(end func()) (stop func())) {
	c.blockUntil(&blocking.Waiter{Timeout: duration(timeout), Reply: reply}, begin)
}

// BlockFirmly is BlockUntil without a timeout, and CLIENT UNBLOCK does not end it.
func (c *Ctx) BlockFirmly(reply func(*resp.Writer), begin func(end func()) (stop func())) {
	c.blockUntil(&blocking.Waiter{Firm: true, Reply: reply}, begin)
}

func (c *Ctx) blockUntil(w *blocking.Waiter, begin func(end func()) (stop func())) {
	w.Session, w.DB = c.S, c.Tx.DB
	w.Mute = c.S.Reply == session.ReplyOff || c.S.Reply == session.ReplySkip
	c.wait()
	c.Blocking.Add(w)
	w.Then(begin(func() { c.Blocking.End(w, blocking.TimedOut) }))
}

// wait makes the client one that waits, which all can see. Monitors are shown its command first, or that of somebody who
// has seen it wait might come before.
func (c *Ctx) wait() {
	c.shown = c.monitor(c.Spec, c.Args)
	c.S.Block()
}

// duration is a time to wait, 0 where it is beyond what a timer can be set for,
// about 290 years.
func duration(ms int64) time.Duration {
	if ms > int64(math.MaxInt64/time.Millisecond) {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// CopyArgs copies arguments into memory of their own.
func CopyArgs(argv [][]byte) [][]byte {
	n := 0
	for _, a := range argv {
		n += len(a)
	}
	all := make([]byte, 0, n)
	cp := make([][]byte, len(argv))
	for i, a := range argv {
		all = append(all, a...)
		cp[i] = all[len(all)-len(a) : len(all) : len(all)]
	}
	return cp
}

// Lock locks the shards of set, those of keys, and those that clients need who
// wait for one of the keys. The Tx must be open and hold nothing. Where a script
// that takes long holds one, Lock holds none and fails.
func (c *Ctx) Lock(set store.LockSet, keys func(f func(key []byte))) error {
	keys(set.Add)
	for tries := 0; ; tries++ {
		if c.Blocking.Wide() {
			keys(func(key []byte) { c.Blocking.Widen(key, &set) })
		}
		if tries == lockTries {
			set.AddAll()
		}
		if err := c.Tx.TryLock(&set); err != nil {
			return err
		}
		// From here on nobody can begin to wait for the keys; before, they could.
		need := set
		if c.Blocking.Wide() {
			keys(func(key []byte) { c.Blocking.Widen(key, &need) })
		}
		if need == set {
			return nil
		}
		c.Tx.End()
		c.Begin()
		set = need
	}
}

// lockTries is how often Lock looks before it takes everything.
const lockTries = 3

// guest is a client whose command is run again in the Tx of another's.
type guest struct {
	out    resp.Writer
	waiter *blocking.Waiter
	again  bool // it has found nothing
}

// wake serves the clients that wait for what the Tx has changed. It returns the
// keys that need shards which are not held: they are for serveLate, after End.
func (c *Ctx) wake() (late []blocking.Key) {
	if c.Blocking.Len() == 0 {
		return nil
	}
	changes := c.Tx.Changes()
	ready := c.Blocking.Ready(changes, nil)
	if len(ready) > 0 {
		late = c.serve(ready, len(changes))
	}
	c.Tx.Served()
	return late
}

// serveLate serves clients in a Tx of its own, which holds all shards.
func (c *Ctx) serveLate(ready []blocking.Key) {
	c.Begin()
	var set store.LockSet
	set.AddAll()
	c.Tx.Lock(&set)
	c.serve(ready, 0)
	c.Tx.Served()
	c.After(c.Tx.End())
}

// ServeLate serves the clients that wait for keys, on nobody's behalf. No shard
// may be held.
func (e *Env) ServeLate(keys []blocking.Key) {
	c := &Ctx{Env: e, S: &session.Session{}}
	c.serveLate(keys)
	c.Settle()
}

// serve serves the clients that wait for keys, and for what serving them changes.
// seen is how many changes of the Tx have been asked about already: asked twice,
// one that serves nobody would be ready for ever.
func (c *Ctx) serve(ready []blocking.Key, seen int) (late []blocking.Key) {
	s, w, spec, args := c.S, c.W, c.Spec, c.Args // which the guests change
	c.guest, c.InExec = new(guest), true
	defer func() {
		c.S, c.W, c.Spec, c.Args = s, w, spec, args
		c.guest, c.InExec = nil, false
		c.Blocking.Forget(ready) // after a panic; else there are none
	}()
	more := func() {
		changes := c.Tx.Changes()
		ready = c.Blocking.Ready(changes[seen:], ready)
		seen = len(changes)
	}
	var key []byte
	look := func() (object.ID, bool) {
		c.Tx.DB = ready[0].DB
		e := c.Tx.Peek(key)
		if e == nil {
			return 0, false
		}
		return e.Type().ID, true
	}
	for len(ready) > 0 {
		key = append(key[:0], ready[0].Name...)
		run := func(w *blocking.Waiter) ([]byte, bool) {
			// What has changed up to here is another client's commit.
			more()
			c.Tx.Served()
			c.pending = append(c.pending, c.Tx.Next(w.DB, w.Session.ID)...)
			seen = 0
			return c.runGuest(w)
		}
		if !c.Blocking.Serve(ready[0], look, c.Tx.HoldsSet, run) {
			late = append(late, ready[0])
		}
		ready = ready[1:]
		more()
	}
	return late
}

// runGuest runs a waiter's command. It returns the reply, or false where the
// client has to go on waiting.
func (c *Ctx) runGuest(w *blocking.Waiter) (reply []byte, served bool) {
	g := c.guest
	g.out.Reset()
	g.out.SetProto(int(w.Session.Proto.Load()))
	g.again, g.waiter = false, w
	c.S, c.W = w.Session, &g.out
	if err := c.Run(c.Table.Find(w.Args[0]), w.Args); err != nil {
		g.out.Error(resp.ErrorText(err))
	}
	return g.out.Bytes(), !g.again
}
