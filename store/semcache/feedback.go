package semcache

import (
	"bytes"
	"math"
	"strconv"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

// What an answer that was right or wrong moves, in log odds: the entry itself, its
// neighbours by how near they are, and the namespace by a little.
const (
	goodShift = 0.5
	badShift  = -1.0 // a wrong answer costs more than a miss
	maxShift  = 4
	nearBy    = 0.80 // from what cosine on an entry is a neighbour
	// biasStep is the step of Gibbs and Candès, "Adaptive Conformal Inference Under
	// Distribution Shift" (2021): by step*(MAXWRONG-wrong) a namespace drifts to where
	// the share of wrong answers, of those that feedback is about, is MAXWRONG,
	// whatever the prompts are.
	biasStep    = 0.1
	maxBias     = 6
	maxVerdicts = 32 // prompts that an entry remembers as confirmed, and as refused
)

// Feedback says whether the answer of an entry was right, for the prompt if one is
// given: that prompt is never answered by it again, or always.
func (n *Namespace) Feedback(call *Call, id string, good bool, prompt []byte) error {
	key := []byte(n.prefix + id)
	var vector, partition, about []byte
	field, shift, name, count := fieldVector, goodShift, fieldAccepted, fieldGood
	if !good {
		shift, name, count = badShift, fieldRefused, fieldBad
	}
	found := false
	call.with(key, func(tx *store.Tx) {
		e := tx.Peek(key)
		h, ok := hashOf(e)
		if !ok {
			return
		}
		found = true
		var v []byte
		field, v = standing(h)
		vector = bytes.Clone(v)
		v, _ = h.GetString(fieldPartition)
		partition = bytes.Clone(v)
		pairs := [][]byte{[]byte(count), strconv.AppendInt(nil, intField(h, count)+1, 10)}
		pairs = shifted(pairs, h, shift)
		if prompt != nil {
			about = n.idIn(partition, prompt)
			for _, f := range [2]string{fieldAccepted, fieldRefused} {
				if l, ok := h.GetString(f); ok || f == name {
					pairs = append(pairs, []byte(f), verdicts(l, about, f == name))
				}
			}
		}
		n.update(tx, e, h, key, pairs, !good)
	})
	if !found {
		return ErrNotFound
	}
	if good && prompt != nil {
		n.copies.confirm(string(key), string(about))
	}
	wrong := 0.0
	if good {
		n.stats.good.Add(1)
	} else {
		n.stats.bad.Add(1)
		wrong = 1
	}
	call.Settle()
	n.shiftNear(call, string(key), field, vector, partition, shift)
	n.drift(call, biasStep*(n.MaxWrong-wrong), good)
	return nil
}

// idIn is the id of a prompt in a partition.
func (n *Namespace) idIn(partition, prompt []byte) []byte {
	return appendID(nil, n.normalise(bytes.Clone(partition), prompt))
}

// refused reports whether feedback has said that an entry's answer is wrong for the prompt of this id.
func refused(h *hash.Value, id []byte) bool {
	l, ok := h.GetString(fieldRefused)
	return ok && holds(l, id)
}

// verdicts is a list of ids with one more, or without it, the oldest dropped.
func verdicts(list, id []byte, with bool) []byte {
	var l [][]byte
	for _, x := range bytes.Fields(list) {
		if !bytes.Equal(x, id) {
			l = append(l, x)
		}
	}
	if with {
		l = append(l, id)
	}
	return bytes.Join(l[max(0, len(l)-maxVerdicts):], []byte(" "))
}

func shifted(pairs [][]byte, h *hash.Value, by float64) [][]byte {
	s := max(-maxShift, min(maxShift, floatField(h, fieldShift)+by))
	return append(pairs, []byte(fieldShift), strconv.AppendFloat(nil, s, 'f', 3, 64))
}

// update sets fields of an entry. Only where its answers may be others now, those
// who keep copies hear of it.
func (n *Namespace) update(tx *store.Tx, e *store.Entry, h *hash.Value, key []byte, pairs [][]byte, tell bool) {
	h.SetPairs(pairs)
	if tell {
		tx.Changed(e, store.ClassHash, "hset")
	} else {
		tx.ChangedQuietly(e, store.ClassHash, "hset")
	}
	tx.Effect(append([][]byte{[]byte("HSET"), key}, pairs...)...)
}

// shiftNear moves the entries around one, by how near they are.
func (n *Namespace) shiftNear(call *Call, key, field string, vector, partition []byte, shift float64) {
	if len(vector) != 4*n.Dim {
		return
	}
	q := query.Query{
		Root: &query.Node{Kind: query.Tag, Field: fieldPartition, Values: []query.Value{{Kind: query.Term, Text: string(partition)}}},
		KNN:  &query.KNN{Field: field, K: neighbours, Blob: vector, As: distance},
	}
	r, err := n.search().Search(&q, search.Options{Num: neighbours, Now: call.Tx.Now})
	if err != nil { // dropped meanwhile
		return
	}
	defer r.Release()
	for i := range r.Rows {
		d, ok := r.Distance(i, 0)
		near := (1 - d - nearBy) / (1 - nearBy)
		if !ok || near <= 0 || r.Rows[i].Name == key {
			continue
		}
		k := []byte(r.Rows[i].Name)
		call.with(k, func(tx *store.Tx) {
			e := tx.Peek(k)
			if h, ok := hashOf(e); ok {
				n.update(tx, e, h, k, shifted(nil, h, shift*near/2), shift < 0)
			}
		})
	}
}

// drift moves the namespace's bias. It is kept under the key that is the index's name.
func (n *Namespace) drift(call *Call, by float64, good bool) {
	key := []byte(indexName(n.Name))
	call.with(key, func(tx *store.Tx) {
		h, _ := hashOf(tx.Peek(key))
		if h == nil {
			h = hash.New()
		}
		count := fieldBad
		if good {
			count = fieldGood
		}
		bias := max(-maxBias, min(0, floatField(h, fieldBias)+by))
		n.note(tx, [][]byte{
			[]byte(count), strconv.AppendInt(nil, intField(h, count)+1, 10),
			[]byte(fieldBias), strconv.AppendFloat(nil, bias, 'f', 4, 64),
		}, true)
	})
}

// note sets figures of the namespace, with the shard held; tell as in update.
func (n *Namespace) note(tx *store.Tx, pairs [][]byte, tell bool) {
	key := []byte(indexName(n.Name))
	e := tx.Peek(key)
	h, ok := hashOf(e)
	if e != nil && !ok {
		return // somebody's own key
	}
	if e == nil {
		h = hash.New()
		h.SetPairs(pairs)
		e = tx.Put(key, h, false)
	}
	n.update(tx, e, h, key, pairs, tell)
}

const fieldBias = "bias"

// learned follows the key of a namespace's figures.
func (c *Cache) learned(name string, h *hash.Value) {
	ix, err := c.cat.Get(indexName(name))
	if err != nil {
		return
	}
	n, ok := ix.Owner.(*Namespace)
	if !ok {
		return
	}
	bias := 0.0
	if h != nil {
		if !c.side.isLoaded() || c.ks.Follows() {
			n.stats.know(h)
		}
		bias = max(-maxBias, min(0, floatField(h, fieldBias)))
	}
	n.bias.Store(math.Float64bits(bias))
	n.doubts.know(h)
	n.review()
}

func (n *Namespace) learnedBias() float64 { return math.Float64frombits(n.bias.Load()) }
