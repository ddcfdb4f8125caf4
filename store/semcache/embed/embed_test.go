package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nearcache/nearcache/store/semcache/embed/embedtest"
)

// transport answers requests in the place of a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// inputs are the texts of a request.
func inputs(t testing.TB, r *http.Request) []string {
	t.Helper()
	var q struct {
		Model, Encoding_Format string
		Input                  []string
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		t.Error(err)
	}
	return q.Input
}

// vectors answers with a vector for each text, whose second number is its length;
// the last one first.
func vectors(texts []string) *http.Response {
	var l []string
	for i, s := range slices.Backward(texts) {
		l = append(l, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":[1,%d]}`, i, len(s)))
	}
	return reply(200, `{"object":"list","data":[`+strings.Join(l, ",")+`],"model":"m","usage":{"total_tokens":1}}`)
}

// serverSet is a set with one model of a server that f plays.
func serverSet(t testing.TB, o Options, f transport) (*Set, *Model) {
	t.Helper()
	o.Client = &http.Client{Transport: f}
	if o.Cache == 0 {
		o.Cache = DefaultCache
	}
	s, err := NewSet([]string{"openai:m"}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, s.Models()[0]
}

func one(t testing.TB, m *Model, text string) []float32 {
	t.Helper()
	v, err := m.Embed(t.Context(), []string{text})
	if err != nil {
		t.Error(err)
		return []float32{0, 0}
	}
	return v[0]
}

func TestTextsOfConcurrentCallersTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		var mu sync.Mutex
		_, m := serverSet(t, Options{Batch: 8, Parallel: 1}, func(r *http.Request) (*http.Response, error) {
			texts := inputs(t, r)
			mu.Lock()
			sizes = append(sizes, len(texts))
			mu.Unlock()
			time.Sleep(time.Second)
			return vectors(texts), nil
		})
		var wg sync.WaitGroup
		ask := func(n int) {
			wg.Go(func() {
				text := strings.Repeat("x", n)
				if v := one(t, m, text); math.Abs(float64(v[1]/v[0])-float64(n)) > 1e-4 {
					t.Errorf("%d: %v", n, v)
				}
			})
		}
		ask(1)
		synctest.Wait()
		for n := range 20 {
			ask(n + 1)
			ask(n + 1)
		}
		wg.Wait()
		if !slices.Equal(sizes, []int{1, 8, 8, 3}) {
			t.Errorf("requests of %v texts", sizes)
		}
		if v := one(t, m, "xxx"); v[1] < v[0] {
			t.Error(v)
		}
		if n := len(sizes); n != 4 {
			t.Errorf("a known text was asked for once more: %d requests", n)
		}
		if texts, known, computed := m.Texts.Load(), m.Known.Load(), m.Computed.Load(); texts != 42 || known != 1 || computed != 20 {
			t.Errorf("%d texts, %d known, %d computed", texts, known, computed)
		}
	})
}

func TestACallerThatGoesDoesNotTakeTheTextAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		_, m := serverSet(t, Options{}, func(r *http.Request) (*http.Response, error) {
			requests.Add(1)
			time.Sleep(time.Second)
			return vectors(inputs(t, r)), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := m.Embed(ctx, []string{"a"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		one(t, m, "a")
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestFailuresAreTriedAgainOrNot(t *testing.T) {
	const key = "sk-very-secret"
	f := func(name string, wantRequests int, wantErr string, answers ...any) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				_, m := serverSet(t, Options{Key: key, Timeout: time.Minute}, func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("Authorization") != "Bearer "+key || r.URL.String() != DefaultURL+"/embeddings" {
						t.Errorf("%s with %q", r.URL, r.Header)
					}
					a := answers[min(n, len(answers)-1)]
					n++
					switch a := a.(type) {
					case error:
						return nil, a
					case func() *http.Response:
						return a(), nil
					}
					return vectors(inputs(t, r)), nil
				})
				_, err := m.Embed(t.Context(), []string{"a"})
				switch {
				case wantErr == "" && err != nil, wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)):
					t.Errorf("error %v, want %q", err, wantErr)
				case err != nil && strings.Contains(err.Error(), key):
					t.Errorf("the key is in the error: %v", err)
				}
				if n != wantRequests {
					t.Errorf("%d requests, want %d", n, wantRequests)
				}
			})
		})
	}
	status := func(code int, body string, header ...string) func() *http.Response {
		return func() *http.Response { return reply(code, body, header...) }
	}
	f("at once", 1, "", nil)
	f("a lost connection", 3, "", errors.New("reset"), errors.New("reset"), nil)
	f("overload", 2, "", status(429, "slow down", "Retry-After", "7"), nil)
	f("never", attempts, "says 503 down", status(503, `{"error":"down"}`))
	f("for an hour", 1, "says 429", status(429, "", "Retry-After", "3000"))
	f("a bad key", 1, "Incorrect API key provided: (key)", status(401, `{"error":{"message":"Incorrect API key provided: `+key+`"}}`))
	f("a bad request", 1, "says 400 no", status(400, `{"message":"no"}`))
	f("nonsense", attempts, "invalid character", status(200, "<html>"))
	f("too few", attempts, "0 vectors for 1", status(200, `{"data":[]}`))
	f("redirected", 1, "says 302", status(302, ""))
}

func TestATextThatIsRefusedTakesNoOtherWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := serverSet(t, Options{Parallel: 1}, func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			texts := inputs(t, r)
			if slices.Contains(texts, "bad") {
				return reply(400, `{"error":{"message":"bad text"}}`), nil
			}
			return vectors(texts), nil
		})
		go one(t, m, "first")
		synctest.Wait()
		var wg sync.WaitGroup
		for _, text := range []string{"good", "bad", "fine"} {
			wg.Go(func() {
				_, err := m.Embed(t.Context(), []string{text})
				if (err != nil) != (text == "bad") {
					t.Errorf("%s: %v", text, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := serverSet(t, Options{}, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		done := make(chan error, 1)
		go func() {
			_, err := m.Embed(context.Background(), []string{"a"})
			done <- err
		}()
		synctest.Wait()
		s.Close()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if _, err := m.Embed(t.Context(), []string{"b"}); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v after the end", err)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	_, m := serverSet(t, Options{Cache: 10 * (knownSize + 5 + 8)}, func(r *http.Request) (*http.Response, error) {
		return vectors(inputs(t, r)), nil
	})
	for i := range 100 {
		one(t, m, "always")
		one(t, m, fmt.Sprintf("no %02d", i))
	}
	if n := len(m.mu.known.at); n < 8 || n > 10 || m.mu.known.order.Len() != n {
		t.Errorf("%d texts are known", n)
	}
	if n := m.Known.Load(); n != 99 {
		t.Errorf("what is used is forgotten: %d known", n)
	}
	one(t, m, strings.Repeat("x", 10_000))
	if m.mu.known.bytes > m.mu.known.limit || m.mu.known.bytes <= 0 {
		t.Errorf("%d bytes", m.mu.known.bytes)
	}
}

func TestTheSettingNamesModels(t *testing.T) {
	s, err := NewSet([]string{"small=openai:text-embedding-3-small", "lexical:64", "mini=local:/no/such/folder"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := func(name, want string, dim int) {
		t.Helper()
		m, err := s.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if m.Name() != want || m.Dim() != dim {
			t.Errorf("%q is %s of %d dimensions", name, m.Name(), m.Dim())
		}
	}
	f("", "small", 0)
	f("small", "small", 0)
	f("lexical:64", "lexical:64", 64)
	f("lexical", "lexical", 384)
	f("lexical:100", "lexical:100", 100)
	s.Configure(Options{Dimensions: 512})
	f("small", "small", 512)
	for _, name := range []string{"local:/etc", "openai:other", "lexical:7", "nothing"} {
		if _, err := s.Find(name); err == nil {
			t.Errorf("a client may ask for %q", name)
		}
	}
	if err := s.Open(); err == nil || !strings.Contains(err.Error(), "/no/such/folder") {
		t.Errorf("error %v", err)
	}
	for _, words := range []string{"gpt", "openai", "openai:", "=lexical", "lexical:x", "lexical:1000000", "lexical lexical", "a=lexical a=openai:b", "local"} {
		if err := Check(strings.Fields(words)); err == nil {
			t.Errorf("%q is taken", words)
		}
	}
}

func TestWithoutAModelTheOperatorIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	s, err := NewSet(nil, Options{Logger: func() *slog.Logger { return logger }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Open(); err != nil || log.Len() > 0 {
		t.Errorf("%v; %s", err, log.String())
	}
	for range 3 {
		one(t, s.Models()[0], "a")
	}
	if n := strings.Count(log.String(), "no embedding model is set"); n != 1 {
		t.Errorf("warned %d times: %s", n, log.String())
	}
}

func dot(a, b []float32) (s float32) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

func TestLexicalVectorsAreAlikeForTextsThatAre(t *testing.T) {
	s, err := NewSet([]string{"lexical"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := s.Models()[0]
	a := one(t, m, "How do I reset my password?")
	b := one(t, m, "how do i reset my passwords")
	c := one(t, m, "What is the capital of France?")
	if dot(a, a) < 0.999 || dot(a, b) < 0.8 || dot(a, c) > 0.3 || dot(a, b) > 0.99 {
		t.Errorf("with itself %v, alike %v, other %v", dot(a, a), dot(a, b), dot(a, c))
	}
	if !slices.Equal(a, one(t, m, "  HOW do I reset my password ")) {
		t.Error("case and punctuation count")
	}
	if v := one(t, m, ""); len(v) != 384 || dot(v, v) != 0 {
		t.Error("an empty text has a direction")
	}
	one(t, m, strings.Repeat("\xff東a", maxLexical))
}

func TestALocalModelIsComputedOnce(t *testing.T) {
	s, err := NewSet([]string{"local:" + embedtest.MiniLM(t)}, Options{Cache: DefaultCache})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	m := s.Models()[0]
	texts := []string{"my card was swallowed", "the machine has kept my card", "play some jazz", "my card was swallowed"}
	v, err := m.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if dot(v[0], v[1]) < 0.4 || dot(v[0], v[2]) > 0.2 || m.Computed.Load() != 3 || m.Dim() != 384 {
		t.Errorf("alike %v, other %v, %d computed", dot(v[0], v[1]), dot(v[0], v[2]), m.Computed.Load())
	}
}

// FuzzReply is what a server may answer.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4.5e-3]}]}`), 2)
	f.Add([]byte(`{"data":[{"index":-1,"embedding":[]}]}`), 1)
	f.Add([]byte(`{"error":{"message":"`+strings.Repeat("é", 200)+`"}}`), 1)
	f.Add([]byte(`{"data":[{"embedding":[1e39]}]}`), 1)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		if n < 1 || n > 100 {
			return
		}
		if s := complaint(text); len(s) > 310 {
			t.Errorf("a complaint of %d bytes", len(s))
		}
		v, err := parseReply(text, n)
		if err != nil {
			return
		}
		for _, x := range v {
			if len(x) == 0 || len(x) != len(v[0]) {
				t.Errorf("vectors %v", v)
			}
		}
	})
}

func FuzzLexical(f *testing.F) {
	f.Add("How do I reset my password?")
	f.Add("\xff\u0301東")
	f.Fuzz(func(t *testing.T, text string) {
		v := lexical{64}.embed(text)
		if d := dot(v, v); d != 0 && math.Abs(float64(d)-1) > 1e-3 {
			t.Errorf("length %v", d)
		}
	})
}

func BenchmarkLexical(b *testing.B) {
	for b.Loop() {
		lexical{384}.embed("I tried to withdraw cash and the machine swallowed my card")
	}
}
