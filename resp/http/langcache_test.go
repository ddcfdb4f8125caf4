package http_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"testing"
)

type entry struct {
	ID, Prompt, Response string
	Attributes           map[string]string
	Similarity           float64
	SearchStrategy       string
}

func (w *world) set(cache, body string, headers ...string) string {
	w.t.Helper()
	var r struct{ EntryID string }
	w.ask("POST", "/v1/caches/"+cache+"/entries", body, headers...).want(w.t, http.StatusCreated, &r)
	if r.EntryID == "" {
		w.t.Error("no id")
	}
	return r.EntryID
}

func (w *world) search(cache, body string, headers ...string) []entry {
	w.t.Helper()
	var r struct{ Data []entry }
	w.ask("POST", "/v1/caches/"+cache+"/entries/search", body, headers...).want(w.t, http.StatusOK, &r)
	if r.Data == nil {
		w.t.Error("data is null")
	}
	return r.Data
}

func TestEntriesAreFoundByThePromptAndByOnesLikeIt(t *testing.T) {
	w := newWorld(t)
	if l := w.search("c", `{"prompt":"How do I reset my password?"}`); len(l) != 0 {
		t.Errorf("found in nothing: %v", l)
	}
	id := w.set("c", `{"prompt":"How do I reset my password?","response":"Click it."}`)
	l := w.search("c", `{"prompt":"how do i reset   my password?"}`)
	if len(l) != 1 || l[0].ID != id || l[0].Response != "Click it." || l[0].Similarity != 1 || l[0].SearchStrategy != "exact" ||
		l[0].Prompt != "How do I reset my password?" || l[0].Attributes == nil || len(l[0].Attributes) != 0 {
		t.Errorf("%+v", l)
	}
	l = w.search("c", `{"prompt":"How do I reset my password please?","similarityThreshold":0.8}`)
	if len(l) != 1 || l[0].SearchStrategy != "semantic" || l[0].Similarity < 0.8 || l[0].Similarity >= 1 {
		t.Errorf("%+v", l)
	}
	f := func(body string, n int) {
		t.Helper()
		if l := w.search("c", body); len(l) != n {
			t.Errorf("%s: %+v", body, l)
		}
	}
	f(`{"prompt":"How do I reset my password please?","similarityThreshold":0.99}`, 0)
	f(`{"prompt":"How do I reset my password please?","searchStrategies":["exact"]}`, 0)
	f(`{"prompt":"How do I reset my password?","searchStrategies":["exact"]}`, 1)
	f(`{"prompt":"How do I reset my password?","searchStrategies":["semantic"]}`, 1)
	f(`{"prompt":"What is the capital of France?"}`, 0)
	if v := w.do("SEM.INFO", "c"); len(v.Elems) == 0 {
		t.Error("SEM.INFO does not know the cache")
	}
	// The same prompt again replaces the answer.
	if again := w.set("c", `{"prompt":"how do I reset my password?","response":"Call us.","ttlMillis":60000}`); again != id {
		t.Errorf("id %s, was %s", again, id)
	}
	if l := w.search("c", `{"prompt":"How do I reset my password?"}`); len(l) != 1 || l[0].Response != "Call us." {
		t.Errorf("%+v", l)
	}
	if v := w.do("PTTL", "sem:{c}:"+id); v.Int <= 0 || v.Int > 60000 {
		t.Errorf("it lives %d ms", v.Int)
	}
}

func TestAttributesFilter(t *testing.T) {
	w := newWorld(t)
	w.set("c", `{"prompt":"my balance","response":"1","attributes":{"user":"ann","team":"red"}}`)
	w.set("c", `{"prompt":"my balance","response":"2","attributes":{"user":"bob","team":"red"}}`)
	w.set("c", `{"prompt":"my balance","response":"3"}`)
	f := func(attributes, want string) {
		t.Helper()
		var got []string
		for _, e := range w.search("c", `{"prompt":"my balance","maxResults":10,"attributes":`+attributes+`}`) {
			got = append(got, e.Response)
			if e.SearchStrategy != "exact" || e.Response != "3" && e.Attributes["team"] != "red" {
				t.Errorf("%+v", e)
			}
		}
		n := map[string]bool{}
		for _, x := range got {
			n[x] = true
		}
		if len(got) != len(want) || len(n) != len(want) {
			t.Errorf("%s: %v, want those of %q", attributes, got, want)
		}
		for _, x := range want {
			if !n[string(x)] {
				t.Errorf("%s: %v, want those of %q", attributes, got, want)
			}
		}
	}
	f(`{"user":"ann"}`, "1")
	f(`{"team":"red"}`, "12")
	f(`{"team":"red","user":"bob"}`, "2")
	f(`{}`, "123")
	f(`{"user":"eve"}`, "")
	f(`{"user":"ann "}`, "")
	f(`{"user":"ann","team":"blue"}`, "")
	var r struct{ DeletedEntriesCount int }
	w.ask("DELETE", "/v1/caches/c/entries", `{"attributes":{"user":"ann","team":"blue"}}`).want(t, 200, &r)
	if r.DeletedEntriesCount != 0 {
		t.Errorf("%d deleted", r.DeletedEntriesCount)
	}
	w.ask("DELETE", "/v1/caches/c/entries", `{"attributes":{"team":"red"}}`).want(t, 200, &r)
	if r.DeletedEntriesCount != 2 {
		t.Errorf("%d deleted", r.DeletedEntriesCount)
	}
	f(`{}`, "3")
	id := w.set("c", `{"prompt":"other","response":"4"}`)
	a := w.ask("DELETE", "/v1/caches/c/entries/"+id, "")
	if a.want(t, http.StatusNoContent, nil); a.body != "" {
		t.Errorf("a body: %q", a.body)
	}
	w.ask("DELETE", "/v1/caches/c/entries/"+id, "").want(t, http.StatusNotFound, nil)
	w.ask("POST", "/v1/caches/c/flush", "").want(t, http.StatusNoContent, nil)
	f(`{}`, "")
	w.ask("POST", "/v1/caches/none/flush", "").want(t, http.StatusNotFound, nil)
	w.ask("DELETE", "/v1/caches/none/entries/1", "").want(t, http.StatusNotFound, nil)
	w.ask("DELETE", "/v1/caches/none/entries", `{"attributes":{"a":"b"}}`).want(t, http.StatusNotFound, nil)
}

func TestAConversationLeansOnTheLastQuestion(t *testing.T) {
	w := newWorld(t)
	w.set("c", `{"prompt":"What is the capital of France? And how many people live there?","response":"2 million"}`)
	var r struct {
		ActualPrompt string
		Data         []entry
	}
	ask := func(body string) {
		t.Helper()
		r.ActualPrompt, r.Data = "", nil
		w.ask("POST", "/v1/caches/c/conversations/search", body).want(t, 200, &r)
	}
	ask(`{"prompt":"And how many people live there?","context":["Hello","What is the capital of France?"]}`)
	if r.ActualPrompt != "What is the capital of France? And how many people live there?" || len(r.Data) != 1 {
		t.Errorf("%+v", r)
	}
	ask(`{"prompt":"And how many people live there?"}`)
	if r.ActualPrompt != "And how many people live there?" || len(r.Data) != 0 {
		t.Errorf("%+v", r)
	}
	ask(`{"prompt":"How tall is Mount Everest?","context":["What is the capital of France?"]}`)
	if r.ActualPrompt != "How tall is Mount Everest?" {
		t.Errorf("%+v", r)
	}
}

// TestWhatDoesNotFitIsRefused: the SDK raises the error that belongs to status and type.
func TestWhatDoesNotFitIsRefused(t *testing.T) {
	w := newWorld(t, "--http-max-body", "2kb")
	w.set("c", `{"prompt":"p","response":"r"}`)
	f := func(method, path, body string, status int, kind, field string) {
		t.Helper()
		var p struct {
			Title, Type, Detail string
			Status              int
			Fields              []struct{ Field, Rule, Message string }
		}
		a := w.ask(method, path, body)
		a.want(t, status, &p)
		if p.Type != "/errors/"+kind || p.Title == "" || p.Status != status || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s %s: %s", method, path, body, a.body)
		}
		if field != "" && (len(p.Fields) != 1 || p.Fields[0].Field != field || p.Fields[0].Rule == "" || p.Fields[0].Message == "") {
			t.Errorf("%s %s: %s", path, body, a.body)
		}
	}
	bad := func(path, body, field string) {
		t.Helper()
		f("POST", "/v1/caches/c/"+path, body, 400, "invalid-data", field)
	}
	bad("entries", `{`, "")
	bad("entries", `[]`, "")
	bad("entries", `{"prompt":"p"}`, "response")
	bad("entries", `{"response":"r"}`, "prompt")
	bad("entries", `{"prompt":"","response":"r"}`, "prompt")
	bad("entries", `{"prompt":7,"response":"r"}`, "prompt")
	bad("entries", `{"prompt":"p","response":"r","ttlMillis":0}`, "ttlMillis")
	bad("entries", `{"prompt":"p","response":"r","ttlMillis":9223372036854775807}`, "ttlMillis")
	bad("entries", `{"prompt":"p","response":"r","attributes":{"@user":"x"}}`, "attributes.@user")
	bad("entries", `{"prompt":"p","response":"r","attributes":{"a=b":"x"}}`, "attributes.a=b")
	bad("entries", `{"prompt":"p","response":"r","attributes":{"a":""}}`, "attributes.a")
	bad("entries", `{"prompt":"p","response":"r","attributes":{"a":"x\u001fb"}}`, "attributes.a")
	bad("entries", `{"prompt":"p","response":"r","attributes":{"a":"`+strings.Repeat("x", 1100)+`"}}`, "attributes.a")
	bad("entries", "{\"prompt\":\"\xff\",\"response\":\"r\"}", "")
	for _, half := range []string{`\ud800`, `\udc00`, `\\\ud800`, `\ud800\u0041`, `\udc00\ud800`, `\ud800\ud800\udc00`, `\ud800x`} {
		bad("entries", `{"prompt":"p","response":"r","attributes":{"a":"`+half+`"}}`, "")
	}
	bad("entries/search", `{"prompt":"p","similarityThreshold":1.5}`, "similarityThreshold")
	bad("entries/search", `{"prompt":"p","similarityThreshold":-0.1}`, "similarityThreshold")
	bad("entries/search", `{"prompt":"p","searchStrategies":["fuzzy"]}`, "searchStrategies")
	bad("entries/search", `{"prompt":"p","maxResults":0}`, "maxResults")
	bad("entries/search", `{"prompt":"p","maxResults":101}`, "maxResults")
	bad("entries/search", `{}`, "prompt")
	bad("conversations/search", `{}`, "prompt")
	bad("conversations/search", `{"prompt":7}`, "prompt")
	bad("conversations/search", `{"prompt":"p","context":"q"}`, "context")
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf(`"a%d":"x"`, i))
	}
	bad("entries/search", `{"prompt":"p","attributes":{`+strings.Join(many, ",")+`}}`, "attributes")
	f("DELETE", "/v1/caches/c/entries", `{"attributes":{}}`, 400, "invalid-data", "attributes")
	f("POST", "/v1/caches/"+strings.Repeat("x", 129)+"/entries", `{"prompt":"p","response":"r"}`, 400, "invalid-data", "cacheId")
	f("POST", "/v1/caches/%7Bx%7D/entries", `{"prompt":"p","response":"r"}`, 400, "invalid-data", "cacheId")
	f("POST", "/v1/caches/c/entries", `{"prompt":"p","response":"`+strings.Repeat("x", 3000)+`"}`, 413, "payload-too-large", "")
	f("DELETE", "/v1/caches/c/entries/none", "", 404, "resource-not-found", "")
	f("GET", "/v1/caches/c/entries", "", 405, "method-not-allowed", "")
	f("GET", "/nothing", "", 404, "resource-not-found", "")
	if n := w.search("c", `{"prompt":"p","maxResults":100}`); len(n) != 1 {
		t.Errorf("something was stored: %v", n)
	}
	// Pairs that are whole, and what only looks like half a pair, are taken.
	for _, whole := range []string{`\ud83d\ude00`, `\uD83D\uDE00\u0041`, `\\ud800`, `\"\\\\ud800`, `\u0041`, `\ufffd`} {
		w.set("c", `{"prompt":"p","response":"r","attributes":{"a":"`+whole+`"}}`)
	}
}

func hash(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

func TestKeysSeparateUsers(t *testing.T) {
	w := newWorld(t, "--http-keys", "ann:key-a", "bob:#"+hash("key-b"), "tom:key-t:team=red", "eva:key-e:team=red", "root:key-r:*")
	as := func(key string) []string { return []string{"Authorization", "Bearer " + key} }
	for _, key := range []string{"key-a", "key-b", "key-t"} {
		w.set("c", `{"prompt":"my balance","response":"of `+key+`"}`, as(key)...)
	}
	f := func(key string, want ...string) {
		t.Helper()
		l := w.search("c", `{"prompt":"my balance","maxResults":9}`, as(key)...)
		if len(l) != len(want) {
			t.Errorf("%s sees %+v", key, l)
			return
		}
		for i, e := range l {
			if len(want) == 1 && e.Response != want[i] || len(e.Attributes) != 0 {
				t.Errorf("%s sees %+v", key, l)
			}
		}
	}
	f("key-a", "of key-a")
	f("key-b", "of key-b")
	f("key-t", "of key-t")
	f("key-e", "of key-t")
	f("key-r", "of key-a", "of key-b", "of key-t")
	// Nobody deletes what is not his own.
	id := w.search("c", `{"prompt":"my balance"}`, as("key-a")...)[0].ID
	w.ask("DELETE", "/v1/caches/c/entries/"+id, "", as("key-b")...).want(t, 404, nil)
	w.ask("POST", "/v1/caches/c/flush", "", as("key-b")...).want(t, 204, nil)
	f("key-b")
	f("key-a", "of key-a")
	for _, h := range [][]string{nil, as("key-x"), as(""), {"Authorization", "Basic key-a"}, as("#" + hash("key-a"))} {
		var p struct{ Type string }
		w.ask("POST", "/v1/caches/c/entries/search", `{"prompt":"p"}`, h...).want(t, 401, &p)
		if p.Type != "/errors/authentication-failed" {
			t.Errorf("%q: %+v", h, p)
		}
	}
	w.ask("GET", "/metrics", "").want(t, 401, nil)
	w.ask("GET", "/health", "").want(t, 200, nil)
	if v := w.do("CONFIG", "GET", "http-keys"); strings.Contains(fmt.Sprint(v), "key-a") {
		t.Errorf("CONFIG GET shows a key: %v", v)
	}
}

func TestThePasswordIsAKey(t *testing.T) {
	w := newWorld(t, "--requirepass", "secret")
	w.ask("POST", "/v1/caches/c/entries/search", `{"prompt":"p"}`).want(t, 401, nil)
	w.ask("POST", "/v1/caches/c/entries/search", `{"prompt":"p"}`, "Authorization", "Bearer wrong").want(t, 401, nil)
	w.ask("POST", "/v1/caches/c/entries/search", `{"prompt":"p"}`, "Authorization", "Bearer secret").want(t, 200, nil)
}

// TestPagesOfOtherSitesComeNotIn: a browser on this machine sends what any page wants.
func TestPagesOfOtherSitesComeNotIn(t *testing.T) {
	w := newWorld(t)
	const path, body = "/v1/caches/c/entries", `{"prompt":"p","response":"r"}`
	w.ask("POST", path, body, "Origin", "https://evil.example").want(t, 403, nil)
	w.ask("POST", path, body, "Sec-Fetch-Site", "cross-site").want(t, 403, nil)
	w.ask("POST", path, body, "Content-Type", "text/plain").want(t, 415, nil)
	w.ask("POST", path, body, "Host", "evil.example").want(t, 403, nil)
	w.ask("POST", path, body, "Host", "localhost:1").want(t, 201, nil)
	w.ask("POST", path, body, "Content-Type", "application/json; charset=utf-8").want(t, 201, nil)
}

func TestFullMemoryAndAModelThatIsOut(t *testing.T) {
	w := newWorld(t, "--embed", "out=openai:m", "--embed-url", "http://127.0.0.1:1/v1", "--embed-timeout", "1")
	var p struct{ Type, Detail string }
	w.ask("POST", "/v1/caches/c/entries", `{"prompt":"p","response":"r"}`).want(t, http.StatusFailedDependency, &p)
	if p.Type != "/errors/resource-unavailable" || strings.Contains(p.Detail, "127.0.0.1") {
		t.Errorf("%+v", p)
	}
	w = newWorld(t)
	w.set("c", `{"prompt":"p","response":"r"}`)
	w.do("CONFIG", "SET", "maxmemory", "1")
	w.ask("POST", "/v1/caches/c/entries", `{"prompt":"q","response":"r"}`).want(t, http.StatusFailedDependency, &p)
	if p.Type != "/errors/database-out-of-memory" {
		t.Errorf("%+v", p)
	}
	if l := w.search("c", `{"prompt":"p"}`); len(l) != 1 {
		t.Errorf("%v", l)
	}
	w.ask("GET", "/health", "").want(t, http.StatusServiceUnavailable, nil)
	w.ask("POST", "/v1/caches/c/flush", "").want(t, http.StatusNoContent, nil)
}

func TestWhyNothingCanBeWritten(t *testing.T) {
	w := newWorld(t)
	id := w.set("c", `{"prompt":"p","response":"r"}`)
	w.do("CONFIG", "SET", "min-replicas-to-write", "1")
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1/caches/c/entries", `{"prompt":"q","response":"r"}`},
		{"DELETE", "/v1/caches/c/entries", `{"attributes":{"a":"b"}}`},
		{"DELETE", "/v1/caches/c/entries/" + id, ""},
		{"POST", "/v1/caches/c/flush", ""},
	} {
		var p struct{ Type, Detail string }
		w.ask(c.method, c.path, c.body).want(t, http.StatusFailedDependency, &p)
		if p.Type != "/errors/resource-unavailable" || p.Detail != "nothing can be written now: NOREPLICAS" {
			t.Errorf("%s %s: %+v", c.method, c.path, p)
		}
	}
	if l := w.search("c", `{"prompt":"p"}`); len(l) != 1 {
		t.Errorf("%v", l)
	}
}

// TestACacheOfVectorsThatComeWithPrompts is none for clients that send no vectors.
func TestACacheOfVectorsThatComeWithPrompts(t *testing.T) {
	w := newWorld(t)
	w.do("SEM.CREATE", "own", "DIM", "3")
	for _, path := range []string{"entries", "entries/search", "conversations/search"} {
		var p struct{ Type, Detail string }
		w.ask("POST", "/v1/caches/own/"+path, `{"prompt":"p","response":"r"}`).want(t, http.StatusFailedDependency, &p)
		if p.Type != "/errors/resource-unavailable" || p.Detail == "" {
			t.Errorf("%s: %+v", path, p)
		}
	}
	w.ask("POST", "/v1/caches/own/flush", "").want(t, http.StatusNoContent, nil)
}

func TestWhatIsStoredIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	t.Run("first", func(t *testing.T) {
		w := newWorld(t, "--appendonly", "yes", "--appendfsync", "always", "--dir", dir)
		w.set("c", `{"prompt":"p","response":"r","attributes":{"a":"b"}}`)
	})
	t.Run("second", func(t *testing.T) {
		w := newWorld(t, "--appendonly", "yes", "--dir", dir, "--embed", "lexical:64") // which the cache does not fit any more
		if l := w.search("c", `{"prompt":"p","attributes":{"a":"b"}}`); len(l) != 1 || l[0].Response != "r" {
			t.Errorf("%+v", l)
		}
	})
}

func TestDescriptionFitsTheHandlers(t *testing.T) {
	w := newWorld(t, "--http-keys", "ann:k")
	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name string }
			Security    *[]any
			RequestBody *struct {
				Content map[string]struct{ Schema map[string]any }
			}
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
	}
	w.ask("GET", "/openapi.json", "").want(t, 200, &d)
	if !strings.HasPrefix(d.OpenAPI, "3.1") || len(d.Paths) < 10 {
		t.Fatalf("%+v", d)
	}
	// Every path answers as it is described: to nonsense, without a key, and to what fits.
	examples := map[string]string{
		"set": `{"prompt":"p","response":"r","attributes":{"a":"b"}}`, "search": `{"prompt":"p"}`, "conversationalSearch": `{"prompt":"p","context":["q"]}`,
		"deleteQuery": `{"attributes":{"x":"y"}}`, "chatCompletions": `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		"completions": `{"model":"m","prompt":"hi"}`, "embeddings": `{"model":"lexical","input":"hi"}`, "responses": `{"model":"m","input":"hi"}`,
	}
	w.model.set(func(rw http.ResponseWriter, r *http.Request, _ modelRequest) bool {
		if r.URL.Path == "/v1/responses" || strings.HasPrefix(r.URL.Path, "/v1/models/") {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, `{}`)
			return true
		}
		return false
	})
	id := w.set("c", examples["set"], "Authorization", "Bearer k")
	check := func(path, method string, a answer) {
		t.Helper()
		op := d.Paths[path][method]
		r, ok := op.Responses[fmt.Sprint(a.status)]
		if !ok {
			t.Errorf("%s %s answers %d, which is not described: %s", method, path, a.status, a.body)
			return
		}
		if len(r.Content) == 0 {
			return
		}
		kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
		c, ok := r.Content[kind]
		if !ok {
			t.Errorf("%s %s: type %s is not described", method, path, kind)
		}
		if kind == "application/json" {
			var v any
			if err := json.Unmarshal([]byte(a.body), &v); err != nil {
				t.Error(err)
			}
			if why := mismatch(c.Schema, v); why != "" {
				t.Errorf("%s %s answers %s: %s", method, path, a.body, why)
			}
		}
	}
	streams := 0
	for path, methods := range d.Paths {
		for method, op := range methods {
			url := strings.NewReplacer("{cacheId}", "c", "{entryId}", id, "{model}", "m").Replace(path)
			m := strings.ToUpper(method)
			if op.RequestBody != nil {
				body, ok := examples[op.OperationID]
				if !ok {
					t.Fatalf("no example of %s", op.OperationID)
				}
				var v any
				_ = json.Unmarshal([]byte(body), &v)
				if why := mismatch(op.RequestBody.Content["application/json"].Schema, v); why != "" {
					t.Errorf("the example of %s: %s", op.OperationID, why)
				}
				check(path, method, w.ask(m, url, body, "Authorization", "Bearer k"))
				if _, ok := op.Responses["200"].Content["text/event-stream"]; ok {
					streamed := strings.TrimSuffix(body, "}") + `,"stream":true}`
					for range 2 { // from upstream, and from the cache
						check(path, method, w.ask(m, url, streamed, "Authorization", "Bearer k"))
					}
					headers := fmt.Sprint(op.Parameters)
					for _, h := range []string{"X-Cache-Context", "X-Cache-Mode", "X-Cache-Scope", "X-Cache-Threshold", "X-Cache-TTL", "Cache-Control"} {
						if !strings.Contains(headers, h) {
							t.Errorf("%s does not describe %s", path, h)
						}
					}
					streams++
				}
				check(path, method, w.ask(m, url, `{"prompt":[`, "Authorization", "Bearer k"))
			} else if op.OperationID != "deleteById" && op.OperationID != "flush" {
				check(path, method, w.ask(m, url, "", "Authorization", "Bearer k"))
			}
			a := w.ask(m, url, "{}")
			if open := op.Security != nil; open != (a.status != 401) {
				t.Errorf("%s %s without a key: %d", m, path, a.status)
			}
			check(path, method, a)
		}
	}
	if streams != 3 {
		t.Errorf("%d paths stream", streams)
	}
	check("/v1/caches/{cacheId}/entries/{entryId}", "delete", w.ask("DELETE", "/v1/caches/c/entries/"+id, "", "Authorization", "Bearer k"))
	check("/v1/caches/{cacheId}/flush", "post", w.ask("POST", "/v1/caches/c/flush", "", "Authorization", "Bearer k"))
}

// mismatch says where a value does not fit a schema.
func mismatch(schema map[string]any, v any) string {
	switch schema["type"] {
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v is no object", v)
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := m[name.(string)]; !ok {
				return fmt.Sprintf("%v is missing", name)
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		for name, p := range properties {
			if x, ok := m[name]; ok && x != nil {
				if why := mismatch(p.(map[string]any), x); why != "" {
					return name + ": " + why
				}
			}
		}
	case "array":
		l, ok := v.([]any)
		if !ok {
			return fmt.Sprintf("%v is no array", v)
		}
		for _, x := range l {
			if why := mismatch(schema["items"].(map[string]any), x); why != "" {
				return why
			}
		}
	case "string":
		if _, ok := v.(string); !ok {
			return fmt.Sprintf("%v is no string", v)
		}
	case "integer", "number":
		if _, ok := v.(float64); !ok {
			return fmt.Sprintf("%v is no number", v)
		}
	}
	return ""
}
