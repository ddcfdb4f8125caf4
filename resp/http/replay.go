package http

import (
	"encoding/json"
	"fmt"
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

// appendStream appends the events that say what a kept answer says.
func (d *dialect) appendStream(b []byte, answer []byte, usage bool) ([]byte, error) {
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

// replay answers with what is kept.
func (d *dialect) replay(w http.ResponseWriter, q *question, answer []byte) error {
	if !q.stream {
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write(answer)
		return err
	}
	b, err := d.appendStream(nil, answer, q.usage)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, err = w.Write(b)
	return err
}
