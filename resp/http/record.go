package http

import (
	"bytes"
	"encoding/json"
	"strings"
)

// completion is an answer as it is kept, and as it goes to clients that do not stream.
type completion struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created json.Number     `json:"created"`
	Model   string          `json:"model"`
	System  string          `json:"system_fingerprint,omitempty"`
	Choices []choice        `json:"choices"`
	Usage   json.RawMessage `json:"usage,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
	// Unasked is kept with a streamed answer whose request has not asked for the usage. No client sees it.
	Unasked bool `json:"usage_not_asked_for,omitempty"`
}

type choice struct {
	Index   int                        `json:"index"`
	Message map[string]json.RawMessage `json:"message,omitempty"` // chat
	Delta   map[string]json.RawMessage `json:"delta,omitempty"`   // …a piece of it
	Text    *string                    `json:"text,omitempty"`    // text, or a piece of it
	Finish  *string                    `json:"finish_reason"`
}

// isNothing reports whether a value says nothing.
func isNothing(v json.RawMessage) bool {
	switch string(compacted(v)) {
	case "", "null", "[]", "{}", `""`, "false":
		return true
	}
	return false
}

// neverKept are parts of a message that are no text.
var neverKept = []string{"tool_calls", "function_call", "audio", "refusal"}

// keepable reports why an answer is not kept; "" if it may be. content is its text.
func (c *completion) keepable(d *dialect) (content, why string) {
	switch {
	case !isNothing(c.Error):
		return "", "it is an error"
	case c.Object != d.object:
		return "", "it is no " + d.object
	case len(c.Choices) != 1 || c.Choices[0].Index != 0:
		return "", "it is not one choice"
	}
	x := c.Choices[0]
	if x.Finish == nil || *x.Finish != "stop" {
		return "", "it has not ended by itself"
	}
	if x.Text != nil {
		content = *x.Text
	} else {
		for _, name := range neverKept {
			if !isNothing(x.Message[name]) {
				return "", "it has " + name
			}
		}
		if json.Unmarshal(x.Message["content"], &content) != nil {
			return "", "it is no text"
		}
	}
	if strings.TrimSpace(content) == "" {
		return "", "it is empty"
	}
	return content, ""
}

func judgeCompletion(d *dialect, answer []byte) (content string, tokens int64, why string) {
	var c completion
	if json.Unmarshal(answer, &c) != nil {
		return "", 0, "it is no " + d.object
	}
	content, why = c.keepable(d)
	return content, tokensOf(c.Usage), why
}

// judgeResponse: one message of text alone is kept, and what was thought before.
func judgeResponse(d *dialect, answer []byte) (content string, tokens int64, why string) {
	var r struct {
		Object, Status string
		Error, Usage   json.RawMessage
		Output         []struct {
			Type, Role string
			Content    []struct {
				Type, Text  string
				Annotations json.RawMessage // sources, files
			}
		}
	}
	switch {
	case json.Unmarshal(answer, &r) != nil || r.Object != d.object:
		return "", 0, "it is no " + d.object
	case !isNothing(r.Error):
		return "", 0, "it is an error"
	case r.Status != "completed":
		return "", 0, "it has not ended by itself"
	}
	messages := 0
	for _, item := range r.Output {
		switch item.Type {
		case "reasoning":
			continue
		case "message":
			messages++
		default:
			return "", 0, "it has " + item.Type
		}
		for _, p := range item.Content {
			if p.Type != "output_text" {
				return "", 0, "it has " + p.Type
			}
			if !isNothing(p.Annotations) {
				return "", 0, "it has annotations"
			}
			content += p.Text
		}
	}
	switch {
	case messages != 1:
		return "", 0, "it is not one message"
	case strings.TrimSpace(content) == "":
		return "", 0, "it is empty"
	}
	return content, tokensOf(r.Usage), ""
}

// tokensOf is how many an answer has taken, 0 if it does not say.
func tokensOf(usage json.RawMessage) int64 {
	var u struct {
		Total int64 `json:"total_tokens"`
	}
	if json.Unmarshal(usage, &u) != nil || u.Total < 0 {
		return 0
	}
	return u.Total
}

// events reads a stream of server-sent events, in pieces of any size.
type events struct {
	limit int // bytes of one event
	line  []byte
	data  []byte
	some  bool // data was given
	over  bool // an event was larger than limit
	event func(data []byte)
}

// write takes the next bytes of the stream.
func (e *events) write(p []byte) {
	for len(p) > 0 && !e.over {
		i := bytes.IndexByte(p, '\n')
		n := i
		if i < 0 {
			n = len(p)
		}
		if len(e.line)+len(e.data)+n > e.limit {
			e.over = true
			e.line, e.data = nil, nil
			return
		}
		e.line = append(e.line, p[:n]...)
		if i < 0 {
			return
		}
		p = p[i+1:]
		e.take(bytes.TrimSuffix(e.line, []byte{'\r'}))
		e.line = e.line[:0]
	}
}

func (e *events) take(line []byte) {
	if len(line) == 0 {
		if e.some {
			e.event(e.data)
		}
		e.data, e.some = e.data[:0], false
		return
	}
	name, value, _ := bytes.Cut(line, []byte{':'})
	if string(name) != "data" { // a comment, an id, a name
		return
	}
	if e.some {
		e.data = append(e.data, '\n')
	}
	e.data = append(e.data, bytes.TrimPrefix(value, []byte{' '})...)
	e.some = true
}

// recording puts a streamed answer together.
type recording struct {
	d      *dialect
	events events
	answer completion
	texts  map[string]*strings.Builder // of the message, by field
	text   strings.Builder             // of the other dialect
	size   int
	begun  bool
	done   bool            // the stream has said that it is complete
	whole  json.RawMessage // the answer, where the stream ends with it
	bad    string          // why it is not kept
}

func newRecording(d *dialect, limit int64) *recording {
	r := &recording{d: d, texts: map[string]*strings.Builder{}}
	r.events = events{limit: int(limit), event: func(data []byte) { d.record(r, data) }}
	r.answer.Choices = []choice{{}}
	return r
}

// write takes the next bytes of the stream.
func (r *recording) write(p []byte) {
	r.events.write(p)
	if r.events.over {
		r.fail("it is long")
	}
}

func (r *recording) fail(why string) {
	if r.bad == "" {
		r.bad = why
	}
}

// recordResponse: the events are of many types, and the last one has the whole response.
func recordResponse(r *recording, data []byte) {
	var e struct {
		Type     string
		Response json.RawMessage
	}
	if err := json.Unmarshal(data, &e); err != nil {
		r.fail("a piece of it is not JSON")
		return
	}
	switch e.Type {
	case "response.completed":
		if !r.done {
			r.whole, r.done = compacted(e.Response), true
			return
		}
		r.fail("it goes on behind its end")
	case "response.failed", "response.incomplete", "error":
		r.fail("it has not ended by itself")
	}
}

// recordChunk: each event has a piece of the answer.
func recordChunk(r *recording, data []byte) {
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		r.done = true
		return
	}
	var c completion
	if err := json.Unmarshal(data, &c); err != nil {
		r.fail("a piece of it is not JSON")
		return
	}
	switch {
	case r.bad != "":
		return
	case r.done:
		r.fail("it goes on behind its end")
		return
	case !isNothing(c.Error):
		r.fail("it is an error")
		return
	case c.Object != r.d.chunk:
		r.fail("it is no " + r.d.chunk)
		return
	}
	if !r.begun {
		r.begun = true
		r.answer.ID, r.answer.Created, r.answer.Model, r.answer.System = c.ID, c.Created, c.Model, c.System
		r.answer.Object = r.d.object
	}
	if !isNothing(c.Usage) {
		r.answer.Usage, r.answer.Unasked = c.Usage, false
	}
	for i := range c.Choices {
		r.choice(&c.Choices[i])
	}
	if r.size += len(data); r.size > 8*r.events.limit { // each piece is much longer than its text
		r.fail("it is long")
	}
}

func (r *recording) choice(x *choice) {
	if x.Index != 0 {
		r.fail("it is not one choice")
		return
	}
	if x.Finish != nil {
		r.answer.Choices[0].Finish = x.Finish
	}
	if x.Text != nil {
		r.text.WriteString(*x.Text)
	}
	for name, v := range x.Delta {
		if isNothing(v) {
			continue
		}
		var s string
		if json.Unmarshal(v, &s) != nil {
			r.fail("it has " + name)
			return
		}
		b := r.texts[name]
		if b == nil {
			b = &strings.Builder{}
			r.texts[name] = b
		}
		if name == "role" {
			b.Reset()
		}
		b.WriteString(s)
	}
}

// result is the answer, once the stream has ended; why says why it is not kept.
func (r *recording) result() (answer []byte, why string) {
	switch {
	case r.bad != "":
		return nil, r.bad
	case !r.done:
		return nil, "it has no end"
	case r.whole != nil:
		return r.whole, ""
	}
	x := &r.answer.Choices[0]
	if r.d == &text {
		s := r.text.String()
		x.Text = &s
		return r.marshal()
	}
	x.Message = map[string]json.RawMessage{"role": json.RawMessage(`"assistant"`)}
	for name, b := range r.texts {
		v, err := json.Marshal(b.String())
		if err != nil {
			return nil, "it is no text"
		}
		x.Message[name] = v
	}
	return r.marshal()
}

func (r *recording) marshal() (answer []byte, why string) {
	b, err := json.Marshal(&r.answer)
	if err != nil {
		return nil, "it is no text"
	}
	return b, ""
}
