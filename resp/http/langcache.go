package http

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/store/semcache"
)

// The requests and replies of LangCache's API, as its SDK 0.14 has them.
type (
	setRequest struct {
		Prompt     *string           `json:"prompt"`
		Response   *string           `json:"response"`
		Attributes map[string]string `json:"attributes,omitempty"`
		TTL        *int64            `json:"ttlMillis,omitempty"`
	}
	setReply struct {
		ID string `json:"entryId"`
	}
	searchRequest struct {
		Prompt     *string           `json:"prompt"`
		Threshold  *float64          `json:"similarityThreshold,omitempty"`
		Strategies []string          `json:"searchStrategies,omitempty"`
		Attributes map[string]string `json:"attributes,omitempty"`
		Max        *int              `json:"maxResults,omitempty"`
	}
	searchReply struct {
		Data []entry `json:"data"`
	}
	conversationRequest struct {
		searchRequest
		Context []string `json:"context,omitempty"`
	}
	conversationReply struct {
		Prompt string  `json:"actualPrompt"`
		Data   []entry `json:"data"`
	}
	entry struct {
		ID         string            `json:"id"`
		Prompt     string            `json:"prompt"`
		Response   string            `json:"response"`
		Attributes map[string]string `json:"attributes"`
		Similarity float64           `json:"similarity"` // (1 + cosine) / 2
		Strategy   string            `json:"searchStrategy"`
	}
	deleteRequest struct {
		Attributes map[string]string `json:"attributes"`
	}
	deleteReply struct {
		Count int `json:"deletedEntriesCount"`
	}
)

// maxTTL is the longest time to live, in ms: some thousand years.
const maxTTL = 1 << 47

// maxResults is how many entries a search may ask for.
const maxResults = 100

// cacheName is what a cache may be called.
var cacheName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func cacheOf(r *http.Request) (string, error) {
	name := r.PathValue("cacheId")
	if !cacheName.MatchString(name) {
		return "", newProblem(http.StatusBadRequest, "a cache's id has letters, digits, points and dashes",
			fieldError{"cacheId", "pattern", "must match " + cacheName.String()})
	}
	return name, nil
}

// decode reads a request into v.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := s.read(w, r)
	if err != nil {
		return err
	}
	return parseRequest(b, v)
}

func parseRequest(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		field := e.Field[strings.LastIndexByte(e.Field, '.')+1:] // without the name of an embedded type
		return newProblem(http.StatusBadRequest, "the request does not fit", fieldError{field, "type", "must not be a " + e.Value})
	}
	if err != nil {
		return newProblem(http.StatusBadRequest, "the request is not JSON: "+err.Error())
	}
	return nil
}

// scopeOf is the scope of a caller with attributes.
func scopeOf(who *caller, attributes map[string]string) ([]semcache.Pair, error) {
	l := slices.Clone(who.scope)
	var names []string
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := attributes[name]
		bad := func(rule, text string) error {
			return newProblem(http.StatusBadRequest, "an attribute does not fit", fieldError{"attributes." + name, rule, text})
		}
		switch {
		case name == "" || strings.HasPrefix(name, mark) || strings.Contains(name, "="):
			return nil, bad("name", "a name is not empty, does not begin with @ and has no =")
		case value == "":
			return nil, bad("required", "a value is not empty")
		case len(name)+1+len(value) > semcache.MaxWord:
			return nil, bad("length", fmt.Sprintf("name and value have at most %d bytes", semcache.MaxWord-1))
		case strings.ContainsRune(name+value, '\x1f'):
			return nil, bad("pattern", "it has no byte 31")
		}
		l = append(l, semcache.Pair{Field: name, Value: value})
	}
	if len(l) > semcache.MaxWords {
		return nil, newProblem(http.StatusBadRequest, "too many attributes", fieldError{"attributes", "count", fmt.Sprintf("at most %d", semcache.MaxWords)})
	}
	return l, nil
}

// need is the error of a text that is missing or too long.
func need(name string, v *string, limit int64) error {
	switch {
	case v == nil || *v == "":
		return newProblem(http.StatusBadRequest, name+" is missing", fieldError{name, "required", "must not be empty"})
	case int64(len(*v)) > limit:
		return newProblem(http.StatusBadRequest, name+" is too long", fieldError{name, "length", fmt.Sprintf("at most %d bytes", limit)})
	}
	return nil
}

func (s *Server) setEntry(w http.ResponseWriter, r *http.Request, who *caller) error {
	name, err := cacheOf(r)
	if err != nil {
		return err
	}
	var q setRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	if err := need("prompt", q.Prompt, semcache.MaxPrompt); err != nil {
		return err
	}
	if err := need("response", q.Response, math.MaxInt64); err != nil {
		return err
	}
	if q.TTL != nil && (*q.TTL < 1 || *q.TTL > maxTTL) {
		return newProblem(http.StatusBadRequest, "ttlMillis does not fit", fieldError{"ttlMillis", "range", fmt.Sprintf("must be 1 to %d", int64(maxTTL))})
	}
	scope, err := scopeOf(who, q.Attributes)
	if err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	call := s.o.Cache.Begin(r.Context())
	n, err := s.namespace(r.Context(), name)
	if err != nil {
		return err
	}
	e := semcache.Entry{Prompt: []byte(*q.Prompt), Answer: []byte(*q.Response), Scope: scope}
	if q.TTL != nil {
		e.PX = *q.TTL
	}
	id, err := n.Put(call, &e)
	if err != nil {
		return err
	}
	call.Settle()
	if err := s.o.Durable(); err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, setReply{id})
	return nil
}

// search answers a search for prompt.
func (s *Server) search(r *http.Request, who *caller, q *searchRequest, prompt string) ([]entry, error) {
	name, err := cacheOf(r)
	if err != nil {
		return nil, err
	}
	if err := need("prompt", q.Prompt, semcache.MaxPrompt); err != nil {
		return nil, err
	}
	scope, err := scopeOf(who, q.Attributes)
	if err != nil {
		return nil, err
	}
	query := semcache.Query{Prompt: []byte(prompt), Scope: scope}
	if query.Mode, err = modeOf(q.Strategies); err != nil {
		return nil, err
	}
	if t := q.Threshold; t != nil {
		if !(*t >= 0 && *t <= 1) {
			return nil, newProblem(http.StatusBadRequest, "similarityThreshold does not fit", fieldError{"similarityThreshold", "range", "must be 0 to 1"})
		}
		cosine := 2**t - 1
		query.MinSim = &cosine
	}
	limit := 1
	if q.Max != nil {
		if limit = *q.Max; limit < 1 || limit > maxResults {
			return nil, newProblem(http.StatusBadRequest, "maxResults does not fit", fieldError{"maxResults", "range", fmt.Sprintf("must be 1 to %d", maxResults)})
		}
	}
	call := s.o.Cache.Begin(r.Context())
	n, err := s.o.Cache.Namespace(name)
	if err == semcache.ErrNoNamespace { // nothing was stored in it yet
		return []entry{}, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := n.Find(call, &query, limit)
	if err != nil {
		return nil, err
	}
	if err := s.o.Durable(); err != nil { // of what was read
		return nil, err
	}
	l := make([]entry, len(found))
	for i, f := range found {
		l[i] = entry{
			ID: string(f.ID), Prompt: f.Prompt, Response: string(f.Answer.Answer), Attributes: map[string]string{},
			Similarity: min(max((1+f.Sim)/2, 0), 1), Strategy: f.Status.String(),
		}
		for _, p := range f.Scope {
			if !strings.HasPrefix(p.Field, mark) {
				l[i].Attributes[p.Field] = p.Value
			}
		}
	}
	return l, nil
}

func modeOf(strategies []string) (semcache.Mode, error) {
	exact, semantic := len(strategies) == 0, len(strategies) == 0
	for _, x := range strategies {
		switch x {
		case "exact":
			exact = true
		case "semantic":
			semantic = true
		default:
			return 0, newProblem(http.StatusBadRequest, "searchStrategies does not fit", fieldError{"searchStrategies", "enum", "must be exact or semantic"})
		}
	}
	switch {
	case !semantic:
		return semcache.OnlyExact, nil
	case !exact:
		return semcache.OnlySemantic, nil
	}
	return semcache.Both, nil
}

func (s *Server) searchEntries(w http.ResponseWriter, r *http.Request, who *caller) error {
	var q searchRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	prompt := ""
	if q.Prompt != nil {
		prompt = *q.Prompt
	}
	l, err := s.search(r, who, &q, prompt)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, searchReply{l})
	return nil
}

func (s *Server) searchConversation(w http.ResponseWriter, r *http.Request, who *caller) error {
	var q conversationRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	prompt := ""
	if q.Prompt != nil {
		prompt = standalone(*q.Prompt, q.Context)
	}
	l, err := s.search(r, who, &q.searchRequest, prompt)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, conversationReply{prompt, l})
	return nil
}

func (s *Server) deleteEntries(w http.ResponseWriter, r *http.Request, who *caller) error {
	var q deleteRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	if len(q.Attributes) == 0 {
		return newProblem(http.StatusBadRequest, "attributes are missing", fieldError{"attributes", "required", "must not be empty; flush removes all"})
	}
	n, err := s.clear(r, who, q.Attributes)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, deleteReply{n})
	return nil
}

// clear removes the entries that the caller sees and that have the attributes.
func (s *Server) clear(r *http.Request, who *caller, attributes map[string]string) (int, error) {
	name, err := cacheOf(r)
	if err != nil {
		return 0, err
	}
	scope, err := scopeOf(who, attributes)
	if err != nil {
		return 0, err
	}
	if err := s.refused(); err != nil {
		return 0, err
	}
	call := s.o.Cache.Begin(r.Context())
	ns, err := s.o.Cache.Namespace(name)
	if err != nil {
		return 0, err
	}
	n, err := ns.Clear(call, scope)
	if err != nil {
		return 0, err
	}
	call.Settle()
	return n, s.o.Durable()
}

func (s *Server) deleteEntry(w http.ResponseWriter, r *http.Request, who *caller) error {
	name, err := cacheOf(r)
	if err != nil {
		return err
	}
	if err := s.refused(); err != nil {
		return err
	}
	call := s.o.Cache.Begin(r.Context())
	n, err := s.o.Cache.Namespace(name)
	if err != nil {
		return err
	}
	if !n.DeleteIn(call, r.PathValue("entryId"), who.scope) {
		return semcache.ErrNotFound
	}
	call.Settle()
	if err := s.o.Durable(); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) flush(w http.ResponseWriter, r *http.Request, who *caller) error {
	if _, err := s.clear(r, who, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// pointers are words that point at what was said before.
var pointers = regexp.MustCompile(`(?i)\b(it|its|they|them|their|he|him|his|she|her|this|that|these|those|there|then|one|ones|same|former|latter)\b`)

// elliptic are beginnings of questions that lean on the one before.
var elliptic = regexp.MustCompile(`(?i)^\s*(and|or|but|also|what about|how about|why not|why|really|so)\b`)

// maxAlone is how many words a prompt has that may lean on the one before.
const maxAlone = 12

// standalone is a prompt that can be understood without the questions before it. LangCache
// asks a language model for it; here a short prompt that points at something, or
// begins in the middle, gets the last question in front.
func standalone(prompt string, before []string) string {
	if len(before) == 0 || len(strings.Fields(prompt)) > maxAlone {
		return prompt
	}
	if !pointers.MatchString(prompt) && !elliptic.MatchString(prompt) {
		return prompt
	}
	// The nearest question that stands by itself.
	for _, b := range slices.Backward(before) {
		if strings.TrimSpace(b) != "" && !elliptic.MatchString(b) && !pointers.MatchString(b) {
			return strings.TrimSpace(b) + " " + prompt
		}
	}
	return prompt
}
