package http

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nearcache/nearcache/store/semcache"
)

// FuzzQuestion is what a client may send to the proxy.
func FuzzQuestion(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`), "", "")
	f.Add([]byte(`{"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"x"}]},{"role":"user","content":"hi","name":"n"}],"temperature":1e400,"stream":true}`), "a=b,c=d", "0.5")
	f.Add([]byte(`{"model":"m","prompt":"p","n":1,"stop":["a"]}`), "@a=b", "nan")
	f.Add([]byte(`{"model":null,"messages":null}`), "=", "-1")
	f.Add([]byte(`{"model":"m","messages":[null,{"role":"user","content":[]}]}`), "", "")
	f.Add([]byte(`{"model":"m","input":"hi","instructions":"Be brief.","previous_response_id":"r-1"}`), "", "")
	f.Add([]byte(`{"model":"m","input":[{"type":"reasoning"},{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}],"tools":[{"type":"function"}]}`), "", "")
	f.Add([]byte(`{"model":"m","input":[null],"tools":[null]}`), "", "")
	who := &caller{scope: []semcache.Pair{{Field: "@user", Value: "ann"}}}
	f.Fuzz(func(t *testing.T, body []byte, scope, threshold string) {
		h := http.Header{}
		h.Set(headerScope, scope)
		h.Set(headerThreshold, threshold)
		for _, d := range []*dialect{&chat, &text, &respond} {
			q, why, err := d.readQuestion(body, h, who)
			if err != nil || why != "" {
				continue
			}
			if q.prompt == "" || q.model == "" || len(q.scope) < 3 || q.scope[0] != who.scope[0] {
				t.Fatalf("%s: %+v", body, q)
			}
			for _, p := range q.scope[1:] {
				if strings.HasPrefix(p.Field, mark) {
					t.Fatalf("%s: the scope %v", scope, q.scope)
				}
			}
			// White space and order change nothing.
			var v map[string]any
			dec := json.NewDecoder(bytes.NewReader(body))
			dec.UseNumber()
			if dec.Decode(&v) != nil {
				t.Fatalf("%s is no object", body)
			}
			again, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if q2, _, _ := d.readQuestion(again, h, who); utf8.Valid(body) && !reflect.DeepEqual(q.scope, q2.scope) {
				t.Fatalf("%s: %v\n%s: %v", body, q.scope, again, q2.scope)
			}
		}
	})
}

// FuzzStream is what upstream may stream: in whatever pieces it comes it means the same, and
// what is kept is replayed as it was.
func FuzzStream(f *testing.F) {
	const head = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[`
	f.Add([]byte(head+`{"index":0,"delta":{"role":"assistant","content":"hé"},"finish_reason":null}]}`+"\n\n"+head+`{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\r\n\r\ndata: [DONE]\n\n"), uint8(3))
	f.Add([]byte(head+`{"index":0,"delta":{"reasoning_content":"hm","content":"a\u0000b"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}`+"\n\n: ping\n\ndata: [DONE]\n\n"), uint8(1))
	f.Add([]byte("data: {\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\ndata:[DONE]\n\n"), uint8(0))
	f.Add([]byte("event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"hi\"}]}]}}\n\n"), uint8(5))
	f.Add([]byte("event: x\ndata: a\ndata: b\n\n"), uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		for _, d := range []*dialect{&chat, &text, &respond} {
			whole, parts := newRecording(d, 4096), newRecording(d, 4096)
			whole.write(stream)
			for p := stream; len(p) > 0; {
				n := min(int(size)+1, len(p))
				parts.write(p[:n])
				p = p[n:]
			}
			kept, whyA := whole.result()
			other, whyB := parts.result()
			if whyA != whyB {
				t.Fatalf("%q as a whole, %q in parts", whyA, whyB)
			}
			if whyA != "" {
				continue
			}
			if !bytes.Equal(kept, other) {
				t.Fatalf("%s as a whole, %s in parts", kept, other)
			}
			content, _, why := d.judge(d, kept)
			if why != "" {
				continue
			}
			again, err := d.stream(d, nil, kept, true)
			if err != nil {
				if d == &respond {
					continue // a field is not written as the API does
				}
				t.Fatalf("%s: %v", kept, err)
			}
			r := newRecording(d, 1<<20)
			r.write(again)
			c, why := r.result()
			if why != "" {
				t.Fatalf("%s\nreplayed %s: %s", kept, again, why)
			}
			if got, _, why := d.judge(d, c); got != content || why != "" {
				t.Fatalf("%q replayed is %q (%s)", content, got, why)
			}
		}
	})
}

// FuzzAnswer is what upstream may answer, and what may lie in an entry.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"finish_reason":"stop"}],"usage":{"total_tokens":3}}`))
	f.Add([]byte(`{"object":"text_completion","choices":[{"text":"` + strings.Repeat("長い ", 40) + `","finish_reason":"stop"}]}`))
	f.Add([]byte(`{"object":"chat.completion","choices":[{"message":null,"finish_reason":"stop"}]}`))
	f.Add([]byte(`{"object":"response","status":"completed","error":null,"output":[{"type":"reasoning"},{"type":"message","content":[{"type":"output_text","text":"hi","annotations":[]}]}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, d := range []*dialect{&chat, &text, &respond} {
			if content, tokens, why := d.judge(d, answer); tokens < 0 || why == "" && strings.TrimSpace(content) == "" {
				t.Fatalf("%q, %d tokens: %s", content, tokens, answer)
			}
		}
		for _, d := range []*dialect{&chat, &text} {
			b, err := d.stream(d, nil, answer, false)
			if err == nil && !bytes.HasSuffix(b, []byte("data: [DONE]\n\n")) {
				t.Fatalf("%s", b)
			}
		}
		if b, err := respond.stream(&respond, nil, answer, false); err == nil && !bytes.HasSuffix(b, []byte("}\n\n")) {
			t.Fatalf("%s", b)
		}
	})
}

// FuzzRequest is what a client may send to LangCache's API.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"prompt":"p","response":"r","attributes":{"a":"b"},"ttlMillis":5}`))
	f.Add([]byte(`{"prompt":"p","similarityThreshold":0.5,"searchStrategies":["exact"],"maxResults":3,"context":["a"]}`))
	f.Add([]byte(`{"prompt":null,"attributes":{"@x":"","=":"\u001f"}}`))
	who := &caller{scope: []semcache.Pair{{Field: "@user", Value: "ann"}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		var set setRequest
		var find conversationRequest
		if err := parseRequest(body, &set); err != nil {
			if p, ok := err.(*problem); !ok || p.Status != http.StatusBadRequest {
				t.Fatalf("%v", err)
			}
		}
		if parseRequest(body, &find) != nil {
			return
		}
		if find.Prompt != nil {
			standalone(*find.Prompt, find.Context)
		}
		scope, err := scopeOf(who, find.Attributes)
		if err != nil {
			return
		}
		for i, p := range scope {
			if strings.HasPrefix(p.Field, mark) != (i == 0) || p.Value == "" {
				t.Fatalf("%s: %v", body, scope)
			}
		}
	})
}

// FuzzKey is what the setting http-keys may say.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"ann:k", "ann:k:team=red,region=eu", "ann:k:*", "ann:#" + strings.Repeat("0a", 32), "a:b:c", ":", "a::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		k, err := ParseKey(word)
		if err != nil {
			return
		}
		again, err := ParseKey(k.String())
		if err != nil || !reflect.DeepEqual(k, again) {
			t.Fatalf("%q is %+v, written as %q %+v: %v", word, k, k.String(), again, err)
		}
	})
}

func TestPiecesAreTheText(t *testing.T) {
	for _, s := range []string{"", "a", strings.Repeat("a", 1000), strings.Repeat("word ", 100), strings.Repeat("長", 200), strings.Repeat(" ", 100)} {
		l := pieces(s)
		if strings.Join(l, "") != s {
			t.Errorf("%q became %q", s, l)
		}
		for _, p := range l {
			if !utf8.ValidString(p) || len(p) > pieceSize {
				t.Errorf("a piece %q", p)
			}
		}
	}
}
