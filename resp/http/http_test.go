package http_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/server"
)

// world is a server with HTTP, and a model server of the test's own behind its proxy.
type world struct {
	t     testing.TB
	url   string // of the server
	redis string // its other address
	model *modelServer
	log   *logBuffer
	stop  func() // begins to end the server
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newWorld starts a server. It embeds lexically unless flags say otherwise.
func newWorld(t testing.TB, flags ...string) *world {
	t.Helper()
	w := &world{t: t, model: newModelServer(t), log: &logBuffer{}}
	args := append([]string{
		"--port", "0", "--appendonly", "no", "--http", "127.0.0.1:0", "--embed", "lexical", "--http-upstream", w.model.URL + "/v1",
	}, flags...)
	cfg, err := server.LoadConfig(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.SetLogger(slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	s := server.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	w.url, w.redis = "http://"+s.HTTPAddr(), s.Addr()
	return w
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // while the body was read
}

// ask sends a request; headers are name, value, ….
func (w *world) ask(method, path, body string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Error(err)
		return answer{err: err, header: http.Header{}}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

// want checks a status, and reads the JSON of the answer into v, which may be nil.
func (a answer) want(t testing.TB, status int, v any) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.body)
		return
	}
	if v != nil {
		if err := json.Unmarshal([]byte(a.body), v); err != nil {
			t.Errorf("%v: %s", err, a.body)
		}
	}
}

func (w *world) do(args ...string) client.Value {
	w.t.Helper()
	c, err := client.Dial(w.t.Context(), w.redis, client.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	l := make([]any, len(args))
	for i, a := range args {
		l[i] = a
	}
	v, err := c.Do(l...)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// modelServer is a language model of few words, behind OpenAI's API.
type modelServer struct {
	*httptest.Server
	t     testing.TB
	calls atomic.Int64
	// answer replaces the usual answer of chat and text; true if it has.
	answer atomic.Pointer[func(w http.ResponseWriter, r *http.Request, q modelRequest) bool]
	last   atomic.Pointer[http.Request]
}

type modelRequest struct {
	Model    string
	Messages []struct {
		Role    string
		Content any
	}
	Prompt        any
	Input         any
	Stream        bool
	StreamOptions struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`
}

func newModelServer(t testing.TB) *modelServer {
	m := &modelServer{t: t}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *modelServer) set(f func(w http.ResponseWriter, r *http.Request, q modelRequest) bool) {
	m.answer.Store(&f)
}

func (m *modelServer) serve(w http.ResponseWriter, r *http.Request) {
	f := m.answer.Load() // before it is seen that there is a call: what is set then is for the next one
	n := m.calls.Add(1)
	m.last.Store(r)
	var q modelRequest
	b, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(b, &q)
	if f != nil && (*f)(w, r, q) {
		return
	}
	switch r.URL.Path {
	case "/v1/chat/completions":
		m.chat(w, q, fmt.Sprintf("answer %d to %v, and it is a long one: so it goes in several pieces", n, q.Messages[len(q.Messages)-1].Content))
	case "/v1/completions":
		m.text(w, q, fmt.Sprintf("answer %d to %v", n, q.Prompt))
	case "/v1/responses":
		m.respond(w, q, n)
	case "/v1/models":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"tiny","object":"model"}]}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"message":"nothing here: `+r.URL.Path+`"}}`)
	}
}

// respond answers as many requests as there are differently.
func (m *modelServer) respond(w http.ResponseWriter, q modelRequest, n int64) {
	whole := fmt.Sprintf(`{"id":"r-%d","object":"response","created_at":1700000000,"status":"completed","error":null,"model":%q,"output":[{"type":"reasoning","id":"x","summary":[]},`+
		`{"type":"message","id":"y","role":"assistant","status":"completed","content":[{"type":"output_text","text":"answer %d to %v","annotations":[]}]}],"usage":%s}`, n, q.Model, n, q.Input, usage)
	if !q.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, whole)
		return
	}
	send := sender(w)
	send(`{"type":"response.created","sequence_number":0}`)
	send(`{"type":"response.output_text.delta","sequence_number":1,"delta":"answer"}`)
	send(`{"type":"response.completed","sequence_number":2,"response":` + whole + `}`)
}

const usage = `{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}`

func (m *modelServer) chat(w http.ResponseWriter, q modelRequest, content string) {
	if !q.Stream {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c-1","object":"chat.completion","created":1700000000,"model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":%s}`, q.Model, content, usage)
		return
	}
	send := sender(w)
	head := fmt.Sprintf(`{"id":"c-1","object":"chat.completion.chunk","created":1700000000,"model":%q,"choices":[`, q.Model)
	send(head + `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`)
	for _, word := range strings.SplitAfter(content, " ") {
		send(head + fmt.Sprintf(`{"index":0,"delta":{"content":%q},"finish_reason":null}]}`, word))
	}
	send(head + `{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	if q.StreamOptions.Usage {
		send(head + `],"usage":` + usage + `}`)
	}
	send("[DONE]")
}

func (m *modelServer) text(w http.ResponseWriter, q modelRequest, content string) {
	if !q.Stream {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"t-1","object":"text_completion","created":1700000000,"model":%q,"choices":[{"index":0,"text":%q,"logprobs":null,"finish_reason":"stop"}],"usage":%s}`, q.Model, content, usage)
		return
	}
	send := sender(w)
	head := fmt.Sprintf(`{"id":"t-1","object":"text_completion","created":1700000000,"model":%q,"choices":[`, q.Model)
	for _, word := range strings.SplitAfter(content, " ") {
		send(head + fmt.Sprintf(`{"index":0,"text":%q,"finish_reason":null}]}`, word))
	}
	send(head + `{"index":0,"text":"","finish_reason":"stop"}]}`)
	send("[DONE]")
}

// sender writes events.
func sender(w http.ResponseWriter) func(string) {
	w.Header().Set("Content-Type", "text/event-stream")
	return func(data string) {
		_, _ = io.WriteString(w, "data: "+data+"\n\n")
		_ = http.NewResponseController(w).Flush()
	}
}

// streamed is the text of a stream of events, the usage it ends with, and how many events there were.
func streamed(t testing.TB, body string) (content, finish, use string, events int) {
	t.Helper()
	done := false
	for _, e := range strings.Split(body, "\n\n") {
		data, ok := strings.CutPrefix(e, "data: ")
		if !ok {
			continue
		}
		events++
		if data == "[DONE]" {
			done = true
			continue
		}
		var c struct {
			Object  string
			Choices []struct {
				Delta  *struct{ Content string }
				Text   string
				Finish *string `json:"finish_reason"`
			}
			Usage json.RawMessage
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Errorf("%v: %s", err, data)
		}
		for _, x := range c.Choices {
			content += x.Text
			if x.Delta != nil {
				content += x.Delta.Content
			} else if c.Object == "chat.completion.chunk" {
				t.Errorf("no delta: %s", data)
			}
			if x.Finish != nil {
				finish = *x.Finish
			}
		}
		if len(c.Usage) > 0 && string(c.Usage) != "null" {
			use = string(c.Usage)
		}
	}
	if !done {
		t.Error("the stream has no end")
	}
	return content, finish, use, events
}

// eventually waits until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 30 s: ", what)
		}
	}
}
