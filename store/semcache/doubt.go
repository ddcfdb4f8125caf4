package semcache

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache/judge"
	"github.com/nearcache/nearcache/store/types/hash"
)

// doubts is what a namespace learns of its own misses: the answer that is stored after a miss
// is the answer that the likeliest entry had, or another, see judge.Here. That costs no
// search: what was judged for the miss is kept until the answer comes.
type doubts struct {
	told atomic.Bool // whether answers can be told apart here, see judge.Here.Told
	mu   struct {
		sync.Mutex
		here   judge.Here
		kept   float64          // the doubt as it is written
		misses map[string]check // by the prompt's key
	}
}

// check is the likeliest entry of a miss.
type check struct {
	answer answer
	odds   float64
}

const (
	// maxChecks bounds the misses that wait for their answers; when there are more, whoever
	// stores answers does not ask for them first, or not here.
	maxChecks = 1024
	// doubtKept is by how much a doubt has to move to be written.
	doubtKept  = 0.5
	fieldDoubt = "doubt"
)

func (d *doubts) begin() {
	d.mu.here = judge.Default().NewHere()
	d.mu.kept = d.lossLocked()
}

// lossLocked is what log odds of 3, a confidence of .95, lose by what was seen here.
func (d *doubts) lossLocked() float64 { return d.mu.here.LogOdds(3) - 3 }

func (d *doubts) loss() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lossLocked()
}

// now is what was learned so far.
func (d *doubts) now() judge.Here {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.here
}

// asked notes the likeliest of the candidates that were judged for a prompt, if answers can be
// told apart here; missed reports whether none is served.
func (n *Namespace) asked(key []byte, l []Candidate, missed bool) {
	if n.Guard == Off {
		return
	}
	apart := doubtful(l)
	if !apart && !n.doubts.told.Load() {
		return
	}
	best := -1
	for i := range l[:min(len(l), judge.MaxJudged)] {
		if x := &l[i]; x.judged && x.verdict == 0 && x.Key != string(key) && (best < 0 || x.Confidence > l[best].Confidence) {
			best = i
		}
	}
	if n.doubts.asked(key, l, best, apart, missed) {
		n.review()
	}
}

// asked reports whether answers can be told apart from now on: what was learned counts then for all.
func (d *doubts) asked(key []byte, l []Candidate, best int, apart, missed bool) (told bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if best >= 0 {
		d.mu.here.Asked(l[best].odds, apart)
		told = d.mu.here.Told() && !d.told.Load()
		d.told.Store(d.mu.here.Told())
	}
	if !missed {
		return told
	}
	// Where answers cannot be told apart around it, that the one that is stored differs says nothing.
	if !apart || best < 0 || !d.mu.here.Counts(l[best].odds) {
		delete(d.mu.misses, string(key))
		return told
	}
	if d.mu.misses == nil {
		d.mu.misses = map[string]check{}
	}
	for k := range d.mu.misses { // any of them
		if len(d.mu.misses) < maxChecks {
			break
		}
		delete(d.mu.misses, k)
	}
	d.mu.misses[string(key)] = check{l[best].answer, l[best].odds}
	return told
}

// answered compares an answer that is stored with what the miss before it might have been
// served. The shard is held.
func (n *Namespace) answered(tx *store.Tx, key []byte, a answer) {
	d := &n.doubts
	d.mu.Lock()
	c, ok := d.mu.misses[string(key)]
	if !ok {
		d.mu.Unlock()
		return
	}
	delete(d.mu.misses, string(key))
	d.mu.here.Checked(c.odds, n.sameAnswer(&c.answer, &a))
	now := d.lossLocked()
	keep := math.Abs(now-d.mu.kept) >= doubtKept
	var text []byte
	if keep {
		d.mu.kept = now
		text = d.mu.here.AppendText(nil)
	}
	d.mu.Unlock()
	if keep {
		n.note(tx, [][]byte{[]byte(fieldDoubt), text}, false)
	}
}

// unwritten is what was learned since it was written last, nil for nothing: it goes with the figures, so that a server that
// ends forgets nothing of it.
func (d *doubts) unwritten() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.lossLocked()
	if now == d.mu.kept {
		return nil
	}
	d.mu.kept = now
	return d.mu.here.AppendText(nil)
}

// know takes over what was written, when a log or a snapshot is loaded, or by another server.
func (d *doubts) know(h *hash.Value) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h == nil {
		return
	}
	v, ok := h.GetString(fieldDoubt)
	if !ok || string(v) == string(d.mu.here.AppendText(nil)) {
		return
	}
	if here, ok := judge.Default().ParseHere(string(v)); ok {
		d.mu.here = here
		d.told.Store(here.Told())
		d.mu.kept = d.lossLocked()
	}
}
