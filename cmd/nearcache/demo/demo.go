package demo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/resp/client"
)

// Options says what Run does. The zero value of all but Addr is the default.
type Options struct {
	Addr      string  // of the server
	Data      string  // folder of the data sets; empty: datasets.Dir
	Threshold float64 // widest cosine distance that is a hit; 0 means 0.2
	Questions int     // how many new questions are asked; 0 means all 3,080
	Stored    int     // how many prompts are stored; 0 means all 10,003

	Progress io.Writer // nil: none
	Terminal bool      // Progress is one: a bar instead of lines

	patience time.Duration // with invalidations that do not come; 0 means 30 s
}

// index is the name that RedisVL's SemanticCache takes by default, for the
// index and as the prefix of keys.
const index = "llmcache"

// entry is a cached prompt.
type entry struct {
	id     string // SHA-256 of the prompt, as RedisVL makes it
	key    string
	prompt string
	answer string
	vector []float32
}

// question is what a customer asks; answer is what would be right.
type question struct {
	prompt string
	answer string
	vector []float32
}

// Run shows all parts on the server at o.Addr.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Threshold == 0 {
		o.Threshold = 0.2
	}
	if !(o.Threshold > 0 && o.Threshold <= 2) {
		return nil, fmt.Errorf("threshold %v: a cosine distance is from 0 to 2", o.Threshold)
	}
	entries, questions, dim, err := load(o)
	if err != nil {
		return nil, err
	}
	r := &Report{Addr: o.Addr, Threshold: o.Threshold, Dim: dim}
	d := &demo{o: o, r: r, p: progress{w: o.Progress, bar: o.Terminal}}
	if d.c, err = client.Dial(ctx, o.Addr, client.Options{Name: "demo"}); err != nil {
		return nil, err
	}
	defer d.c.Close()
	for _, step := range []func(context.Context, []entry, []question) error{d.store, d.ask, d.repeat, d.invalidate} {
		if err := step(ctx, entries, questions); err != nil {
			return nil, err
		}
	}
	return r, nil
}

type demo struct {
	o Options
	r *Report
	p progress
	c *client.Conn
}

// load makes entries of the train split and questions of the test split. The
// file is sorted by intent; a part of it is taken evenly.
func load(o Options) (entries []entry, questions []question, dim int, err error) {
	m, err := datasets.Open(o.Data)
	if err != nil {
		return nil, nil, 0, err
	}
	rows, err := m.Banking77()
	if err != nil {
		return nil, nil, 0, err
	}
	vectors, err := m.MiniLM()
	if err != nil {
		return nil, nil, 0, err
	}
	for i, q := range rows {
		if q.Split == "test" {
			questions = append(questions, question{prompt: q.Text, answer: q.Intent, vector: vectors.Row(i)})
			continue
		}
		sum := sha256.Sum256([]byte(q.Text))
		id := hex.EncodeToString(sum[:])
		entries = append(entries, entry{id: id, key: index + ":" + id, prompt: q.Text, answer: q.Intent, vector: vectors.Row(i)})
	}
	return spread(entries, o.Stored), spread(questions, o.Questions), vectors.Dim, nil
}

// spread takes n of all, evenly; 0 or too many means all.
func spread[T any](all []T, n int) []T {
	if n <= 0 || n >= len(all) {
		return all
	}
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

// entryLife is the TTL of an entry; RedisVL sets it by an EXPIRE of its own.
const entryLife = 3600

// store creates the index as SemanticCache does and fills it.
func (d *demo) store(ctx context.Context, entries []entry, _ []question) error {
	_, err := d.c.Do("FT.CREATE", index, "ON", "HASH", "PREFIX", "1", index, "SCORE", "1.0", "SCHEMA",
		"prompt", "TEXT", "WEIGHT", "1", "response", "TEXT", "WEIGHT", "1", "inserted_at", "NUMERIC", "updated_at", "NUMERIC",
		"prompt_vector", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32", "DIM", d.r.Dim, "DISTANCE_METRIC", "COSINE")
	if err != nil {
		return fmt.Errorf("create the index: %w", err)
	}
	d.p.begin("storing prompts", len(entries))
	start := time.Now()
	p := d.c.Pipeline()
	for i, e := range entries {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		p.Add("HSET", e.key, "entry_id", e.id, "prompt", e.prompt, "response", e.answer, "prompt_vector", e.vector, "inserted_at", now, "updated_at", now)
		p.Add("EXPIRE", e.key, entryLife)
		if p.Len() >= 100 || i == len(entries)-1 {
			if err := run(ctx, p); err != nil {
				return fmt.Errorf("store prompts: %w", err)
			}
			d.p.step(i+1, "")
		}
	}
	d.r.Stored, d.r.StoreTime = len(entries), time.Since(start)
	d.p.end()
	return nil
}

// run sends a pipeline in which nothing may fail.
func run(ctx context.Context, p *client.Pipeline) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	replies, err := p.Run()
	if err != nil {
		return err
	}
	for _, v := range replies {
		if err := v.Err(); err != nil {
			return err
		}
	}
	return nil
}

// hit is an answer that the semantic look-up gave.
type hit struct {
	key      string
	answer   string
	distance float64
}

const rangeQuery = "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance}"

// lookup asks for the nearest prompt within the threshold, as SemanticCache
// does; found is false when there is none.
func (d *demo) lookup(vector []float32) (h hit, found bool, err error) {
	v, err := d.c.Do("FT.SEARCH", index, rangeQuery,
		"RETURN", "7", "entry_id", "prompt", "response", "inserted_at", "updated_at", "metadata", "vector_distance",
		"SORTBY", "vector_distance", "ASC", "DIALECT", "2", "LIMIT", "0", "1",
		"PARAMS", "4", "vector", vector, "distance_threshold", d.o.Threshold)
	if err != nil {
		return hit{}, false, fmt.Errorf("look up: %w", err)
	}
	results, ok := v.Get("results")
	if !ok {
		return hit{}, false, fmt.Errorf("look up: no results in %v", v)
	}
	if len(results.Elems) == 0 {
		return hit{}, false, nil
	}
	doc := results.Elems[0]
	id, ok1 := doc.Get("id")
	fields, ok2 := doc.Get("extra_attributes")
	answer, ok3 := fields.Get("response")
	distance, ok4 := fields.Get("vector_distance")
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return hit{}, false, fmt.Errorf("look up: a result without id, response or vector_distance: %v", doc)
	}
	h = hit{key: id.Str, answer: answer.Str}
	if h.distance, err = distance.Float(); err != nil {
		return hit{}, false, fmt.Errorf("look up: distance %v: %w", distance, err)
	}
	return h, true, nil
}

// ask replays the new questions.
func (d *demo) ask(ctx context.Context, _ []entry, questions []question) error {
	for _, t := range []float64{0.05, 0.1, 0.15, 0.2} {
		if t < d.o.Threshold {
			d.r.Tallies = append(d.r.Tallies, Tally{Threshold: t})
		}
	}
	d.r.Tallies = append(d.r.Tallies, Tally{Threshold: d.o.Threshold})
	d.p.begin("asking new questions", len(questions))
	for i, q := range questions {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		h, found, err := d.lookup(q.vector)
		if err != nil {
			return err
		}
		d.r.Semantic = append(d.r.Semantic, time.Since(start))
		for k := range d.r.Tallies {
			d.r.Tallies[k].count(found, h, q.answer)
		}
		if t := d.r.Tallies[len(d.r.Tallies)-1]; (i+1)%10 == 0 || i == len(questions)-1 {
			d.p.step(i+1, fmt.Sprintf("%d hits, %d wrong", t.Right+t.Wrong, t.Wrong))
		}
	}
	d.r.Questions = len(questions)
	d.p.end()
	return nil
}

// repeatEvery is which of the stored prompts are asked again.
const repeatEvery = 13

// repeat asks stored prompts letter by letter: by their key, and by meaning,
// where the nearest prompt must be the same one, or one with the same vector.
func (d *demo) repeat(ctx context.Context, entries []entry, _ []question) error {
	n := (len(entries) + repeatEvery - 1) / repeatEvery
	d.p.begin("asking stored prompts again", n)
	for i := 0; i < len(entries); i += repeatEvery {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := entries[i]
		start := time.Now()
		v, err := d.c.Do("HGET", e.key, "response")
		if err != nil {
			return err
		}
		d.r.Exact = append(d.r.Exact, time.Since(start))
		d.r.Repeats++
		if v.Str == e.answer {
			d.r.ExactHits++
		}
		h, found, err := d.lookup(e.vector)
		if err != nil {
			return err
		}
		// float16 data scaled by a float32 length: an equal vector is this near.
		if found && h.distance < 1e-5 {
			d.r.SameByMeaning++
		}
		d.p.step(d.r.Repeats, "")
	}
	d.p.end()
	return nil
}

// nearCache is a client's local copy of answers.
type nearCache struct {
	answers map[string]string
	keys    int // invalidations of a key
	flushes int // invalidations of everything
}

// push takes an invalidation: a list of keys, or null for all.
func (n *nearCache) push(v client.Value) {
	if len(v.Elems) != 2 || v.Elems[0].Str != "invalidate" {
		return
	}
	if v.Elems[1].IsNull() {
		n.flushes++
		clear(n.answers)
		return
	}
	for _, k := range v.Elems[1].Elems {
		n.keys++
		delete(n.answers, k.Str)
	}
}

// trackEvery is which of the stored prompts the tracking client copies, beside
// all whose answers will change.
const trackEvery = 10

// invalidate lets a second client keep copies, then changes, deletes and
// expires the entries of three intents, and looks whether any copy is stale.
func (d *demo) invalidate(ctx context.Context, entries []entry, questions []question) error {
	intents := firstIntents(entries, 3)
	if len(intents) < 3 {
		return errors.New("fewer than three intents are stored")
	}
	changed, deleted, expired := intents[0], intents[1], intents[2]
	near := &nearCache{answers: map[string]string{}}
	tracker, err := client.Dial(ctx, d.o.Addr, client.Options{Name: "demo-near-cache", OnPush: near.push})
	if err != nil {
		return err
	}
	defer tracker.Close()
	if _, err := tracker.Do("CLIENT", "TRACKING", "ON"); err != nil {
		return err
	}
	t := &d.r.Tracking
	var copied []entry
	for i, e := range entries {
		if i%trackEvery == 0 || e.answer == changed || e.answer == deleted || e.answer == expired {
			copied = append(copied, e)
		}
	}
	read := func(e entry) error {
		v, err := tracker.Do("HGET", e.key, "response")
		if err == nil {
			near.answers[e.key] = v.Str
		}
		return err
	}
	d.p.begin("a client keeps copies", len(copied))
	for i, e := range copied {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := read(e); err != nil {
			return err
		}
		d.p.step(i+1, "")
	}
	t.Copies = len(near.answers)
	d.p.end()

	d.p.begin("answers change, go and expire", len(copied))
	const newAnswer = "please call us"
	for _, e := range entries {
		var err error
		switch e.answer {
		case changed:
			t.Changed++
			_, err = d.c.Do("HSET", e.key, "response", newAnswer)
		case deleted:
			t.Deleted++
			_, err = d.c.Do("DEL", e.key)
		case expired:
			t.Expired++
			// Setting the TTL is a change: the copy is dropped and read again,
			// so that it is the expiry that drops it the second time.
			if _, err = d.c.Do("PEXPIRE", e.key, 1000); err == nil {
				err = read(e)
			}
		}
		if err != nil {
			return err
		}
	}
	// Pushes are sent before the replies of what is asked later: once the
	// PING is answered, those of all the changes above have been handed over.
	// Expiry comes in its own time.
	due := func(e entry) bool { return e.answer == changed || e.answer == deleted || e.answer == expired }
	for end := time.Now().Add(cmp.Or(d.o.patience, 30*time.Second)); ; {
		if _, err := tracker.Do("PING"); err != nil {
			return err
		}
		t.Stale = 0
		for _, e := range copied {
			if _, ok := near.answers[e.key]; ok && due(e) {
				t.Stale++
			}
		}
		d.p.step(len(copied)-t.Stale, "")
		if t.Stale == 0 || time.Now().After(end) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Invalidations, t.Flushes = near.keys, near.flushes
	t.Kept = len(near.answers)
	// What is read now, from the copies or else from the server, must be true.
	for _, e := range copied {
		answer, ok := near.answers[e.key]
		if !ok {
			v, err := tracker.Do("HGET", e.key, "response")
			if err != nil {
				return err
			}
			answer = v.Str
		}
		want := e.answer
		switch e.answer {
		case changed:
			want = newAnswer
		case deleted, expired:
			want = ""
		}
		if answer != want {
			t.WrongReads++
		}
	}
	// The index must not find what is gone.
	gone := map[string]bool{}
	for _, e := range entries {
		if e.answer == deleted || e.answer == expired {
			gone[e.key] = true
		}
	}
	for _, q := range questions {
		if q.answer != deleted && q.answer != expired {
			continue
		}
		h, found, err := d.lookup(q.vector)
		if err != nil {
			return err
		}
		t.Lookups++
		if found && gone[h.key] {
			t.Ghosts++
		}
	}
	d.p.end()
	return nil
}

// firstIntents are the first n different answers.
func firstIntents(entries []entry, n int) []string {
	var out []string
	seen := map[string]bool{}
	for _, e := range entries {
		if !seen[e.answer] && len(out) < n {
			seen[e.answer] = true
			out = append(out, e.answer)
		}
	}
	return out
}
