package semcache

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

// Put stores an answer and returns its id. The id is empty, and nothing stored, where the
// entry names a lease that has ended, or if something has changed since the lease
// began that the answer depends on: it may be stale already.
func (n *Namespace) Put(call *Call, e *Entry) (id string, err error) {
	if err := n.checkEntry(e); err != nil {
		return "", err
	}
	vector := e.Vector
	if vector == nil {
		if call.Locked {
			return "", ErrNoEmbedding
		}
		if vector, err = n.Embed(call.Ctx, e.Prompt); err != nil {
			return "", err
		}
		call.now(n.c)
	}
	if err := n.embedAnswer(call, e); err != nil {
		return "", err
	}
	unit := make([]float32, n.Dim)
	if kernel.Decode32(unit, vector); !kernel.Finite32(unit) {
		return "", paramError("the vector holds NaN or infinity")
	}
	p := putting{n: n, e: e, vector: vector}
	said := before{e.Before, e.BeforeVector}
	if said.some() {
		if p.blended, err = n.blend(call, vector, said); err != nil {
			return "", err
		}
	}
	n.locate(&p.place, e.Prompt, e.Scope, e.Context, said)
	call.with(p.key, p.write)
	if p.stale {
		n.stats.stale.Add(1)
		return "", nil
	}
	n.stats.sets.Add(1)
	if p.lease != nil {
		call.Settle()
		n.leases.visible(p.lease)
	}
	if n.MaxEntries > 0 {
		call.Settle()
		n.evict(call, string(p.key))
	}
	return string(p.key[len(n.prefix):]), nil
}

func (n *Namespace) checkEntry(e *Entry) error {
	if err := n.checkScope(e.Prompt, e.Scope, e.Context); err != nil {
		return err
	}
	if err := errors.Join(n.checkVector(e.Vector), n.checkBefore(before{e.Before, e.BeforeVector})); err != nil {
		return err
	}
	if len(e.Tags) > MaxWords || len(e.Deps) > MaxWords {
		return paramErrorf("more than %d tags, or keys of DEPS", MaxWords)
	}
	for _, l := range [][]string{e.Tags, e.Deps, {e.AnswerID, e.Model}} {
		for _, w := range l {
			if err := checkWord(w); err != nil {
				return err
			}
		}
	}
	if !(e.Cost >= 0 && e.Cost <= 1e12) || e.Tokens < 0 || e.Latency < 0 {
		return paramError("a cost must be positive")
	}
	return nil
}

// putting is a Put under way.
type putting struct {
	n *Namespace
	e *Entry
	place
	vector []byte // of the prompt
	blended
	stale bool
	lease *lease
	pairs [][]byte
}

func (p *putting) add(name string, value []byte) {
	if len(value) > 0 {
		p.pairs = append(p.pairs, []byte(name), value)
	}
}

// write stores the entry, with the shard held.
func (p *putting) write(tx *store.Tx) {
	n, e := p.n, p.e
	var x *lease
	if e.Lease != "" {
		n.leases.mu.Lock()
		x = n.leases.findLocked(e.Lease, tx.Now)
		n.leases.mu.Unlock()
		if p.stale = x == nil || n.c.changedSince(e, x.since) || n.c.recent.afterNear(n, p.vector, x.since); p.stale {
			if x != nil {
				n.leases.end(n.c, x)
			}
			return
		}
		if e.Latency == 0 {
			e.Latency = max(1, tx.Now-x.began)
		}
	}
	h := hash.New()
	p.fields(tx.Now)
	h.SetPairs(p.pairs)
	if tx.Peek(p.key) != nil {
		tx.Effect([]byte("DEL"), p.key) // what it had learned is about another answer
	}
	entry := tx.Put(p.key, h, false)
	at := int64(0)
	if px := e.PX; px >= 0 {
		if px == 0 {
			px = n.PX
		}
		if n.MaxAge > 0 && (px == 0 || px > n.MaxAge) {
			px = n.MaxAge
		}
		if px > 0 {
			at = tx.Now + px
		}
	} else if n.MaxAge > 0 {
		at = tx.Now + n.MaxAge
	}
	tx.SetExpire(entry, at)
	if ms := int64(e.Latency); ms > 0 {
		tx.SetCost(entry, ms)
	}
	tx.Changed(entry, store.ClassHash, "hset")
	tx.Effect(append([][]byte{[]byte("HSET"), p.key}, p.pairs...)...)
	if at > 0 {
		tx.Effect([]byte("PEXPIREAT"), p.key, strconv.AppendInt(nil, at, 10))
	}
	if x != nil {
		n.leases.fulfil(n.c, x, string(p.key))
		p.lease = x
	}
	n.answered(tx, p.key, answer{p.answer(), unitOf(e.AnswerVector, n.Dim)})
	n.writeFigures(tx, figuresEvery)
}

// fields are those of the hash.
func (p *putting) fields(now int64) {
	e := p.e
	at := strconv.AppendFloat(nil, float64(now)/1000, 'f', 3, 64)
	p.add(fieldPartition, p.partition)
	p.add(fieldInserted, at)
	p.add(fieldUpdated, at)
	p.pairs = append(p.pairs, []byte(fieldPrompt), nonNil(e.Prompt), []byte(fieldAnswer), nonNil(e.Answer))
	p.add(fieldVector, p.vector)
	p.add(fieldAnswerID, []byte(p.answer()))
	if p.between != nil {
		p.add(fieldBeforeVector, p.before)
		p.add(fieldBefore, e.Before)
		p.add(fieldBetween, p.between)
	}
	p.add(fieldAnswerVector, e.AnswerVector)
	p.add(fieldContext, []byte(e.Context))
	p.add(fieldModel, []byte(e.model()))
	p.add(fieldScope, joined(words(e.Scope)))
	p.add(fieldTags, joined(e.Tags))
	p.add(fieldDeps, joined(e.Deps))
	if e.Cost > 0 {
		p.add(fieldCost, strconv.AppendFloat(nil, e.Cost, 'g', -1, 64))
	}
	if e.Tokens > 0 {
		p.add(fieldTokens, strconv.AppendInt(nil, e.Tokens, 10))
	}
	if e.Latency > 0 {
		p.add(fieldLatency, strconv.AppendInt(nil, e.Latency, 10))
	}
}

// model is the one that has made the answer: where the entry does not say, its scope may.
func (e *Entry) model() string {
	if e.Model == "" {
		for _, s := range e.Scope {
			if s.Field == "model" {
				return s.Value
			}
		}
	}
	return e.Model
}

// answer tells the answer from others.
func (p *putting) answer() string {
	if id := p.e.AnswerID; id != "" && p.n.Answers != ByText {
		return id
	}
	return answerHash(p.e.Answer)
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func joined(l []string) []byte { return []byte(strings.Join(l, string(separator))) }

// changedSince reports whether something that the entry depends on has changed
// behind a time.
func (c *Cache) changedSince(e *Entry, since uint64) bool {
	return c.recent.after(changedKey, e.Deps, since) || c.recent.after(byTag, e.Tags, since) ||
		c.recent.after(byModel, []string{e.model()}, since) || c.recent.after(byScope, words(e.Scope), since)
}

// Of how many entries the one that goes is chosen, and how many may go at once.
const (
	evictSample = 16
	evictAtOnce = 32
)

// evict removes entries until there are no more than MaxEntries. The one that was
// just stored stays.
func (n *Namespace) evict(call *Call, keep string) {
	for range evictAtOnce {
		if n.Len() <= n.MaxEntries {
			return
		}
		victim := n.c.side.worst(n.search().Sample(evictSample, rand.IntN), keep, n.Evict, call.Tx.Now)
		if victim == "" {
			return
		}
		if call.remove([]byte(victim), nil) {
			n.stats.evicted.Add(1)
		}
		call.Settle()
	}
}

// worst is the key that the policy would rather do without.
func (s *sides) worst(keys []string, keep string, by Evict, now int64) (worst string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	least := 0.0
	for _, k := range keys {
		if k == keep {
			continue
		}
		worth := -1.0 // nothing is known of it
		if x := s.mu.of[k]; x != nil {
			switch by {
			case LRU:
				worth = float64(x.last)
			case LFU:
				// A hit counts half after an hour, so that what was popular once goes.
				worth = float64(x.hits+1) / (1 + float64(now-x.last)/3.6e6)
			case ByCost:
				saves := x.cost + float64(x.latency)*1e-6 + 1e-9 // a second of waiting is taken for a tenth of a cent
				worth = saves * float64(x.hits+1) / float64(max(1, x.size)) / (1 + float64(now-x.last)/3.6e6)
			}
		}
		if worst == "" || worth < least {
			worst, least = k, worth
		}
	}
	return worst
}
