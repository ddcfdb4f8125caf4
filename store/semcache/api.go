package semcache

import "time"

// Pair is a field of a scope with its value: tenant, user, model, …
type Pair struct{ Field, Value string }

// word is what an entry and its index have of it.
func (p Pair) word() string { return p.Field + "=" + p.Value }

// words are those of a scope.
func words(scope []Pair) []string {
	l := make([]string, len(scope))
	for i, p := range scope {
		l[i] = p.word()
	}
	return l
}

// Mode says where Get looks.
type Mode uint8

// The modes.
const (
	Both Mode = iota
	OnlyExact
	OnlySemantic
)

// Query is what Get is asked.
type Query struct {
	Prompt  []byte
	Vector  []byte // of the prompt, as Blob makes it; nil: the namespace's embedder is asked
	Context string // hash of what came before in the conversation; "" for none
	Scope   []Pair // in any order; never served across

	Before       []byte // what came before, where it is to be compared by what it means; nil: nothing, or its vector alone is given
	BeforeVector []byte // …its vector; nil: the namespace's embedder is asked

	Mode     Mode
	MinSim   *float64 // nil: the namespace's
	MaxWrong *float64 // nil: the namespace's

	Lease time.Duration // of a miss: how long the caller may take to compute it, 0 for no lease
	Wait  time.Duration // how long to wait where another has the lease
	Once  bool          // who has waited in vain is told why, and given no lease
	Vain  Vain          // what Get has told before, with Once: a failure since then is told at once
	Track bool          // the caller keeps the answer: Call.Closer is told of a better one
}

// Status says how Get has ended.
type Status uint8

// The ways: found under the very prompt, or under one that means the same; not
// found, and with a token the caller holds the lease; another holds the lease; or
// waited for it in vain.
const (
	Miss Status = iota
	Exact
	Semantic
	Leased
	Waited
)

var statusNames = [...]string{"miss", "exact", "semantic", "lease", "wait"}

// String is the status in replies of SEM.GET.
func (s Status) String() string { return statusNames[s] }

// Hit reports whether there is an answer.
func (s Status) Hit() bool { return s == Exact || s == Semantic }

// Answer is what Get has found.
type Answer struct {
	Status     Status
	ID         []byte  // of a hit; valid until Call.Found returns, where there is one
	Answer     []byte  // of a hit
	Sim        float64 // cosine of the prompt and the entry's, 1 if exact; of a miss that of the nearest
	Confidence float64 // that the answer is right
	PTTL       int64   // ms that the entry has left, -1 for ever
	Age        int64   // ms since it was stored
	Reason     string  // why there is no answer
	Token      string  // of the lease that the caller holds
	Vain       Vain    // with Once, of a miss: why it has waited in vain
}

// Entry is what Put stores.
type Entry struct {
	Prompt  []byte
	Answer  []byte
	Vector  []byte // nil: the embedder is asked
	Context string

	Before, BeforeVector []byte // as in Query

	Scope    []Pair
	PX       int64    // ms to live; 0: the namespace's, below 0: for ever
	Tags     []string // names it can be invalidated by
	Deps     []string // keys: the entry goes when one of them changes
	AnswerID string   // entries of the same id have the same answer; "": those of the same text
	Model    string   // that has made the answer

	AnswerVector []byte // where the namespace compares answers by what they mean; nil: the embedder is asked

	Lease   string  // the token that Get gave
	Cost    float64 // what making it has cost, in dollars
	Tokens  int64   // …in tokens
	Latency int64   // …in ms; with a lease it is measured
}

// Target says what Invalidate removes. One field is set.
type Target struct {
	Tag    string
	Dep    string
	Near   []byte  // the prompt …
	Vector []byte  // …its vector, or nil …
	MinSim float64 // …and from what cosine on
	Model  string
	Scope  *Pair
}
