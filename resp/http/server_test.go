package http

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// slow is a client's connection that has been used before.
type slow struct {
	*httptest.ResponseRecorder
	deadline time.Time
	t        *testing.T
}

func (s *slow) SetWriteDeadline(d time.Time) error { s.deadline = d; return nil }

func (s *slow) WriteHeader(status int) {
	if time.Until(s.deadline) < writeTime/2 {
		s.t.Errorf("%d is written with %v left", status, time.Until(s.deadline))
	}
	s.ResponseRecorder.WriteHeader(status)
}

func (s *slow) Write(b []byte) (int, error) {
	if time.Until(s.deadline) < writeTime/2 {
		s.t.Errorf("%s is written with %v left", b, time.Until(s.deadline))
	}
	return s.ResponseRecorder.Write(b)
}

// TestEachAnswerHasItsTime, whatever was left of that for the one before.
func TestEachAnswerHasItsTime(t *testing.T) {
	loading := false
	s := New(Options{Settings: func() *Settings { return &Settings{} }, Loading: func() bool { return loading }})
	defer s.Close()
	f := func(method, path string, status int, header ...string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(""))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := &slow{ResponseRecorder: httptest.NewRecorder(), t: t}
		s.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	f("GET", "/openapi.json", 200)
	f("GET", "/nothing", 404)
	f("GET", "/v1/chat/completions", 405)
	f("GET", "/v1/models", 404) // no upstream
	f("POST", "/v1/caches/c/flush", 403, "Sec-Fetch-Site", "cross-site")
	loading = true
	f("GET", "/health", http.StatusServiceUnavailable)
	f("POST", "/v1/caches/c/entries", http.StatusServiceUnavailable)
}
