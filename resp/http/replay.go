package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"unicode/utf8"
)

// pieceSize is about how many bytes of an answer go in one event of a stream.
const pieceSize = 48

// pieces cuts a text behind white space, never within a rune. Put together they are the text.
func pieces(s string) (l []string) {
	for len(s) > pieceSize {
		n := pieceSize
		if i := strings.LastIndexByte(s[:n], ' '); i > 0 {
			n = i + 1
		} else {
			for n > 0 && !utf8.RuneStart(s[n]) {
				n--
			}
		}
		if n == 0 { // no text in UTF-8
			n = pieceSize
		}
		l = append(l, s[:n])
		s = s[n:]
	}
	return append(l, s)
}

// chunk is an event of a replayed stream.
type chunk struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created json.Number     `json:"created"`
	Model   string          `json:"model"`
	System  string          `json:"system_fingerprint,omitempty"`
	Choices []chunkChoice   `json:"choices"`
	Usage   json.RawMessage `json:"usage,omitempty"`
}

// chunkChoice is what it says. Delta is there in each event of a chat, even if empty.
type chunkChoice struct {
	Index    int     `json:"index"`
	Delta    any     `json:"delta,omitempty"`
	Text     *string `json:"text,omitempty"`
	Logprobs any     `json:"logprobs"`
	Finish   *string `json:"finish_reason"`
}

// streamCompletion is the stream of a chat's answer, or a text's.
func streamCompletion(d *dialect, b, answer []byte, usage bool) ([]byte, error) {
	var c completion
	if err := json.Unmarshal(answer, &c); err != nil {
		return nil, err
	}
	content, why := c.keepable(d)
	if why != "" {
		return nil, fmt.Errorf("what is kept cannot be streamed: %s", why)
	}
	if c.Created == "" {
		c.Created = "0"
	}
	e := chunk{ID: c.ID, Object: d.chunk, Created: c.Created, Model: c.Model, System: c.System}
	if usage {
		e.Usage = json.RawMessage("null")
	}
	var err error
	add := func(x ...chunkChoice) {
		e.Choices = x
		if x == nil {
			e.Choices = []chunkChoice{}
		}
		v, e := json.Marshal(&e)
		if e != nil {
			err = e
		}
		b = append(append(append(b, "data: "...), v...), "\n\n"...)
	}
	stop := c.Choices[0].Finish
	if c.Choices[0].Text != nil {
		for _, p := range pieces(content) {
			add(chunkChoice{Text: &p})
		}
		add(chunkChoice{Text: new(string), Finish: stop})
	} else {
		first := map[string]json.RawMessage{"content": json.RawMessage(`""`)}
		for name, v := range c.Choices[0].Message {
			if name != "content" && (!isNothing(v) || name == "refusal") {
				first[name] = v
			}
		}
		add(chunkChoice{Delta: first})
		for _, p := range pieces(content) {
			v, e := json.Marshal(p)
			if e != nil {
				err = e
			}
			add(chunkChoice{Delta: map[string]json.RawMessage{"content": v}})
		}
		add(chunkChoice{Delta: map[string]json.RawMessage{}, Finish: stop})
	}
	if usage && !isNothing(c.Usage) {
		e.Usage = c.Usage
		add()
	}
	return append(b, "data: [DONE]\n\n"...), err
}

// streamResponse is the stream of a response: it is begun, its items are put together one after the
// other, and it is there.
func streamResponse(d *dialect, b, answer []byte, _ bool) ([]byte, error) {
	content, _, why := judgeResponse(d, answer)
	if why != "" {
		return nil, fmt.Errorf("what is kept cannot be streamed: %s", why)
	}
	type object = map[string]any
	var whole, begun map[string]json.RawMessage
	var items []map[string]json.RawMessage
	err := json.Unmarshal(answer, &whole)
	if err == nil {
		err = json.Unmarshal(whole["output"], &items)
	}
	if err != nil {
		return nil, err
	}
	n := 0
	var said strings.Builder
	add := func(kind string, e object) {
		e["type"], e["sequence_number"] = kind, n
		n++
		v, failed := json.Marshal(e)
		if failed != nil {
			err = failed
		}
		b = append(append(append(b, "event: "...), kind...), "\ndata: "...)
		b = append(append(b, v...), "\n\n"...)
	}
	with := func(m map[string]json.RawMessage, name, value string, more ...string) map[string]json.RawMessage {
		m = maps.Clone(m)
		m[name] = json.RawMessage(value)
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = json.RawMessage(more[i+1])
		}
		return m
	}
	begun = with(whole, "status", `"in_progress"`, "output", "[]", "usage", "null")
	add("response.created", object{"response": begun})
	add("response.in_progress", object{"response": begun})
	for i, item := range items {
		if string(item["type"]) != `"message"` { // what was thought
			add("response.output_item.added", object{"output_index": i, "item": item})
			add("response.output_item.done", object{"output_index": i, "item": item})
			continue
		}
		add("response.output_item.added", object{"output_index": i, "item": with(item, "status", `"in_progress"`, "content", "[]")})
		var parts []map[string]json.RawMessage
		if failed := json.Unmarshal(item["content"], &parts); failed != nil {
			return nil, failed
		}
		for k, part := range parts {
			at := func(e object) object {
				e["item_id"], e["output_index"], e["content_index"] = item["id"], i, k
				return e
			}
			var text string
			if failed := json.Unmarshal(part["text"], &text); failed != nil {
				return nil, failed
			}
			add("response.content_part.added", at(object{"part": with(part, "text", `""`)}))
			said.WriteString(text)
			for _, p := range pieces(text) {
				add("response.output_text.delta", at(object{"delta": p, "logprobs": []any{}}))
			}
			add("response.output_text.done", at(object{"text": text, "logprobs": []any{}}))
			add("response.content_part.done", at(object{"part": part}))
		}
		add("response.output_item.done", object{"output_index": i, "item": item})
	}
	add("response.completed", object{"response": whole})
	if said.String() != content { // names of fields are in another case, say, which clients do not take for them
		return nil, errors.New("what is kept cannot be streamed: its text is not where it should be")
	}
	return b, err
}

// errNoUsage: a stream that is asked for its usage ends with it. What was recorded without is asked for once more, rather than that
// somebody's count of tokens fails. An answer that comes as a whole need not have it.
var errNoUsage = errors.New("what is kept was streamed without its usage")

// replay is what is kept, as the question wants it. Others than us may have stored it: an error says that it
// is no answer.
func (d *dialect) replay(q *question, answer []byte) ([]byte, error) {
	if bytes.Contains(answer, []byte("usage_not_asked_for")) {
		var c completion
		if json.Unmarshal(answer, &c) == nil && c.Unasked {
			if q.stream && q.usage {
				return nil, errNoUsage
			}
			c.Unasked = false
			var err error
			if answer, err = json.Marshal(&c); err != nil {
				return nil, err
			}
		}
	}
	if q.stream {
		return d.stream(d, nil, answer, q.usage)
	}
	if b := bytes.TrimLeft(answer, " \t\r\n"); len(b) == 0 || b[0] != '{' || !json.Valid(b) {
		return nil, errors.New("what is kept is no JSON object")
	}
	return answer, nil
}

// writeReplay writes what replay has made.
func writeReplay(w http.ResponseWriter, q *question, b []byte) {
	h := w.Header()
	if q.stream {
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
	} else {
		h.Set("Content-Type", "application/json")
	}
	_, _ = w.Write(b)
}
