package http_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

const chatPath = "/v1/chat/completions"

// chatBody is a request; more is fields of it, each with a comma in front.
func chatBody(prompt, more string) string {
	return fmt.Sprintf(`{"model":"tiny","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":%q}]%s}`, prompt, more)
}

// from asks and checks where the answer comes from.
func (w *world) from(want, body string, headers ...string) answer {
	w.t.Helper()
	a := w.ask("POST", chatPath, body, headers...)
	if got := a.header.Get("X-Cache"); got != want || a.status != 200 || a.err != nil {
		w.t.Errorf("%s: x-cache %q (%s), want %q; status %d, %v: %s", body, got, a.header.Get("X-Cache-Reason"), want, a.status, a.err, a.body)
	}
	return a
}

func contentOf(t testing.TB, a answer) string {
	t.Helper()
	var c struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal([]byte(a.body), &c); err != nil || len(c.Choices) != 1 {
		t.Errorf("%v: %s", err, a.body)
		return ""
	}
	return c.Choices[0].Message.Content
}

func TestTheSecondAnswerComesFromTheCache(t *testing.T) {
	w := newWorld(t)
	first := w.from("miss", chatBody("How do I reset my password?", ""))
	exact := w.from("exact", chatBody("how do I reset my password?", ""))
	if exact.body != first.body || exact.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s\n%s", first.body, exact.body)
	}
	id := first.header.Get("X-Cache-Id")
	if id == "" || exact.header.Get("X-Cache-Id") != id || exact.header.Get("X-Cache-Similarity") != "1.0000" || exact.header.Get("X-Cache-Confidence") != "1.0000" || exact.header.Get("Age") == "" {
		t.Errorf("%v\n%v", first.header, exact.header)
	}
	like := w.from("semantic", chatBody("How do I reset my password please?", ""))
	if like.body != first.body || like.header.Get("X-Cache-Similarity") >= "1" || like.header.Get("X-Cache-Confidence") < "0.9" {
		t.Errorf("%v", like.header)
	}
	w.from("miss", chatBody("How do I reset my password please?", ""), "X-Cache-Threshold", "0.99")
	w.from("miss", chatBody("What is the capital of France?", ""))
	if n := w.model.calls.Load(); n != 3 {
		t.Errorf("%d calls of the model", n)
	}
	if v := fmt.Sprint(w.do("SEM.STATS", "proxy")); !strings.Contains(v, "tokens") {
		t.Errorf("%s", v)
	}
}

func TestStreamsAreRecordedAndReplayed(t *testing.T) {
	w := newWorld(t)
	body := func(prompt, more string) string { return chatBody(prompt, `,"stream":true`+more) }
	a := w.from("miss", body("one", `,"stream_options":{"include_usage":true}`))
	want, finish, use, _ := streamed(t, a.body)
	if want == "" || finish != "stop" || use == "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%q %q %q %v", want, finish, use, a.header)
	}
	b := w.from("exact", body("one", `,"stream_options":{"include_usage":true}`))
	got, finish, use, events := streamed(t, b.body)
	if got != want || finish != "stop" || use != usage || events < 5 || !strings.HasPrefix(b.header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%q, want %q; %q, %q, %d events", got, want, finish, use, events)
	}
	// What was streamed is replayed as a whole, and the other way round.
	if got := contentOf(t, w.from("exact", chatBody("one", ""))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	want = contentOf(t, w.from("miss", chatBody("two", "")))
	got, finish, use, _ = streamed(t, w.from("exact", body("two", "")).body)
	if got != want || finish != "stop" || use != "" {
		t.Errorf("%q, want %q; %q, %q", got, want, finish, use)
	}
}

// TestAStreamEndsWithItsUsageWhereThatIsAskedFor: also where who was answered first has not asked for it.
func TestAStreamEndsWithItsUsageWhereThatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	const asked = `,"stream":true,"stream_options":{"include_usage":true}`
	f := func(from, more, want string) {
		t.Helper()
		a := w.from(from, chatBody("one", more))
		if strings.Contains(a.body, "not_asked") {
			t.Error(a.body)
		}
		var use string
		if more != "" {
			_, _, use, _ = streamed(t, a.body)
		} else {
			var c struct{ Usage json.RawMessage }
			a.want(t, 200, &c)
			use = string(c.Usage)
		}
		if use != want {
			t.Errorf("%s %q: %q, want %q", from, more, use, want)
		}
	}
	f("miss", `,"stream":true`, "")
	f("exact", `,"stream":true`, "")
	f("exact", "", "")
	f("miss", asked, usage)
	f("exact", asked, usage)
	f("exact", "", usage)
	f("exact", `,"stream":true`, "")

	// A model that never says it is not asked again and again.
	w.model.set(func(rw http.ResponseWriter, _ *http.Request, q modelRequest) bool {
		q.StreamOptions.Usage = false
		w.model.chat(rw, q, "mum")
		return true
	})
	w.from("miss", chatBody("two", asked))
	w.from("exact", chatBody("two", asked))
}

func TestTextsAreCompletedLikewise(t *testing.T) {
	w := newWorld(t)
	const path = "/v1/completions"
	for _, x := range []struct{ more, prompt, cache string }{
		{"", "once", "miss"},
		{"", "Once", "exact"},
		{`,"stream":true`, "once", "exact"},
		{`,"stream":true`, "twice", "miss"},
		{`,"stream":true`, "twice", "exact"},
		{``, "twice", "exact"},
		{`,"n":2`, "once", "bypass"},
		{`,"echo":true`, "once", "bypass"},
	} {
		a := w.ask("POST", path, fmt.Sprintf(`{"model":"tiny","prompt":%q%s}`, x.prompt, x.more))
		a.want(t, 200, nil)
		if got := a.header.Get("X-Cache"); got != x.cache {
			t.Errorf("%+v: %s", x, got)
		}
		content := ""
		if strings.Contains(x.more, "stream") {
			content, _, _, _ = streamed(t, a.body)
		} else {
			var c struct{ Choices []struct{ Text string } }
			a.want(t, 200, &c)
			content = c.Choices[0].Text
		}
		if !strings.HasSuffix(content, " to "+strings.ToLower(x.prompt)) {
			t.Errorf("%+v: %q", x, content)
		}
	}
	w.from("miss", chatBody("once", "")) // a chat is another thing
	a := w.ask("POST", path, `{"model":"tiny","prompt":["a","b"]}`)
	if a.header.Get("X-Cache") != "bypass" {
		t.Error(a.header)
	}
}

// TestWhatMayChangeTheAnswerSeparates: each of these differs from the one that is kept
// in one thing.
func TestWhatMayChangeTheAnswerSeparates(t *testing.T) {
	w := newWorld(t)
	w.from("miss", chatBody("hello there", `,"temperature":0.5,"seed":1`))
	w.from("exact", chatBody("hello there", `,"seed":1,  "temperature":0.5, "user":"x","metadata":{"a":"b"},"store":false`))
	w.from("exact", `{"messages":[{"content":[{"type":"text","text":"Be brief."}],"role":"system"},{"content":[{"type":"text","text":"hello there"}],"role":"user"}],"seed":1,"temperature":0.5,"model":"tiny"}`)
	for _, body := range []string{
		chatBody("hello there", ""),
		chatBody("hello there", `,"temperature":0.6,"seed":1`),
		chatBody("hello there", `,"temperature":0.5,"seed":2`),
		chatBody("hello there", `,"temperature":0.5,"seed":1,"max_tokens":10`),
		chatBody("hello there", `,"temperature":0.5,"seed":1,"response_format":{"type":"json_object"}`),
		chatBody("hello there", `,"temperature":0.5,"seed":1,"tools":[{"type":"function","function":{"name":"f"}}]`),
		strings.Replace(chatBody("hello there", `,"temperature":0.5,"seed":1`), "tiny", "huge", 1),
		strings.Replace(chatBody("hello there", `,"temperature":0.5,"seed":1`), "Be brief.", "Be long.", 1),
		`{"model":"tiny","temperature":0.5,"seed":1,"messages":[{"role":"user","content":"hello there"}]}`,
		`{"model":"tiny","temperature":0.5,"seed":1,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hello there","name":"ann"}]}`,
		`{"model":"tiny","temperature":0.5,"seed":1,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Ho"},{"role":"user","content":"hello there"}]}`,
	} {
		w.from("miss", body)
		w.from("exact", body)
	}
	body := chatBody("hello there", `,"temperature":0.5,"seed":1`)
	w.from("miss", body, "X-Cache-Scope", "tenant=a")
	w.from("exact", body, "X-Cache-Scope", "tenant=a")
	w.from("miss", body, "X-Cache-Scope", "tenant=b")
	w.from("miss", body, "Authorization", "Bearer sk-other")
	w.from("exact", body, "Authorization", "Bearer sk-other")
	for _, h := range [][]string{
		{"Api-Key", "sk-a"},
		{"Api-Key", "sk-b"},
		{"X-Api-Key", "sk-a"},
		{"X-Goog-Api-Key", "sk-a"},
		{"OpenAI-Organization", "a"},
		{"OpenAI-Project", "a"},
		{"Authorization", "Bearer sk-other", "OpenAI-Project", "a"},
	} {
		w.from("miss", body, h...)
		w.from("exact", body, h...)
	}
	for _, status := range []string{"miss", "exact"} {
		if a := w.ask("POST", chatPath+"?api-version=2", body); a.header.Get("X-Cache") != status {
			t.Errorf("with a query: %v, want a %s", a.header, status)
		}
	}
	w.from("exact", body)
}

func TestHeadersSayWhatIsWanted(t *testing.T) {
	w := newWorld(t)
	body := chatBody("the time", "")
	w.from("miss", body, "Cache-Control", "no-store")
	w.from("miss", body, "X-Cache-TTL", "60")
	id := w.from("exact", body).header.Get("X-Cache-Id")
	if v := w.do("PTTL", "sem:{proxy}:"+id); v.Int <= 0 || v.Int > 60000 {
		t.Errorf("it lives %d ms", v.Int)
	}
	old := contentOf(t, w.from("exact", body))
	if fresh := contentOf(t, w.from("miss", body, "Cache-Control", "no-cache")); fresh == old || contentOf(t, w.from("exact", body)) != fresh {
		t.Errorf("%q after %q", fresh, old)
	}
	w.from("bypass", body, "X-Cache-Mode", "bypass")
	w.from("miss", chatBody("the time please", ""), "X-Cache-Mode", "exact")
	w.from("semantic", body, "X-Cache-Mode", "semantic")
	for _, h := range [][2]string{
		{"X-Cache-Mode", "never"},
		{"X-Cache-TTL", "0"},
		{"X-Cache-TTL", "x"},
		{"X-Cache-TTL", "9223372036854775807"},
		{"X-Cache-Threshold", "2"},
		{"X-Cache-Threshold", "NaN"},
		{"X-Cache-Scope", "a"},
		{"X-Cache-Scope", "@user=x"},
		{"X-Cache-Scope", "model=x"},
		{"X-Cache-Scope", "=x"},
	} {
		var e struct {
			Error struct{ Message, Type string }
		}
		w.ask("POST", chatPath, body, h[0], h[1]).want(t, 400, &e)
		if e.Error.Message == "" || e.Error.Type != "invalid_request_error" {
			t.Errorf("%q: %+v", h, e)
		}
	}
}

// TestWhatIsNotATextIsPassedOn and never kept.
func TestWhatIsNotATextIsPassedOn(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		chatBody("x", `,"n":2`),
		chatBody("x", `,"logprobs":true`),
		chatBody("x", `,"modalities":["text","audio"],"audio":{"voice":"a"}`),
		chatBody("x", `,"web_search_options":{}`),
		chatBody("", ""),
		chatBody("  ", ""),
		`{"model":"tiny","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}]}]}`,
		`{"model":"tiny","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}`,
		`{"model":"tiny","messages":[{"role":"user","content":"x"},{"role":"tool","tool_call_id":"1","content":"y"}]}`,
		`{"messages":[{"role":"user","content":"x"}]}`,
		`{"model":"tiny","messages":[{"role":"user","content":"x"}],"stream":"yes"}`,
	} {
		for range 2 {
			if a := w.from("bypass", body); a.header.Get("X-Cache-Reason") == "" {
				t.Errorf("%s: no reason", body)
			}
		}
	}
	w.ask("POST", chatPath, `[]`).want(t, 400, nil)
	w.ask("POST", chatPath, `null`).want(t, 400, nil)
	w.ask("POST", chatPath, `{`).want(t, 400, nil)
}

// TestBadAnswersAreNeverKept, whole or streamed.
func TestBadAnswersAreNeverKept(t *testing.T) {
	w := newWorld(t)
	whole := func(choice string) func(http.ResponseWriter, *http.Request, modelRequest) bool {
		return func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"id":"c","object":"chat.completion","created":1,"model":"tiny","choices":[%s]}`, choice)
			return true
		}
	}
	stream := func(events ...string) func(http.ResponseWriter, *http.Request, modelRequest) bool {
		return func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
			send := sender(rw)
			for _, e := range events {
				if e == "abort" {
					panic(http.ErrAbortHandler)
				}
				if strings.HasPrefix(e, "{\"index") {
					e = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"tiny","choices":[` + e + `]}`
				}
				send(e)
			}
			return true
		}
	}
	const hello = `{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":null}`
	const stop = `{"index":0,"delta":{},"finish_reason":"stop"}`
	n := 0
	f := func(name string, status int, stream bool, answer func(http.ResponseWriter, *http.Request, modelRequest) bool) {
		t.Helper()
		n++
		w.model.set(answer)
		body := chatBody(fmt.Sprintf("unlike any other %d%d%d", n*7919, n*104729, n*1299709), "")
		if stream {
			body = strings.TrimSuffix(body, "}") + `,"stream":true}`
		}
		before := w.model.calls.Load()
		for range 2 {
			if a := w.ask("POST", chatPath, body); a.status != status || a.header.Get("X-Cache") != "miss" {
				t.Errorf("%s: status %d, %s", name, a.status, a.header.Get("X-Cache"))
			}
		}
		if got := w.model.calls.Load() - before; got != 2 {
			t.Errorf("%s: %d calls", name, got)
		}
	}
	failed := func(status int) func(http.ResponseWriter, *http.Request, modelRequest) bool {
		return func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
			rw.WriteHeader(status)
			fmt.Fprint(rw, `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}`)
			return true
		}
	}
	f("overload", 429, false, failed(429))
	f("failure", 500, false, failed(500))
	f("another success", 201, false, failed(201))
	f("cut off", 200, false, whole(`{"index":0,"message":{"role":"assistant","content":"he"},"finish_reason":"length"}`))
	f("filtered", 200, false, whole(`{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}`))
	f("refused", 200, false, whole(`{"index":0,"message":{"role":"assistant","content":null,"refusal":"I cannot"},"finish_reason":"stop"}`))
	f("a tool", 200, false, whole(`{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},"finish_reason":"tool_calls"}`))
	f("a tool that stops", 200, false, whole(`{"index":0,"message":{"role":"assistant","content":"x","tool_calls":[{"id":"1"}]},"finish_reason":"stop"}`))
	f("no end", 200, false, whole(`{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":null}`))
	f("two", 200, false, whole(`{"index":0,"message":{"content":"x"},"finish_reason":"stop"},{"index":1,"message":{"content":"x"},"finish_reason":"stop"}`))
	f("none", 200, false, whole(``))
	f("empty", 200, false, whole(`{"index":0,"message":{"content":" "},"finish_reason":"stop"}`))
	f("an error inside", 200, false, func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprint(rw, `{"error":{"message":"x"},"object":"chat.completion","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}`)
		return true
	})
	f("no JSON", 200, false, func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
		fmt.Fprint(rw, `<html>`)
		return true
	})
	f("stream without end", 200, true, stream(hello, stop))
	f("stream without reason", 200, true, stream(hello, "[DONE]"))
	f("stream cut off", 200, true, stream(hello, `{"index":0,"delta":{},"finish_reason":"length"}`, "[DONE]"))
	f("stream with an error", 200, true, stream(hello, `{"error":{"message":"overloaded"}}`, stop, "[DONE]"))
	f("stream with a tool", 200, true, stream(hello, `{"index":0,"delta":{"tool_calls":[{"index":0}]},"finish_reason":null}`, stop, "[DONE]"))
	f("stream of two", 200, true, stream(hello, `{"index":1,"delta":{"content":"x"},"finish_reason":null}`, stop, "[DONE]"))
	f("stream of nonsense", 200, true, stream(hello, `nonsense`, stop, "[DONE]"))
	f("refusal as a stream", 200, true, stream(`{"index":0,"delta":{"refusal":"I cannot"},"finish_reason":null}`, stop, "[DONE]"))
	// A stream that breaks off breaks off for the client, too.
	w.model.set(stream(hello, "abort"))
	for range 2 {
		if a := w.ask("POST", chatPath, chatBody("a stream that breaks", `,"stream":true`)); a.err == nil || a.header.Get("X-Cache") != "miss" {
			t.Errorf("%v, %s", a.err, a.body)
		}
	}
	if v := w.do("SEM.STATS", "proxy"); !strings.Contains(fmt.Sprint(v), `"sets" 0`) {
		t.Errorf("something was kept: %v", v)
	}
}

// TestManyWhoAskTheSameMakeOneCall, also if they ask for it in other words.
func TestManyWhoAskTheSameMakeOneCall(t *testing.T) {
	w := newWorld(t)
	open := make(chan struct{})
	w.model.set(func(http.ResponseWriter, *http.Request, modelRequest) bool { <-open; return false })
	const n = 50
	answers := make(chan answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			prompt := "How do I reset my password?"
			if i%2 == 1 {
				prompt = "How do I reset my password please?"
			}
			more := ""
			if i%3 == 0 {
				more = `,"stream":true`
			}
			answers <- w.ask("POST", chatPath, chatBody(prompt, more))
		})
	}
	eventually(t, "all have arrived", func() bool {
		return strings.Contains(w.ask("GET", "/metrics", "").body, fmt.Sprintf("nearcache_http_active_requests %d\n", n+1))
	})
	close(open)
	wg.Wait()
	close(answers)
	from := map[string]int{}
	for a := range answers {
		from[a.header.Get("X-Cache")]++
		content := ""
		if strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
			content, _, _, _ = streamed(t, a.body)
		} else {
			content = contentOf(t, a)
		}
		if !strings.HasPrefix(content, "answer 1 to How do I") {
			t.Errorf("%q", content)
		}
	}
	if got := w.model.calls.Load(); got != 1 || from["miss"] != 1 || from["bypass"] != 0 {
		t.Errorf("%d calls, %v", got, from)
	}
}

// TestWhenTheFirstFailsTheNextAsks: nobody inherits a failure.
func TestWhenTheFirstFailsTheNextAsks(t *testing.T) {
	w := newWorld(t)
	open := make(chan struct{})
	w.model.set(func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
		<-open
		rw.WriteHeader(500)
		return true
	})
	var wg sync.WaitGroup
	first := make(chan answer, 1)
	wg.Go(func() { first <- w.ask("POST", chatPath, chatBody("x y z", "")) })
	eventually(t, "the first has asked", func() bool { return w.model.calls.Load() == 1 })
	second := make(chan answer, 1)
	wg.Go(func() { second <- w.ask("POST", chatPath, chatBody("x y z", "")) })
	w.model.set(func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool { return false })
	eventually(t, "the second waits", func() bool {
		return strings.Contains(w.ask("GET", "/metrics", "").body, "nearcache_http_active_requests 3\n")
	})
	close(open)
	wg.Wait()
	if a := <-first; a.status != 500 {
		t.Errorf("%d", a.status)
	}
	if a := <-second; a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestManyWhoWaitForAFailure: the first is told, the second tries, and what that is told all others are told; a client that
// goes is no failure, and what is not kept is asked for by each.
func TestManyWhoWaitForAFailure(t *testing.T) {
	const many = 40
	stacks := make([]byte, 8<<20)
	waiting := func() int {
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "semcache.(*getting).wait(")
	}
	f := func(name string, calls int64, fails int, client func(w *world, ask func()), reply func(rw http.ResponseWriter) bool) {
		t.Helper()
		w := newWorld(t)
		open := make(chan struct{})
		w.model.set(func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
			<-open
			return reply(rw)
		})
		var wg sync.WaitGroup
		statuses := map[int]int{}
		var mu sync.Mutex
		ask := func() {
			wg.Go(func() {
				a := w.ask("POST", chatPath, chatBody("x y z", ""))
				mu.Lock()
				defer mu.Unlock()
				if statuses[a.status]++; a.status == 503 && (a.header.Get("Retry-After") != "7" || !strings.Contains(a.body, "so busy") || a.header.Get("X-Cache") != "miss") {
					t.Errorf("%s: %v %s", name, a.header, a.body)
				}
			})
		}
		client(w, ask)
		eventually(t, name+": all others wait", func() bool { return waiting() == many-1 })
		close(open)
		wg.Wait()
		if n := w.model.calls.Load(); n != calls || statuses[503] != fails || statuses[200] != many-fails {
			t.Errorf("%s: %d calls, want %d; %v", name, n, calls, statuses)
		}
	}
	all := func(w *world, ask func()) {
		ask()
		eventually(t, "the first has asked", func() bool { return w.model.calls.Load() == 1 })
		for range many - 1 {
			ask()
		}
	}
	busy := func(rw http.ResponseWriter) bool {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Retry-After", "7")
		rw.WriteHeader(503)
		_, _ = io.WriteString(rw, `{"error":{"message":"so busy"}}`)
		return true
	}
	f("fails", 2, many, all, busy)
	var once atomic.Bool
	f("fails once", 2, 1, all, func(rw http.ResponseWriter) bool { return once.CompareAndSwap(false, true) && busy(rw) })
	f("not kept", many, 0, all, func(rw http.ResponseWriter) bool {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"length"}]}`)
		return true
	})
	f("goes", 2, 0, func(w *world, ask func()) {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "POST", w.url+chatPath, strings.NewReader(chatBody("x y z", "")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}()
		eventually(t, "the first has asked", func() bool { return w.model.calls.Load() == 1 })
		for range many {
			ask()
		}
		eventually(t, "all wait", func() bool { return waiting() == many })
		cancel()
		<-gone
	}, func(http.ResponseWriter) bool { return false })
}

func TestAClientThatGoesLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	gone := make(chan struct{})
	w.model.set(func(rw http.ResponseWriter, r *http.Request, _ modelRequest) bool {
		send := sender(rw)
		send(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"tiny","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}`)
		<-r.Context().Done()
		close(gone)
		return true
	})
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+chatPath, strings.NewReader(chatBody("long", `,"stream":true`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Error(err)
	}
	_ = resp.Body.Close()
	<-gone // upstream hears of it
	w.model.set(func(http.ResponseWriter, *http.Request, modelRequest) bool { return false })
	w.from("miss", chatBody("long", ""))
	w.from("exact", chatBody("long", ""))
}

func TestUpstreamThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.from("miss", chatBody("kept", ""))
	var e struct {
		Error struct{ Message, Type, Code string }
	}
	w.do("CONFIG", "SET", "http-upstream", "http://127.0.0.1:1/v1")
	w.ask("POST", chatPath, chatBody("new", "")).want(t, http.StatusBadGateway, &e)
	if e.Error.Type != "upstream_error" || strings.Contains(e.Error.Message, "127.0.0.1") {
		t.Errorf("%+v", e)
	}
	w.from("exact", chatBody("kept", "")) // an outage of the model is none of what is kept
	w.do("CONFIG", "SET", "http-upstream", "")
	w.ask("POST", chatPath, chatBody("new", "")).want(t, http.StatusNotFound, nil)
	w.from("exact", chatBody("kept", ""))

	w.do("CONFIG", "SET", "http-upstream", w.model.URL+"/v1", "http-timeout", "1")
	w.model.set(func(_ http.ResponseWriter, r *http.Request, _ modelRequest) bool { <-r.Context().Done(); return true })
	w.ask("POST", chatPath, chatBody("slow", "")).want(t, http.StatusGatewayTimeout, &e)
}

func TestKeysOfUpstream(t *testing.T) {
	w := newWorld(t, "--http-keys", "ann:key-a", "bob:key-b")
	key := func() string { return w.model.last.Load().Header.Get("Authorization") }
	a, b := []string{"Authorization", "Bearer key-a", "X-Custom", "1", "Cookie", "c=1"}, []string{"Authorization", "Bearer key-b"}
	w.from("miss", chatBody("p", ""), a...)
	if h := w.model.last.Load().Header; key() != "" || h.Get("X-Custom") != "1" || h.Get("Cookie") != "" {
		t.Errorf("upstream is told %v", h)
	}
	w.from("exact", chatBody("p", ""), a...)
	w.from("miss", chatBody("p", ""), append(a, "OpenAI-Project", "x")...)
	w.from("miss", chatBody("p", ""), b...)
	w.do("CONFIG", "SET", "http-upstream-key", "sk-up")
	w.from("miss", chatBody("q", ""), a...)
	if key() != "Bearer sk-up" {
		t.Errorf("upstream is told %q", key())
	}
	var e struct{ Error struct{ Code string } }
	w.ask("POST", chatPath, chatBody("p", "")).want(t, 401, &e)
	if e.Error.Code != "invalid_api_key" {
		t.Errorf("%+v", e)
	}
	w.do("CONFIG", "SET", "http-upstream-key", "", "http-keys", "")
	w.from("miss", chatBody("p", ""), "Authorization", "Bearer sk-client")
	if key() != "Bearer sk-client" {
		t.Errorf("upstream is told %q", key())
	}
	if s := w.log.String(); strings.Contains(s, "key-a") || strings.Contains(s, "sk-") {
		t.Errorf("a key is in the log: %s", s)
	}
}

func TestAnswersThatAreLargeArePassedOnOnly(t *testing.T) {
	w := newWorld(t, "--http-max-body", "4kb")
	w.model.set(func(rw http.ResponseWriter, _ *http.Request, q modelRequest) bool {
		w.model.chat(rw, q, strings.Repeat("long ", 10_000))
		return true
	})
	for _, more := range []string{"", `,"stream":true`} {
		for range 2 {
			if a := w.from("miss", chatBody("p", more)); strings.Count(a.body, "long ") != 10_000 {
				t.Errorf("%d bytes", len(a.body))
			}
		}
	}
}

func TestModelsAndEmbeddings(t *testing.T) {
	w := newWorld(t, "--embed", "tiny=lexical:64")
	if a := w.ask("GET", "/v1/models", ""); a.status != 200 || !strings.Contains(a.body, "tiny") {
		t.Errorf("%+v", a)
	}
	var r struct {
		Model string
		Data  []struct {
			Index     int
			Embedding []float32
		}
	}
	w.ask("POST", "/v1/embeddings", `{"model":"tiny","input":["one","two"]}`).want(t, 200, &r)
	if len(r.Data) != 2 || len(r.Data[1].Embedding) != 64 || r.Data[1].Index != 1 || r.Model != "tiny" {
		t.Errorf("%+v", r)
	}
	var b struct{ Data []struct{ Embedding []byte } } // JSON reads base64
	w.ask("POST", "/v1/embeddings", `{"model":"tiny","input":"one","encoding_format":"base64","dimensions":64}`).want(t, 200, &b)
	if len(b.Data) != 1 || len(b.Data[0].Embedding) != 256 {
		t.Errorf("%+v", b)
	}
	for _, bad := range []string{`{"model":"tiny","input":""}`, `{"model":"tiny","input":[]}`, `{"model":"tiny","input":[1]}`, `{"model":"tiny","input":"a","dimensions":3}`, `{"model":"tiny","input":"a","encoding_format":"x"}`, `{`} {
		w.ask("POST", "/v1/embeddings", bad).want(t, 400, nil)
	}
	before := w.model.calls.Load()
	w.ask("POST", "/v1/embeddings", `{"model":"text-embedding-3-small","input":"one"}`).want(t, 404, nil)
	if w.model.calls.Load() != before+1 {
		t.Error("another model is not upstream's")
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	w.from("miss", chatBody("p", ""))
	w.from("exact", chatBody("p", ""))
	w.set("c", `{"prompt":"p","response":"r"}`)
	a := w.ask("GET", "/metrics", "")
	for _, want := range []string{
		`nearcache_http_requests_total{route="chatCompletions",code="200"} 2`, `nearcache_proxy_total{cache="exact"} 1`, `nearcache_proxy_total{cache="miss"} 1`,
		`nearcache_upstream_requests_total{code="200"} 1`, `nearcache_http_request_seconds_count{route="set"} 1`, `le="+Inf"} 1`,
		`nearcache_semantic_entries{namespace="proxy"} 1`, `nearcache_semantic_exact_hits_total{namespace="proxy"} 1`,
		`nearcache_semantic_tokens_saved_total{namespace="proxy"} 16`, "nearcache_used_memory ", `nearcache_embed_texts_total{model="lexical",what="computed"}`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s", want)
		}
	}
	types := map[string]bool{}
	for line := range strings.Lines(a.body) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if types[name] {
				t.Errorf("%s is there twice", name)
			}
			types[name] = true
		} else if !strings.HasPrefix(line, "#") && len(strings.Fields(line)) != 2 {
			t.Errorf("line %q", line)
		}
	}
}

// TestSharedWithSem: what the proxy keeps is an entry like any other.
func TestSharedWithSem(t *testing.T) {
	w := newWorld(t)
	id := w.from("miss", chatBody("p", "")).header.Get("X-Cache-Id")
	c, err := client.Dial(t.Context(), w.redis, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, err := c.Do("HGET", "sem:{proxy}:"+id, "prompt"); err != nil || v.Str != "p" {
		t.Errorf("%v %v", v, err)
	}
	if v, err := c.Do("SEM.INVALIDATE", "proxy", "MODEL", "tiny"); err != nil || v.Int != 1 {
		t.Errorf("%v %v", v, err)
	}
	w.from("miss", chatBody("p", ""))
}

func TestResponsesAreKeptLikewise(t *testing.T) {
	w := newWorld(t)
	const path = "/v1/responses"
	ask := func(cache, body string) answer {
		t.Helper()
		a := w.ask("POST", path, body)
		if got := a.header.Get("X-Cache"); got != cache || a.status != 200 || a.err != nil {
			t.Errorf("%s: x-cache %q (%s), want %q; status %d, %v: %s", body, got, a.header.Get("X-Cache-Reason"), cache, a.status, a.err, a.body)
		}
		return a
	}
	first := ask("miss", `{"model":"tiny","input":"How do I reset my password?"}`)
	for cache, input := range map[string]string{
		"exact":    `[{"type":"message","role":"user","content":[{"type":"input_text","text":"how do I reset my password?"}]}]`,
		"semantic": `[{"role":"user","content":"How do I reset my password please?"}]`,
	} {
		a := ask(cache, `{"model":"tiny","input":`+input+`}`)
		if a.body != first.body || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s\n%s", first.body, a.body)
		}
	}
	// Whatever else is asked for divides the answers: what a response repeats, too.
	for _, more := range []string{
		`"instructions":"Be brief."`, `"previous_response_id":"r-1"`, `"store":false`, `"user":"ann"`, `"metadata":{"a":"b"}`, `"temperature":0.5`,
		`"prompt":{"id":"p"}`, `"tools":[{"type":"function","name":"clock"}]`,
	} {
		body := `{"model":"tiny","input":"How do I reset my password?",` + more + `}`
		a := ask("miss", body)
		if b := ask("exact", body); a.body != b.body {
			t.Errorf("%s\n%s", a.body, b.body)
		}
	}
	ask("miss", `{"model":"tiny","input":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Yes?"},{"role":"user","content":"How do I reset my password?"}]}`)
	for _, more := range []string{
		`,"background":true`, `,"conversation":"c"`, `,"tools":[{"type":"web_search"}]`, `,"tools":7`,
	} {
		ask("bypass", `{"model":"tiny","input":"How do I reset my password?"`+more+`}`)
	}
	for _, input := range []string{
		`null`, `7`, `[]`, `[null]`, `""`, `[{"type":"function_call_output","call_id":"c","output":"x"}]`, `[{"role":"assistant","content":"x"}]`,
		`[{"role":"user","content":[{"type":"input_image","image_url":"u"}]}]`,
	} {
		ask("bypass", `{"model":"tiny","input":`+input+`}`)
	}
	// A response is no chat's answer.
	w.from("miss", `{"model":"tiny","messages":[{"role":"user","content":"How do I reset my password?"}]}`)
}

// What came before the last message has to be the same, or, where that is asked for, to mean the same; what
// instructs the model has to be the same always.
func TestWhatCameBeforeMayBeLike(t *testing.T) {
	w := newWorld(t)
	w.do("CONFIG", "SET", "http-namespace", "talks")
	w.do("SEM.CREATE", "talks", "DIM", "384", "EMBED", "lexical", "MAXWRONG", "0.6")
	talk := func(system, first, last string) string {
		return fmt.Sprintf(`{"model":"tiny","messages":[{"role":"system","content":%q},{"role":"user","content":%q},{"role":"assistant","content":"Yes."},{"role":"user","content":%q}]}`, system, first, last)
	}
	like := []string{"X-Cache-Context", "similar"}
	const first, alike, other = "Do you ship to Norway?", "Do you ship to Norway please?", "When does the shop in Paris open?"
	w.from("miss", talk("Be brief.", first, "And how long does it take?"), like...)
	for _, c := range []struct{ want, system, first, last string }{
		{"exact", "Be brief.", first, "and how long does it take?"},
		{"semantic", "Be brief.", alike, "And how long does it take?"},
		{"miss", "Be polite.", first, "And how long does it take?"},
		{"miss", "Be brief.", other, "And how long does it take?"},
	} {
		w.from(c.want, talk(c.system, c.first, c.last), like...)
	}
	// Without the header nothing but the same will do, and it is another entry.
	w.from("miss", talk("Be brief.", first, "And how long does it take?"))
	w.from("exact", talk("Be brief.", first, "And how long does it take?"))
	w.from("miss", talk("Be brief.", alike, "And how long does it take?"))
	// What is no plain text has to be the same.
	picture := `{"model":"tiny","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]},{"role":"user","content":"And how long?"}]}`
	w.from("miss", picture, like...)
	w.from("exact", picture, like...)
	a := w.ask("POST", chatPath, chatBody("p", ""), "X-Cache-Context", "some")
	if a.status != http.StatusBadRequest || !strings.Contains(a.body, "exact or similar") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// responseEvents are the types of a stream's events, the text they put together, and the response at the end.
func responseEvents(t *testing.T, body string) (types []string, text, whole string) {
	t.Helper()
	for i, e := range strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		_, data, _ := strings.Cut(e, "data: ")
		var x struct {
			Type     string
			Number   int `json:"sequence_number"`
			Delta    string
			Response json.RawMessage
		}
		if err := json.Unmarshal([]byte(data), &x); err != nil || x.Number != i {
			t.Errorf("event %d: %v: %s", i, err, e)
		}
		if name, ok := strings.CutPrefix(strings.Split(e, "\n")[0], "event: "); ok && name != x.Type {
			t.Errorf("an event %s is called %s", x.Type, name)
		}
		types, text, whole = append(types, x.Type), text+x.Delta, string(x.Response)
	}
	return types, text, whole
}

func TestStreamsOfResponses(t *testing.T) {
	w := newWorld(t)
	ask := func(cache, more string) string {
		t.Helper()
		a := w.ask("POST", "/v1/responses", `{"model":"tiny","input":"How do I reset my password?"`+more+`}`)
		if got := a.header.Get("X-Cache"); got != cache || a.status != 200 || a.err != nil {
			t.Fatalf("%s: x-cache %q (%s), want %q; status %d, %v: %s", more, got, a.header.Get("X-Cache-Reason"), cache, a.status, a.err, a.body)
		}
		return a.body
	}
	types, _, first := responseEvents(t, ask("miss", `,"stream":true`))
	if types[len(types)-1] != "response.completed" {
		t.Fatal(types)
	}
	types, text, again := responseEvents(t, ask("exact", `,"stream":true`))
	want := `response.created response.in_progress response.output_item.added response.output_item.done ` +
		`response.output_item.added response.content_part.added response.output_text.delta response.output_text.done response.content_part.done ` +
		`response.output_item.done response.completed`
	if got := strings.Join(types, " "); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if text != "answer 1 to How do I reset my password?" {
		t.Error(text)
	}
	var a, b any
	if json.Unmarshal([]byte(first), &a) != nil || json.Unmarshal([]byte(again), &b) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("%s\n%s", first, again)
	}
	// What was streamed is there as a whole, and the other way round.
	if body := ask("exact", ""); body != first {
		t.Errorf("%s\n%s", first, body)
	}
	ask("miss", `,"instructions":"Be brief."`)
	if types, _, _ := responseEvents(t, ask("exact", `,"instructions":"Be brief.","stream":true`)); len(types) != 11 {
		t.Error(types)
	}
	// A stream that fails, or has no end, is not kept.
	for i, events := range []string{
		`{"type":"response.created","sequence_number":0}`,
		`{"type":"response.incomplete","sequence_number":0,"response":{}}`,
		`{"type":"error","sequence_number":0}`,
		`{"type":"response.completed","sequence_number":0,"response":{"object":"response","status":"completed","output":[]}}`,
		`{"type":"response.completed","sequence_number":0}`,
		`nothing`,
	} {
		w.model.set(func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
			sender(rw)(events)
			return true
		})
		for range 2 {
			if a := w.ask("POST", "/v1/responses", fmt.Sprintf(`{"model":"tiny","input":"question %d","stream":true}`, i)); a.header.Get("X-Cache") != "miss" || !strings.Contains(a.body, events) {
				t.Errorf("%s: %s %s", events, a.header.Get("X-Cache"), a.body)
			}
		}
	}
}

func TestResponsesThatAreNotKept(t *testing.T) {
	w := newWorld(t)
	const message = `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes","annotations":[]}]}`
	for i, answer := range []string{
		`{"object":"response","status":"incomplete","output":[` + message + `]}`,
		`{"object":"response","status":"completed","error":{"code":"x"},"output":[` + message + `]}`,
		`{"object":"response","status":"completed","output":[]}`,
		`{"object":"response","status":"completed","output":[` + message + `,` + message + `]}`,
		`{"object":"response","status":"completed","output":[` + message + `,{"type":"function_call","name":"clock"}]}`,
		`{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}`,
		`{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"yes","annotations":[{"type":"url_citation"}]}]}]}`,
		`{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":" "}]}]}`,
		`{"object":"chat.completion","status":"completed","output":[` + message + `]}`,
		`{"object":"response","status":"completed","output":7}`,
		`{"object":"response","status":"completed","Output":[` + message + `]}`,
		`{"object":"response","status":"completed","output":[{"Type":"message","content":[{"type":"output_text","text":"yes"}]}]}`,
		`{"object":"response","status":"completed","output":[{"type":"message","Content":[{"type":"output_text","text":"yes"}]}]}`,
		`{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","Text":"yes"}]}]}`,
		`nothing`,
	} {
		w.model.set(func(rw http.ResponseWriter, _ *http.Request, _ modelRequest) bool {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, answer)
			return true
		})
		for range 2 {
			a := w.ask("POST", "/v1/responses", fmt.Sprintf(`{"model":"tiny","input":"question %d"}`, i))
			if got := a.header.Get("X-Cache"); got != "miss" || a.body != answer {
				t.Errorf("%s: %s %s", answer, got, a.body)
			}
		}
	}
}

// TestWhatCannotBeReplayedIsAskedAnew: others may write into an entry, too. What they leave there is never an empty answer.
func TestWhatCannotBeReplayedIsAskedAnew(t *testing.T) {
	w := newWorld(t)
	const message = `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes"}]}`
	ask := func(path, stream, cache string) answer {
		t.Helper()
		body := `{"model":"tiny","stream":` + stream + `,"messages":[{"role":"user","content":"why?"}],"prompt":"why?","input":"why?"}`
		a := w.ask("POST", path, body)
		if got := a.header.Get("X-Cache"); got != cache || a.status != 200 || a.err != nil || !strings.Contains(a.body, "answer") {
			t.Errorf("%s, stream %s: x-cache %q, want %q; status %d, %v: %q", path, stream, got, cache, a.status, a.err, a.body)
		}
		return a
	}
	for path, broken := range map[string][]string{
		chatPath:          {`{"object":"chat.completion","choices":[{"index":0,"Message":{"Content":"yes"},"finish_reason":"stop"}]}`},
		"/v1/completions": {`{"object":"text_completion","choices":[]}`},
		"/v1/responses": {
			`{"object":"response","status":"completed","Output":[` + message + `]}`,
			`{"object":"response","status":"completed","output":[{"Type":"message","content":[{"type":"output_text","text":"yes"}]}]}`,
			`{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","Text":"yes"}]}]}`,
		},
	} {
		id := ask(path, "false", "miss").header.Get("X-Cache-Id")
		for _, stream := range []string{"false", "true"} {
			kept := []string{"", " ", "nothing", "null", `{"object":`}
			if stream == "true" {
				kept = append(kept, broken...)
			}
			for _, b := range kept {
				w.do("HSET", "sem:{proxy}:"+id, "response", b)
				if a := ask(path, stream, "miss"); a.header.Get("X-Cache-Reason") == "" || a.header.Get("X-Cache-Id") != id {
					t.Errorf("%s, %q: %v", path, b, a.header)
				}
				ask(path, stream, "exact")
			}
		}
	}
}
