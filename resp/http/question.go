package http

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/store/semcache"
)

// dialect is one of the forms in which language models are asked for text.
type dialect struct {
	path   string // behind upstream's v1
	object string // what an answer calls itself …
	chunk  string // …and a piece of a streamed one
	// read takes the prompt, and what came before it, out of a request; why says why
	// it cannot be cached.
	read func(fields map[string]json.RawMessage) (prompt string, before any, why string)
	// judge says what an answer says and has taken, or why it is not kept.
	judge func(d *dialect, answer []byte) (content string, tokens int64, why string)
	// record takes an event of a streamed answer.
	record func(r *recording, data []byte)
	// stream appends the events that say what a kept answer says.
	stream func(d *dialect, b, answer []byte, usage bool) ([]byte, error)
	idle   []string // parameters that change nothing in an answer
}

var (
	chat = dialect{
		path: "/chat/completions", object: "chat.completion", chunk: "chat.completion.chunk",
		read: readChat, judge: judgeCompletion, record: recordChunk, stream: streamCompletion, idle: idle,
	}
	text = dialect{
		path: "/completions", object: "text_completion", chunk: "text_completion",
		read: readText, judge: judgeCompletion, record: recordChunk, stream: streamCompletion, idle: idle,
	}
	// A response repeats its request, user and metadata included, and whether it is stored
	// upstream is part of what it promises: little is idle.
	respond = dialect{
		path: "/responses", object: "response",
		read: readResponse, judge: judgeResponse, record: recordResponse, stream: streamResponse,
		idle: []string{"model", "input", "stream", "stream_options"},
	}
)

// chatRequest, textRequest and responseRequest are what is read of a request, for the
// description. All else is passed on, and part of the scope.
type (
	chatRequest struct {
		Model         string         `json:"model"`
		Messages      []chatMessage  `json:"messages"`
		Stream        bool           `json:"stream,omitempty"`
		StreamOptions *streamOptions `json:"stream_options,omitempty"`
	}
	chatMessage struct {
		Role    string `json:"role"`
		Content any    `json:"content"` // a text or parts
	}
	streamOptions struct {
		Usage bool `json:"include_usage,omitempty"`
	}
	textRequest struct {
		Model         string         `json:"model"`
		Prompt        string         `json:"prompt"`
		Stream        bool           `json:"stream,omitempty"`
		StreamOptions *streamOptions `json:"stream_options,omitempty"`
	}
	responseRequest struct {
		Model  string `json:"model"`
		Input  any    `json:"input"` // a text or messages
		Stream bool   `json:"stream,omitempty"`
	}
)

// question is a request that can be answered from the cache.
type question struct {
	prompt  string
	context string // hash of what came before …
	before  []byte // …and what of it is compared by what it means; nil: nothing
	scope   []semcache.Pair
	model   string
	stream  bool
	usage   bool // the stream ends with a count of tokens
	tools   bool // the answer may be a call, which is not kept: nobody waits for it
	wants
}

// wants is what a request says of the cache in its headers.
type wants struct {
	mode   semcache.Mode
	bypass bool
	fresh  bool // an answer that is kept will not do
	secret bool // this answer is not to be kept
	ttl    int64
	minSim *float64
	like   bool // what came before need not be the same, if it means the same
	extra  []semcache.Pair
}

// The headers that requests may have, beside Cache-Control: no-cache and no-store.
const (
	headerMode      = "X-Cache-Mode"      // both, exact, semantic or bypass
	headerTTL       = "X-Cache-TTL"       // seconds that the answer is kept
	headerThreshold = "X-Cache-Threshold" // least cosine of a prompt that means the same
	headerScope     = "X-Cache-Scope"     // name=value,… that separates answers
	headerContext   = "X-Cache-Context"   // exact or similar: what came before the last message
)

// readWants reads the headers.
func readWants(h http.Header) (w wants, err error) {
	for _, v := range h.Values("Cache-Control") {
		for _, d := range strings.Split(v, ",") {
			switch strings.ToLower(strings.TrimSpace(d)) {
			case "no-cache", "max-age=0":
				w.fresh = true
			case "no-store":
				w.fresh, w.secret = true, true
			}
		}
	}
	switch m := strings.ToLower(h.Get(headerMode)); m {
	case "", "both":
	case "exact":
		w.mode = semcache.OnlyExact
	case "semantic":
		w.mode = semcache.OnlySemantic
	case "bypass":
		w.bypass = true
	default:
		return w, fmt.Errorf("%s is both, exact, semantic or bypass", headerMode)
	}
	switch c := strings.ToLower(h.Get(headerContext)); c {
	case "", "exact":
	case "similar":
		w.like = true
	default:
		return w, fmt.Errorf("%s is exact or similar", headerContext)
	}
	if v := h.Get(headerTTL); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 || n > maxTTL/1000 {
			return w, fmt.Errorf("%s is a number of seconds", headerTTL)
		}
		w.ttl = n * 1000
	}
	if v := h.Get(headerThreshold); v != "" {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || !(f >= -1 && f <= 1) {
			return w, fmt.Errorf("%s is a cosine, -1 to 1", headerThreshold)
		}
		w.minSim = &f
	}
	for _, v := range h.Values(headerScope) {
		for _, p := range strings.Split(v, ",") {
			name, value, ok := strings.Cut(strings.TrimSpace(p), "=")
			if !ok || name == "" || value == "" || strings.HasPrefix(name, mark) || slices.Contains(ownFields, name) {
				return w, fmt.Errorf("%s is name=value,…; names do not begin with @ and are not %s", headerScope, strings.Join(ownFields, " or "))
			}
			w.extra = append(w.extra, semcache.Pair{Field: name, Value: value})
		}
	}
	return w, nil
}

// The fields of a scope that come from the request itself.
var ownFields = []string{fieldModel, fieldParams, fieldForm}

const (
	fieldModel  = "model"
	fieldParams = "params"
	fieldForm   = "form" // chat or text
)

// idle are parameters that change nothing in a completion.
var idle = []string{
	"model", "messages", "prompt", "stream", "stream_options", "user", "metadata", "store", "service_tier",
	"safety_identifier", "prompt_cache_key", "prompt_cache_retention",
}

// refused are parameters with which an answer is more than one text, or of the moment. The
// values listed do nothing.
var refused = map[string][]string{
	"n": {"1", "null"}, "best_of": {"1", "null"}, "echo": {"false", "null"}, "logprobs": {"false", "null"},
	"audio": {"null"}, "modalities": {`["text"]`, "null"}, "web_search_options": {"null"},
	"background": {"false", "null"}, "conversation": {"null"}, // of responses: an answer changes what is upstream
}

// readQuestion takes a request apart. why says why its answer cannot come from the cache, and
// not be kept; the error is the client's.
func (d *dialect) readQuestion(body []byte, h http.Header, who *caller) (q question, why string, err error) {
	if q.wants, err = readWants(h); err != nil {
		return q, "", err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return q, "", fmt.Errorf("the request is no JSON object")
	}
	if v := fields["stream"]; v != nil && json.Unmarshal(v, &q.stream) != nil {
		return q, "stream is not a boolean", nil
	}
	var o streamOptions
	if v := fields["stream_options"]; v != nil && json.Unmarshal(v, &o) == nil {
		q.usage = o.Usage
	}
	if json.Unmarshal(fields["model"], &q.model) != nil || q.model == "" {
		return q, "no model is named", nil
	}
	if q.bypass {
		return q, "as asked", nil
	}
	for name, nothing := range refused {
		if v, ok := fields[name]; ok && !slices.Contains(nothing, string(compacted(v))) {
			return q, name + " is set", nil
		}
	}
	var before any
	if q.prompt, before, why = d.read(fields); why != "" {
		return q, why, nil
	}
	switch {
	case strings.TrimSpace(q.prompt) == "":
		return q, "the prompt is empty", nil
	case len(q.prompt) > semcache.MaxPrompt:
		return q, "the prompt is long", nil
	case len(q.model) > semcache.MaxWord/2 || strings.ContainsRune(q.model, '\x1f'):
		return q, "the model's name is long", nil
	}
	if q.like {
		before, q.before = talk(before)
	}
	if before != nil {
		q.context = hashOf(before)
	}
	if len(q.before) > semcache.MaxPrompt {
		return q, "what came before is long", nil
	}
	q.scope = append(slices.Clone(who.scope), q.extra...)
	q.scope = append(q.scope, semcache.Pair{Field: fieldModel, Value: q.model}, semcache.Pair{Field: fieldForm, Value: d.object})
	params := map[string]any{}
	for name, v := range fields {
		if !slices.Contains(d.idle, name) {
			params[name] = decoded(v)
		}
	}
	q.tools = !isNothing(fields["tools"]) || !isNothing(fields["functions"])
	if len(params) > 0 {
		q.scope = append(q.scope, semcache.Pair{Field: fieldParams, Value: hashOf(params)})
	}
	return q, "", nil
}

func compacted(v json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}

// decoded is a value of which equal ones are equal, whatever the order of their
// fields; numbers stay as they are written.
func decoded(v json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	var x any
	if d.Decode(&x) != nil {
		return string(v)
	}
	return x
}

func hashOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // it came out of JSON
		b = fmt.Append(nil, v)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// readChat: the last message is the prompt, those before it the context.
func readChat(fields map[string]json.RawMessage) (prompt string, before any, why string) {
	var messages []map[string]json.RawMessage
	if json.Unmarshal(fields["messages"], &messages) != nil || len(messages) == 0 {
		return "", nil, "there are no messages"
	}
	return lastOf(messages, "text")
}

// lastOf divides messages, whose texts are of a type.
func lastOf(messages []map[string]json.RawMessage, kind string) (prompt string, before any, why string) {
	last := messages[len(messages)-1]
	var role string
	if json.Unmarshal(last["role"], &role) != nil || role != "user" {
		return "", nil, "the last message is not the user's"
	}
	prompt, ok := plainText(last["content"], kind)
	if !ok {
		return "", nil, "the last message is not only text"
	}
	var l []any
	for _, m := range messages[:len(messages)-1] {
		x := map[string]any{}
		for name, v := range m {
			x[name] = decoded(v)
			if s, ok := plainText(v, kind); name == "content" && ok {
				x[name] = s
			}
		}
		l = append(l, x)
	}
	rest := map[string]any{}
	for name, v := range last { // a name, say
		if name != "role" && name != "content" {
			rest[name] = decoded(v)
		}
	}
	if len(rest) > 0 {
		l = append(l, rest)
	}
	if l == nil {
		return prompt, nil, ""
	}
	return prompt, l, ""
}

// talk takes out of what came before what was said, the last first, as models look at the beginning of a text most. What
// instructs the model stays, and has to be the same; and all of it, where something is no plain text.
func talk(before any) (fixed any, said []byte) {
	l, _ := before.([]any)
	var instructions []any
	for _, x := range slices.Backward(l) {
		m, _ := x.(map[string]any)
		role, _ := m["role"].(string)
		text, ok := m["content"].(string)
		for name := range m {
			ok = ok && (name == "role" || name == "content" || name == "type")
		}
		switch {
		case !ok:
			return before, nil
		case role == "user" || role == "assistant":
			said = append(append(said, text...), '\n')
		default:
			instructions = append(instructions, x)
		}
	}
	if instructions != nil {
		fixed = instructions
	}
	return fixed, said
}

// plainText is the content of a message that is a text, or texts of that type.
func plainText(v json.RawMessage, kind string) (string, bool) {
	var s string
	if json.Unmarshal(v, &s) == nil && string(v) != "null" {
		return s, true
	}
	var parts []struct {
		Type string
		Text *string
	}
	if json.Unmarshal(v, &parts) != nil || len(parts) == 0 {
		return "", false
	}
	var l []string
	for _, p := range parts {
		if p.Type != kind || p.Text == nil {
			return "", false
		}
		l = append(l, *p.Text)
	}
	return strings.Join(l, "\n"), true
}

func readText(fields map[string]json.RawMessage) (prompt string, before any, why string) {
	if v := fields["prompt"]; json.Unmarshal(v, &prompt) != nil || string(v) == "null" {
		return "", nil, "the prompt is not one text"
	}
	return prompt, nil, ""
}

// readResponse: the input is the prompt, or its last message is. Instructions and the
// response before are parameters like others.
func readResponse(fields map[string]json.RawMessage) (prompt string, before any, why string) {
	var tools []struct{ Type string }
	if v := fields["tools"]; !isNothing(v) {
		if json.Unmarshal(v, &tools) != nil {
			return "", nil, "tools is no list"
		}
		for _, t := range tools {
			if t.Type != "function" && t.Type != "custom" {
				return "", nil, "upstream has a tool" // a search, say, whose results are of the moment
			}
		}
	}
	v := fields["input"]
	if json.Unmarshal(v, &prompt) == nil && string(v) != "null" {
		return prompt, nil, ""
	}
	var items []map[string]json.RawMessage
	if json.Unmarshal(v, &items) != nil || len(items) == 0 {
		return "", nil, "there is no input"
	}
	last := items[len(items)-1]
	if t, ok := last["type"]; ok {
		if string(t) != `"message"` {
			return "", nil, "the last message is not the user's"
		}
		delete(last, "type")
	}
	return lastOf(items, "input_text")
}
