package semcache

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/nearcache/nearcache/index"
)

// Guard says what guards do that find a reason to doubt a hit; see judge.Guards.
type Guard uint8

// The ways. Soft, the default, lets the model weigh them with everything else.
const (
	Soft   Guard = iota
	Off          // nothing but the cosine counts
	Strict       // one that fires refuses the hit
)

// Evict says which entry goes when there are more than MaxEntries.
type Evict uint8

// The policies: not asked for longest, asked for least, or saved least so far
// for its size.
const (
	LRU Evict = iota
	LFU
	ByCost
)

// Params are what SEM.CREATE says of a namespace. Begin with Defaults: a zero
// means zero, and not the default.
type Params struct {
	Dim        int
	Embed      string   // the embedder of prompts that come without a vector, "" for the server's own default
	MinSim     float64  // no answer of a prompt that is less similar (cosine)
	Margin     float64  // …or that is not so much more similar than any with another answer
	Guard      Guard    //
	MaxWrong   float64  // the share of wrong answers among those served that is put up with
	PX         int64    // ms that entries live unless they say otherwise, 0 for ever
	MaxAge     int64    // ms after which an entry is not served whatever its time to live, 0 for ever
	MaxEntries int      // 0 for any number
	Evict      Evict    //
	Scopes     []string // fields that each scope must have
	Without    []string // guards, signals and circumstances that do not count, by name
	Answers    Answers  // which answers are the same
	AnswerSim  float64  // ByMeaning: from what cosine on
	KeepCase   bool     // prompts that differ in case are different
	KeepSpace  bool     // …in white space
}

// Defaults are the parameters of a namespace of which only the dimension was said.
func Defaults(dim int) Params { return Params{Dim: dim, MinSim: 0.6, MaxWrong: 0.05} }

// Limits of what callers may send.
const (
	MaxPrompt = 1 << 20 // bytes of a prompt
	MaxName   = 256     // bytes of a namespace's name
	MaxWord   = 1024    // bytes of a scope's field or value, a tag, a key of DEPS …
	MaxWords  = 64      // …and how many of each
)

// Errors of the cache. Their texts go on the wire behind "ERR ".
var (
	ErrNoNamespace = errors.New("no such namespace")
	ErrExists      = errors.New("the namespace exists already")
	ErrNoVector    = errors.New("a vector is needed: the namespace has no embedder")
	ErrNoEmbedding = errors.New("a vector is needed: nothing is embedded in a transaction or a script")
	ErrNotFound    = errors.New("no such entry")
	ErrEmbedding   = errors.New("the prompt was not embedded")
)

// paramError is a mistake in what a caller has sent.
type paramError string

func (e paramError) Error() string { return string(e) }

// IsParamError reports whether an error is a mistake in what a caller has sent.
func IsParamError(err error) bool {
	var e paramError
	return errors.As(err, &e)
}

func paramErrorf(format string, a ...any) error { return paramError(fmt.Sprintf(format, a...)) }

// Validate reports the first parameter that no namespace can have.
func (p Params) Validate() error {
	switch {
	case p.Dim < 1 || p.Dim > index.MaxDim:
		return paramErrorf("DIM must be 1 to %d", index.MaxDim)
	case !(p.MinSim >= -1 && p.MinSim <= 1):
		return paramError("MINSIM is a cosine, -1 to 1")
	case !(p.Margin >= 0 && p.Margin <= 2):
		return paramError("MARGIN is a difference of cosines, 0 to 2")
	case !(p.MaxWrong >= 0 && p.MaxWrong <= 1):
		return paramError("MAXWRONG is a share, 0 to 1")
	case p.PX < 0 || p.MaxAge < 0:
		return paramError("a time must be positive")
	case p.Answers == ByMeaning && !(p.AnswerSim > 0 && p.AnswerSim <= 1):
		return paramError("ANSWERS EMBED wants a cosine above 0, up to 1")
	case p.MaxEntries < 0:
		return paramError("MAXENTRIES must be positive")
	case len(p.Scopes) > MaxWords:
		return paramErrorf("more than %d scopes", MaxWords)
	}
	_, err := leftOut(p.Without)
	return err
}

// args is the command that makes a namespace with these parameters.
func (p Params) args(name string) [][]byte {
	l := []string{"SEM.CREATE", name, "DIM", strconv.Itoa(p.Dim)}
	float := func(token string, f float64) { l = append(l, token, strconv.FormatFloat(f, 'g', -1, 64)) }
	count := func(token string, n int64) {
		if n > 0 {
			l = append(l, token, strconv.FormatInt(n, 10))
		}
	}
	words := func(token string, w []string) {
		if len(w) > 0 {
			l = append(append(l, token, strconv.Itoa(len(w))), w...)
		}
	}
	if p.Embed != "" {
		l = append(l, "EMBED", p.Embed)
	}
	float("MINSIM", p.MinSim)
	float("MARGIN", p.Margin)
	l = append(l, "GUARD", GuardNames[p.Guard])
	float("MAXWRONG", p.MaxWrong)
	count("PX", p.PX)
	count("MAXAGE", p.MaxAge)
	count("MAXENTRIES", int64(p.MaxEntries))
	l = append(l, "EVICT", EvictNames[p.Evict])
	words("REQUIRE", p.Scopes)
	words("WITHOUT", p.Without)
	if p.Answers != ByID {
		l = append(l, "ANSWERS", AnswersNames[p.Answers])
		if p.Answers == ByMeaning {
			l = append(l, strconv.FormatFloat(p.AnswerSim, 'g', -1, 64))
		}
	}
	if p.KeepCase {
		l = append(l, "KEEPCASE")
	}
	if p.KeepSpace {
		l = append(l, "KEEPSPACE")
	}
	args := make([][]byte, len(l))
	for i, s := range l {
		args[i] = []byte(s)
	}
	return args
}

// What SEM.CREATE calls the guards and the policies.
var (
	GuardNames = []string{Soft: "SOFT", Off: "OFF", Strict: "STRICT"}
	EvictNames = []string{LRU: "LRU", LFU: "LFU", ByCost: "COST"}
)
