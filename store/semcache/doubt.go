package semcache

import (
	"math"
	"strconv"
	"sync"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache/judge"
	"github.com/nearcache/nearcache/store/types/hash"
)

// doubts is what a namespace learns of its own misses: the answer that is stored after a miss
// is the answer that the likeliest entry had, or another, see judge.Doubt. That costs no
// search: what was judged for the miss is kept until the answer comes.
type doubts struct {
	mu struct {
		sync.Mutex
		doubt  judge.Doubt
		kept   float64          // as it is written
		misses map[string]check // by the prompt's key
	}
}

// check is the likeliest entry of a miss.
type check struct {
	answer     string // its answer's id
	confidence float64
}

const (
	// maxChecks bounds the misses that wait for their answers; when there are more, whoever
	// stores answers does not ask for them first, or not here.
	maxChecks = 1024
	// doubtKept is by how much a doubt has to move to be written.
	doubtKept  = 0.5
	fieldDoubt = "doubt"
)

func (d *doubts) logOdds() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.doubt.LogOdds()
}

// missed remembers what a prompt was not served, if answers can be told apart among the candidates.
func (n *Namespace) missed(key []byte, l []Candidate) {
	if n.Guard == Off || !answersRepeat(l) {
		return
	}
	best := -1
	for i := range l[:min(len(l), judge.MaxJudged)] {
		if x := &l[i]; x.verdict == 0 && x.Key != string(key) && (best < 0 || x.Confidence > l[best].Confidence) {
			best = i
		}
	}
	d := &n.doubts
	d.mu.Lock()
	defer d.mu.Unlock()
	if best < 0 || !d.mu.doubt.Counts(l[best].Confidence) {
		delete(d.mu.misses, string(key))
		return
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
	d.mu.misses[string(key)] = check{l[best].answer, l[best].Confidence}
}

// answered compares an answer that is stored with what the miss before it might have been
// served. The shard is held.
func (n *Namespace) answered(tx *store.Tx, key []byte, answer string) {
	d := &n.doubts
	d.mu.Lock()
	c, ok := d.mu.misses[string(key)]
	if !ok {
		d.mu.Unlock()
		return
	}
	delete(d.mu.misses, string(key))
	d.mu.doubt = d.mu.doubt.Seen(c.confidence, c.answer == answer)
	now := math.Round(d.mu.doubt.LogOdds()*1e4) / 1e4
	keep := math.Abs(now-d.mu.kept) >= doubtKept
	if keep {
		d.mu.kept = now
	}
	d.mu.Unlock()
	if keep {
		n.note(tx, [][]byte{[]byte(fieldDoubt), strconv.AppendFloat(nil, now, 'f', 4, 64)}, false)
	}
}

// know takes over what was written, when a log or a snapshot is loaded, or by another server.
func (d *doubts) know(h *hash.Value) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h == nil {
		return
	}
	v, ok := h.GetString(fieldDoubt)
	if !ok {
		return
	}
	x, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsNaN(x) || x == d.mu.kept {
		return
	}
	d.mu.doubt = judge.DoubtOf(x)
	d.mu.kept = x
}
