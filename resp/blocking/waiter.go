package blocking

import (
	"slices"
	"sync"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
)

// Waiter is a client that waits for keys. Its exported fields are set before
// Table.Add and not changed after.
type Waiter struct {
	Session *session.Session
	DB      int
	Keys    []string      // each once, in the order of the arguments
	Type    object.ID     // of the value it waits for
	Gone    bool          // a key that goes or becomes another type ends the wait too
	Share   string        // where one finds nothing, no other of the same Share does; see command.Wait
	Args    [][]byte      // of the command that is run again, its name first
	Shards  store.LockSet // of all the keys of the command
	Timeout time.Duration // 0 = for ever
	Again   time.Duration // look again after this time though nothing has changed; 0 = never. Set anew by each run
	Mute    bool          // CLIENT REPLY wants no reply
	Firm    bool          // CLIENT UNBLOCK, and a change of the server's role, do not end it

	Reply func(*resp.Writer) // the answer after Timeout; nil for the null array

	nodes []node      // its places in the queues of Keys; guarded by Table.mu
	timer *time.Timer // of Timeout
	again *time.Timer // of Again
	mu    struct {
		sync.Mutex
		done bool
		then func() // called at the end
	}
}

// Then has stop called when the wait is over, which may be at once.
func (w *Waiter) Then(stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.done {
		stop()
		return
	}
	w.mu.then = stop
}

// endLocked ends the wait, and reports whether it was still on.
func (w *Waiter) endLocked(t *Table) bool {
	if w.mu.done {
		return false
	}
	w.mu.done = true
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.again != nil {
		w.again.Stop()
	}
	t.unlink(w)
	if w.mu.then != nil {
		w.mu.then()
	}
	return true
}

// resume sends the reply and lets the session go on.
func (w *Waiter) resume(reply []byte) {
	if w.Mute {
		reply = nil
	}
	w.Session.Resume(reply)
}

// wide reports whether serving the waiter may take more shards than that of one key.
func (w *Waiter) wide() bool {
	n := 0
	for _, m := range w.Shards {
		for ; m != 0; m &= m - 1 {
			n++
		}
	}
	return n > 1
}

// Add makes w wait. The shards of its keys must be held, and its session be
// blocked already.
func (t *Table) Add(w *Waiter) {
	t.link(w)
	if w.Timeout == 0 && w.Again == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.done {
		return
	}
	if w.Timeout > 0 {
		w.timer = time.AfterFunc(w.Timeout, func() { t.End(w, TimedOut) })
	}
	t.lookAgainLocked(w)
}

// lookAgainLocked sets the timer of Again.
func (t *Table) lookAgainLocked(w *Waiter) {
	switch {
	case w.again != nil:
		w.again.Stop()
		if w.Again > 0 {
			w.again.Reset(w.Again)
		}
	case w.Again > 0:
		w.again = time.AfterFunc(w.Again, func() { t.look(w) })
	}
}

// Outcome is how a wait ends that is not served.
type Outcome uint8

// The outcomes.
const (
	TimedOut  Outcome = iota // the null array
	Unblocked                // CLIENT UNBLOCK ERROR
	Demoted                  // the server has become a replica
	HungUp                   // no reply: the client is gone
)

const (
	errUnblocked resp.Error = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
	errDemoted   resp.Error = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)

// End ends the wait of w, and reports whether it was still on.
func (t *Table) End(w *Waiter, how Outcome) bool {
	w.mu.Lock()
	ended := w.endLocked(t)
	w.mu.Unlock()
	if !ended || how == HungUp {
		return ended
	}
	var reply resp.Writer
	reply.SetProto(int(w.Session.Proto.Load()))
	switch {
	case how == Unblocked:
		reply.Error(string(errUnblocked))
	case how == Demoted:
		reply.Error(string(errDemoted))
	case w.Reply != nil:
		w.Reply(&reply)
	default:
		reply.NullArray()
	}
	w.resume(reply.Bytes())
	return true
}

// Release ends the wait of a session, if it waits, and reports whether it did.
func (t *Table) Release(s *session.Session, how Outcome) bool {
	t.mu.Lock()
	w := t.mu.bySession[s]
	t.mu.Unlock()
	return w != nil && (!w.Firm || how == HungUp) && t.End(w, how)
}

// Serve runs the commands of the clients that wait for k, one after the other,
// as long as it has a value of their type. look says what k holds now; run runs
// one command again and returns its reply, or false where the client has to go
// on waiting. The key's shard must be held. Serve returns false where it has met
// a waiter that needs shards that are not held: the rest is for a later call.
func (t *Table) Serve(k Key, look func() (kind object.ID, exists bool), holds func(*store.LockSet) bool,
	run func(*Waiter) (reply []byte, served bool),
) bool {
	t.mu.Lock()
	s := t.mu.spots[k]
	var queues []*queue
	if s != nil {
		s.ready = false
		queues = slices.Clone(s.queues)
	}
	t.mu.Unlock()
	for _, q := range queues {
		t.mu.Lock()
		n := q.n
		t.mu.Unlock()
		var nothing []string // the shares of those who have found nothing
		// No more than waited when it began: those that go on waiting come again.
		for ; n > 0; n-- {
			kind, exists := look()
			if !q.gone && !(exists && kind == q.kind) {
				break
			}
			w := t.head(q)
			if w == nil {
				break
			}
			if !holds(&w.Shards) {
				return false
			}
			if slices.Contains(nothing, w.Share) {
				t.pass(w)
			} else if !t.serve(w, run) && w.Share != "" {
				nothing = append(nothing, w.Share)
			}
		}
	}
	return true
}

// pass lets w go on waiting without running its command.
func (t *Table) pass(w *Waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mu.done {
		t.requeue(w)
	}
}

// serve runs the command of w again, and reports whether its wait is over.
func (t *Table) serve(w *Waiter, run func(*Waiter) ([]byte, bool)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.done { // timed out just now
		return true
	}
	ran := false
	defer func() {
		if !ran { // the command has panicked: its client must not wait for ever
			w.endLocked(t)
			w.Session.Kill()
		}
	}()
	reply, served := run(w)
	ran = true
	if !served {
		t.requeue(w)
		t.lookAgainLocked(w)
		return false
	}
	w.endLocked(t)
	w.resume(reply)
	return true
}
