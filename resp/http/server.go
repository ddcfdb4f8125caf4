package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/semcache/embed"
)

// Options are the parts of the process that a Server works with.
type Options struct {
	Keyspace *store.Keyspace
	Cache    *semcache.Cache
	Models   *embed.Set
	Settings func() *Settings               // the current ones
	Refused  func() error                   // why nothing may be stored now, nil if it may
	Full     func() bool                    // there is no memory for more
	Loading  func() bool                    // nothing is known yet
	Durable  func() error                   // waits until what was stored is as safe as it was asked to be
	Info     func(section ...string) string // of INFO, for the metrics
	Logger   func() *slog.Logger
}

// Settings are those that may change while the server runs.
type Settings struct {
	Keys        []Key
	Password    string // of the whole server; "" for none
	Protected   bool   // strangers are refused while there are neither keys nor a password
	Upstream    string // of the proxy, up to v1; "" for no proxy
	UpstreamKey string
	Namespace   string        // of the proxy's answers
	Timeout     time.Duration // of a request to upstream, all of it
	MaxBody     int64         // bytes of a request, and of an answer that is kept
	MaxRequests int           // at a time
}

// Server handles the requests. Make it with New.
type Server struct {
	o       Options
	mux     *http.ServeMux
	guard   *http.CrossOriginProtection
	metrics metrics
	client  *http.Client // for upstream
	active  atomic.Int64
	spec    []byte // /openapi.json
}

// New makes the handler of all paths.
func New(o Options) *Server {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 256
	s := &Server{
		o: o, mux: http.NewServeMux(), guard: http.NewCrossOriginProtection(),
		client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	for i := range routes {
		r := &routes[i]
		s.mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, q *http.Request) { s.serve(w, q, r) })
	}
	s.mux.HandleFunc("/", s.unknown)
	s.spec = openAPI()
	return s
}

// Close gives up the connections to upstream that are idle.
func (s *Server) Close() { s.client.CloseIdleConnections() }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w}
	w = rec
	if err := s.guard.Check(r); err != nil { // a page of some site, in the browser of somebody on this machine
		newProblem(http.StatusForbidden, "pages of other sites are not served").write(w)
		return
	}
	if s.o.Loading() {
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusServiceUnavailable, healthReply{"loading", "the server loads its data"})
		return
	}
	s.mux.ServeHTTP(w, r)
}

// unknown answers what no route is for.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	status := http.StatusNotFound
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		q := *r
		q.Method = m
		if _, pattern := s.mux.Handler(&q); pattern != "/" && pattern != "" {
			status = http.StatusMethodNotAllowed
			w.Header().Add("Allow", m)
		}
	}
	text := "there is nothing at " + r.Method + " " + r.URL.Path
	if !strings.HasPrefix(r.URL.Path, "/v1/") || strings.HasPrefix(r.URL.Path, "/v1/caches") {
		newProblem(status, text).write(w)
		return
	}
	writeAPIError(w, status, "invalid_request_error", "unknown_url", text)
}

// serve lets a request in, or not, and counts it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, at *route) {
	began := time.Now()
	rec, ok := w.(*recorder)
	if !ok {
		rec = &recorder{ResponseWriter: w}
	}
	set := s.o.Settings()
	n := s.active.Add(1)
	defer func() {
		s.active.Add(-1)
		s.metrics.request(at, rec.status, time.Since(began))
	}()
	fail := func(status int, code, text string) {
		if at.API == openAIAPI {
			writeAPIError(rec, status, "invalid_request_error", code, text)
		} else {
			newProblem(status, text).write(rec)
		}
	}
	if set.MaxRequests > 0 && n > int64(set.MaxRequests) && at.API != operatorAPI {
		fail(http.StatusTooManyRequests, "rate_limit_exceeded", fmt.Sprintf("more than %d requests at a time", set.MaxRequests))
		return
	}
	var who caller
	if !at.Open {
		var no *refusal
		if who, no = set.authenticate(r); no != nil {
			fail(no.status, "invalid_api_key", no.text)
			return
		}
	}
	if r.Method == http.MethodPost && r.ContentLength != 0 || r.Method == http.MethodDelete && r.ContentLength > 0 {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			fail(http.StatusUnsupportedMediaType, "", "a request is of the type application/json")
			return
		}
	}
	at.handle(s, rec, r, &who)
}

// recorder remembers the status of an answer, and gives the client time for each part of
// it. What it gave before, on the same connection, has run out: net/http does not renew it.
type recorder struct {
	http.ResponseWriter
	status int
}

// writeTime is how long a client may take to accept the next bytes.
const writeTime = 30 * time.Second

func (r *recorder) renew() {
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTime))
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.renew()
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.renew()
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// read reads the body of a request, which is JSON in UTF-8.
func (s *Server) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := s.o.Settings().MaxBody
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("a request may have %d bytes", limit))
	case err != nil:
		return nil, newProblem(http.StatusBadRequest, "the request ended early")
	case !utf8.Valid(b) || hasHalf(b):
		return nil, newProblem(http.StatusBadRequest, "the request is not UTF-8")
	}
	return b, nil
}

// hasHalf reports whether JSON holds the escape of half a UTF-16 pair without the other half. It is no character, and encoding/json
// reads each of them as the same one: what differs in them, values of a scope for example, would be equal.
func hasHalf(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return false
		}
		b = b[i:]
		switch r := escaped(b); {
		case r < 0:
			b = b[min(2, len(b)):]
		case !utf16.IsSurrogate(r):
			b = b[6:]
		case utf16.DecodeRune(r, escaped(b[6:])) == utf8.RuneError:
			return true
		default:
			b = b[12:]
		}
	}
}

// escaped is the code of the escape \uXXXX that b begins with, -1 if it begins with none.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// maxCaches is how many namespaces requests may make: each has an index.
const maxCaches = 1000

// namespace finds a cache, and makes it where it is missing.
func (s *Server) namespace(ctx context.Context, name string) (*semcache.Namespace, error) {
	n, err := s.o.Cache.Namespace(name)
	if !errors.Is(err, semcache.ErrNoNamespace) {
		return n, err
	}
	if len(s.o.Cache.List()) >= maxCaches {
		return nil, newProblem(http.StatusForbidden, fmt.Sprintf("there are %d caches already", maxCaches))
	}
	if err := s.writable(); err != nil {
		return nil, err
	}
	m, err := s.o.Models.Find("")
	if err != nil {
		return nil, err
	}
	dim := m.Dim()
	if dim == 0 { // a server tells by its first answer
		v, err := m.Embed(ctx, []string{name})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", semcache.ErrEmbedding, err)
		}
		dim = len(v[0])
	}
	p := semcache.Defaults(dim)
	p.Embed = m.Name()
	err = s.o.Cache.Make(ctx, name, p)
	if err != nil && !errors.Is(err, semcache.ErrExists) { // somebody else was quicker
		return nil, err
	}
	return s.o.Cache.Namespace(name)
}

// writable reports why nothing may be stored.
func (s *Server) writable() error {
	if s.o.Full() {
		return full("the server's memory is full")
	}
	return s.refused()
}

// refused reports why nothing may be changed, by the word that Redis' errors of it begin with: the rest may name files and
// is for the operator.
func (s *Server) refused() error {
	if err := s.o.Refused(); err != nil {
		word, _, _ := strings.Cut(err.Error(), " ")
		return newProblem(http.StatusFailedDependency, "nothing can be written now: "+word)
	}
	return nil
}
