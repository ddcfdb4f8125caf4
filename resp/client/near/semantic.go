package near

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// Semantic is a namespace of the server's semantic cache (SEM.*), with the answers that
// this process has seen kept near: the second time a prompt is asked there is no
// round trip, and nothing to embed. The server tells when an answer dies, and when one comes
// that is nearer to the prompt.
type Semantic struct {
	c      *Client
	ns     string
	prefix string // of the pseudo-keys that answers die with
	o      SemanticOptions
}

// SemanticOptions of a [Semantic]. The zero value works where the namespace embeds by itself.
type SemanticOptions struct {
	// Embed makes the vector of a prompt, or of what came before it. It is called only where
	// the very prompt is not known to the server; nil lets the server embed.
	Embed func(ctx context.Context, prompt string) ([]float32, error)
	// Scope holds fields and values in turn: who shares answers. It is part of every question.
	Scope []string
	// Lease is after how long another may begin where the client that computes has died; 0 means 30
	// seconds. It is renewed while a computation runs, for ten minutes at most.
	Lease time.Duration
}

// Prompt is a question. [Conversation] makes it from messages.
type Prompt struct {
	Text    string
	Context string    // hash of what has to be the same before it
	Vector  []float32 // nil: Embed, or the server, makes it
	Scope   []string  // beside that of the options

	Before       string    // what came before it in the conversation, where that need only mean the same
	BeforeVector []float32 // …its vector; nil: Embed, or the server, makes it
}

// Answer is what was found.
type Answer struct {
	Text       string
	Status     string // exact, semantic, miss, or lease: another computes it
	ID         string
	Sim        float64
	Confidence float64
	Token      string // of a lease
}

// Hit reports whether there is an answer.
func (a *Answer) Hit() bool { return a.ID != "" }

// Computed is an answer to be stored.
type Computed struct {
	Text     string
	TTL      time.Duration // 0: the namespace's
	Tags     []string
	Deps     []string // keys whose change makes it stale
	AnswerID string
	Cost     float64 // in dollars
	Tokens   int64
}

// Semantic returns a namespace, which has to exist (SEM.CREATE).
func (c *Client) Semantic(ns string, o SemanticOptions) *Semantic {
	if o.Lease <= 0 {
		o.Lease = 30 * time.Second
	}
	return &Semantic{c: c, ns: ns, prefix: "sem:{" + ns + "}:", o: o}
}

// key names a question among the copies. It holds all that decides about the answer but for
// the vectors of texts, which these decide. Each word has its length before it, so that no two questions
// share a key.
func (s *Semantic) key(p *Prompt) string {
	words := [4]string{s.ns, p.Context, p.Before, p.Text}
	n := len(start) + 4*(len(words)+1+len(s.o.Scope)+len(p.Scope)) + 4*len(p.BeforeVector)
	for _, l := range [3][]string{words[:], s.o.Scope, p.Scope} {
		for _, w := range l {
			n += len(w)
		}
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(start)
	number := func(n uint32) {
		var x [4]byte
		binary.LittleEndian.PutUint32(x[:], n)
		b.Write(x[:])
	}
	for _, l := range [3][]string{words[:], s.o.Scope, p.Scope} {
		for _, w := range l {
			number(uint32(len(w)))
			b.WriteString(w)
		}
	}
	if p.Before == "" {
		for _, x := range p.BeforeVector {
			number(math.Float32bits(x))
		}
	}
	number(uint32(len(s.o.Scope) + len(p.Scope)))
	return b.String()
}

// start begins the name of a question: no key of the server's. TRACKING.STATS counts by what is before the colon.
const start = "\x00sem:"

// args is the beginning of SEM.GET or SEM.SET.
func (s *Semantic) args(l []any, p *Prompt) []any {
	if p.Vector != nil {
		l = append(l, "VEC", p.Vector)
	}
	if p.Context != "" {
		l = append(l, "CTX", p.Context)
	}
	if p.Before != "" {
		l = append(l, "CTXTEXT", p.Before)
	}
	if p.BeforeVector != nil {
		l = append(l, "CTXVEC", p.BeforeVector)
	}
	if scope := slices.Concat(s.o.Scope, p.Scope); len(scope) > 0 {
		l = append(l, "SCOPE", len(scope)/2)
		for _, w := range scope {
			l = append(l, w)
		}
	}
	return l
}

// Get looks for an answer: here, then on the server.
func (s *Semantic) Get(ctx context.Context, p Prompt) (Answer, error) {
	key := s.key(&p)
	if a, ok := s.near(key); ok {
		return a, nil
	}
	return s.ask(ctx, key, &p, nil)
}

// exactly is what stands behind the name of a question that is about the very prompt
// only: who asks for what means the same must not be given its reply.
const exactly = "\x00="

// near is the copy of an answer.
func (s *Semantic) near(key string) (Answer, bool) {
	v, _, ok := s.c.local.get(key, "", s.c.millis)
	if !ok && s.o.Embed != nil {
		v, _, ok = s.c.local.get(key+exactly, "", s.c.millis)
	}
	if !ok {
		return Answer{}, false
	}
	return answerOf(v), true
}

// ask asks the server: for the very prompt first where a vector would have to be made. What is
// made stays in p, for the Set that may follow.
func (s *Semantic) ask(ctx context.Context, key string, p *Prompt, more []any) (Answer, error) {
	if s.wants(p) {
		a, err := s.send(ctx, key+exactly, append(s.args([]any{"SEM.GET", s.ns, p.Text}, p), "MODE", "EXACT", "TRACK"))
		if err != nil || a.Hit() {
			return a, err
		}
		if err := s.embed(ctx, p); err != nil {
			return Answer{}, err
		}
	}
	return s.send(ctx, key, append(append(s.args([]any{"SEM.GET", s.ns, p.Text}, p), more...), "TRACK"))
}

// wants reports whether a vector is to be made here.
func (s *Semantic) wants(p *Prompt) bool {
	return s.o.Embed != nil && (p.Vector == nil || p.Before != "" && p.BeforeVector == nil)
}

// embed makes the vectors that are missing.
func (s *Semantic) embed(ctx context.Context, p *Prompt) (err error) {
	if s.o.Embed != nil && p.Vector == nil {
		if p.Vector, err = s.o.Embed(ctx, p.Text); err != nil {
			return err
		}
	}
	if s.o.Embed != nil && p.Before != "" && p.BeforeVector == nil {
		p.BeforeVector, err = s.o.Embed(ctx, p.Before)
	}
	return err
}

// send asks the server, and keeps the answer as long as it lives.
func (s *Semantic) send(ctx context.Context, key string, args []any) (Answer, error) {
	out, err := client.AppendCommand(nil, args...)
	if err != nil {
		return Answer{}, err
	}
	c := s.c
	var lost lostLease
	v, mine, err := c.share(ctx, key, out, func(v client.Value, sent int64) (name string, end life) {
		if id, ok := v.Get("id"); ok {
			name = s.prefix + id.Str
		}
		if token, ok := v.Get("token"); ok && lost.came(token.Str) {
			s.abort(token.Str)
		}
		ttl, _ := v.Get("pttl")
		return name, c.endOf(ttl, sent)
	})
	if err != nil {
		if token := lost.left(); token != "" {
			s.abort(token)
		}
		return Answer{}, err
	}
	a := answerOf(v)
	if !mine {
		a.Token = "" // it is the other caller's
	}
	return a, nil
}

// lostLease is what has become of a question that may bring a lease: a lease that comes when nobody waits for it any more is
// given back, else all others would wait for nobody until it ends.
type lostLease struct {
	mu    sync.Mutex
	token string
	gone  bool
}

// came notes a lease, and reports whether who has asked is gone.
func (l *lostLease) came(token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token = token
	return l.gone
}

// left notes that who has asked is gone, and returns the lease that has come, "" for none.
func (l *lostLease) left() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	return l.token
}

// abort gives a lease back. It does not wait, as it runs in the reader, too: where there is no connection the lease
// has ended with that.
func (s *Semantic) abort(token string) { s.tell("SEM.LEASE", "ABORT", s.ns, token) }

func (s *Semantic) tell(args ...any) {
	out, _ := client.AppendCommand(nil, args...)
	s.c.mux.tell(out)
}

// answerOf reads a reply of SEM.GET.
func answerOf(v client.Value) (a Answer) {
	for i := 0; i+1 < len(v.Elems); i += 2 {
		x := &v.Elems[i+1]
		switch v.Elems[i].Str {
		case "status":
			a.Status = x.Str
		case "id":
			a.ID = x.Str
		case "answer":
			a.Text = x.Str
		case "sim":
			a.Sim, _ = x.Float()
		case "confidence":
			a.Confidence, _ = x.Float()
		case "token":
			a.Token = x.Str
		}
	}
	return a
}

// Set stores an answer and returns its id, "" where its lease (token, "" for none) has ended,
// or what it depends on has changed meanwhile.
func (s *Semantic) Set(ctx context.Context, p Prompt, x Computed, token string) (id string, err error) {
	if err := s.embed(ctx, &p); err != nil {
		return "", err
	}
	l := s.args([]any{"SEM.SET", s.ns, p.Text, x.Text}, &p)
	if x.TTL > 0 {
		l = append(l, "PX", x.TTL.Milliseconds())
	}
	words := func(token string, w []string) {
		if len(w) > 0 {
			l = append(l, token, len(w))
			for _, s := range w {
				l = append(l, s)
			}
		}
	}
	words("TAGS", x.Tags)
	words("DEPS", x.Deps)
	if x.AnswerID != "" {
		l = append(l, "ANSWERID", x.AnswerID)
	}
	if x.Cost > 0 {
		l = append(l, "COST", x.Cost)
	}
	if x.Tokens > 0 {
		l = append(l, "TOKENS", x.Tokens)
	}
	if token != "" {
		l = append(l, "LEASE", token)
	}
	out, err := client.AppendCommand(nil, l...)
	if err != nil {
		return "", err
	}
	r, err := s.c.do(ctx, out, 1, []string{s.key(&p), s.key(&p) + exactly})
	if err == nil {
		err = r[0].Err()
	}
	if err != nil {
		return "", err
	}
	return r[0].Str, nil
}

// Waits between looks for an answer that another client computes, doubled up to the longest.
const (
	semFirst = 5 * time.Millisecond
	semMost  = 200 * time.Millisecond
)

// Cached returns an answer, and where there is none has one caller compute it, in all
// processes. The others wait for it, those with a prompt that means the same as well. An
// answer that could not be stored, since what it depends on has changed or the server is away, is
// returned.
func (s *Semantic) Cached(ctx context.Context, p Prompt, compute func(context.Context) (Computed, error)) (Answer, error) {
	key := s.key(&p)
	for wait := semFirst; ; wait = min(2*wait, semMost) {
		if a, ok := s.near(key); ok {
			return a, nil
		}
		a, err := s.ask(ctx, key, &p, []any{"LEASE", s.o.Lease.Milliseconds()})
		switch {
		case err != nil || a.Hit():
			return a, err
		case a.Token != "":
			return s.compute(ctx, p, a, compute)
		}
		// The connection is shared, so nobody waits on it.
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
}

// compute makes the answer under a lease, and gives the lease back whatever happens.
func (s *Semantic) compute(ctx context.Context, p Prompt, a Answer, compute func(context.Context) (Computed, error)) (Answer, error) {
	stored := false
	defer func() {
		if !stored { // also where compute has panicked
			s.abort(a.Token)
		}
	}()
	x, err := s.held(ctx, a.Token, compute)
	if err != nil {
		return Answer{}, err
	}
	id, err := s.Set(ctx, p, x, a.Token)
	if err != nil && !unable(err) {
		return Answer{}, err
	}
	stored = err == nil
	return Answer{Text: x.Text, Status: a.Status, ID: id}, nil
}

// heldMost is how long a lease is renewed: what has not returned by then will not.
const heldMost = 10 * time.Minute

// held computes, and renews the lease meanwhile.
func (s *Semantic) held(ctx context.Context, token string, compute func(context.Context) (Computed, error)) (Computed, error) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(max(s.o.Lease/3, time.Millisecond))
		defer t.Stop()
		for began := time.Now(); time.Since(began) < heldMost; {
			select {
			case <-t.C:
				s.tell("SEM.LEASE", "RENEW", s.ns, token)
			case <-done:
				return
			}
		}
	})
	defer wg.Wait()
	defer close(done)
	return compute(ctx)
}

// unable reports whether an answer could not be stored through no fault of the caller's: it is returned all the same. An error
// of the server's but for these is the caller's mistake.
func unable(err error) bool {
	var e client.Error
	if !errors.As(err, &e) {
		return true
	}
	code, _, _ := strings.Cut(string(e), " ")
	return slices.Contains([]string{"OOM", "MISCONF", "READONLY", "LOADING", "NOREPLICAS"}, code)
}

// Feedback says whether the answer of an entry was right, for a prompt if one is given.
func (s *Semantic) Feedback(ctx context.Context, id string, good bool, prompt string) error {
	verdict := "BAD"
	if good {
		verdict = "GOOD"
	}
	l := []any{"SEM.FEEDBACK", s.ns, id, verdict}
	if prompt != "" {
		l = append(l, "QUERY", prompt)
	}
	v, err := s.c.Do(ctx, l...)
	return errors.Join(err, v.Err())
}
