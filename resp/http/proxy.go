package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/store/semcache"
)

// The headers of an answer.
const (
	headerCache      = "X-Cache"            // exact, semantic, miss or bypass
	headerSimilarity = "X-Cache-Similarity" // cosine, of a miss that of the nearest prompt
	headerConfidence = "X-Cache-Confidence" // that the answer is right
	headerID         = "X-Cache-Id"         // of the entry
	headerReason     = "X-Cache-Reason"     // why it does not come from the cache
)

// complete answers a request for text.
func (s *Server) complete(w http.ResponseWriter, r *http.Request, who *caller, d *dialect) {
	body, err := s.read(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	tenant := *who
	tenant.scope = append(slices.Clone(who.scope), who.upstream(r)...)
	q, why, err := d.readQuestion(body, r.Header, &tenant)
	if err != nil {
		writeAPIError(w, http.StatusBadRequest, "invalid_request_error", "", err.Error())
		return
	}
	if why != "" {
		s.bypass(w, r, who, d, body, why)
		return
	}
	set := s.o.Settings()
	call := s.o.Cache.Begin(r.Context())
	n, err := s.namespace(r.Context(), set.Namespace)
	if err != nil {
		s.bypass(w, r, who, d, body, s.asProblem(r, err).Detail)
		return
	}
	x := &miss{d: d, q: &q, who: who, body: body, keep: !q.secret}
	if !q.fresh {
		query := semcache.Query{
			Prompt: []byte(q.prompt), Context: q.context, Before: q.before, Scope: slices.Clone(q.scope), Mode: q.mode, MinSim: q.minSim,
		}
		if set.Upstream != "" && !q.tools {
			query.Lease, query.Wait, query.Once = min(set.Timeout, semcache.MaxLease), set.Timeout, true
		}
		a, err := ask(n, call, &query)
		if err != nil {
			if r.Context().Err() == nil {
				s.bypass(w, r, who, d, body, s.asProblem(r, err).Detail)
			}
			return
		}
		if f, ok := a.Vain.Failure.(*failure); ok {
			s.metrics.cache("miss")
			f.write(w)
			return
		}
		var again []byte
		if a.Status.Hit() {
			if again, err = d.replay(&q, a.Answer); err != nil { // then upstream is asked, and what it says is kept in its place
				if !errors.Is(err, errNoUsage) {
					s.o.Logger().Warn("an answer cannot be replayed", "id", string(a.ID), "error", err)
				}
				a = semcache.Answer{Sim: a.Sim, Reason: err.Error()}
			}
		}
		if a.Status.Hit() {
			s.metrics.cache(a.Status.String())
			h := w.Header()
			h.Set(headerCache, a.Status.String())
			h.Set(headerSimilarity, strconv.FormatFloat(a.Sim, 'f', 4, 64))
			h.Set(headerConfidence, strconv.FormatFloat(a.Confidence, 'f', 4, 64))
			h.Set(headerID, string(a.ID))
			h.Set("Age", strconv.FormatInt(a.Age/1000, 10))
			writeReplay(w, &q, again)
			return
		}
		x.token, x.nearest, x.reason = a.Token, a.Sim, a.Reason
		if a.Token != "" {
			defer func() {
				if !x.kept {
					if r.Context().Err() != nil {
						x.vain = semcache.Vain{Why: semcache.Left} // whatever has come of it
					}
					n.End(s.o.Cache.Begin(context.Background()), a.Token, x.vain)
				}
			}()
		}
	}
	s.metrics.cache("miss")
	s.forward(w, r, who, d.path, body, x)
}

// refuse answers a request that was not understood, as OpenAI would.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := s.asProblem(r, err)
	writeAPIError(w, p.Status, "invalid_request_error", "", p.Detail)
}

// bypass passes a request on that has nothing to do with the cache.
func (s *Server) bypass(w http.ResponseWriter, r *http.Request, who *caller, d *dialect, body []byte, why string) {
	s.metrics.cache("bypass")
	w.Header().Set(headerReason, why)
	s.forward(w, r, who, d.path, body, nil)
}

// pass passes any request on.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, who *caller) {
	body, err := s.read(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.forward(w, r, who, strings.TrimPrefix(r.URL.EscapedPath(), "/v1"), body, nil)
}

// miss is an answer that is to be kept.
type miss struct {
	d       *dialect
	q       *question
	who     *caller
	body    []byte
	token   string // of the lease
	nearest float64
	reason  string
	keep    bool
	kept    bool
	vain    semcache.Vain // what those are told who wait, if it was not kept
}

// notPassed are headers that are between us and the client, or us and upstream.
var notPassed = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Content-Length", "Accept-Encoding", "Host", "Cookie",
	headerMode, headerTTL, headerThreshold, headerScope, headerContext,
}

func copyHeader(to, from http.Header) {
	drop := slices.Clone(notPassed)
	for _, v := range from.Values("Connection") {
		for _, name := range strings.Split(v, ",") {
			drop = append(drop, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name, values := range from {
		if !slices.Contains(drop, name) {
			to[name] = values
		}
	}
}

// forward asks upstream and passes its answer on. x is nil where it has nothing to do
// with the cache.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, who *caller, path string, body []byte, x *miss) {
	set := s.o.Settings()
	if set.Upstream == "" {
		writeAPIError(w, http.StatusNotFound, "invalid_request_error", "no_upstream", "no upstream is set (http-upstream), and the answer is not in the cache")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), set.Timeout)
	defer cancel()
	u, err := url.Parse(strings.TrimRight(set.Upstream, "/") + path)
	if err != nil {
		writeAPIError(w, http.StatusBadGateway, "upstream_error", "", "http-upstream is no address")
		return
	}
	u.RawQuery = r.URL.RawQuery
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		writeAPIError(w, http.StatusBadGateway, "upstream_error", "", "the request cannot be passed on")
		return
	}
	copyHeader(req.Header, r.Header)
	switch {
	case set.UpstreamKey != "":
		req.Header.Set("Authorization", "Bearer "+set.UpstreamKey)
	case who.own:
		req.Header.Del("Authorization") // it is for us
	}
	began := time.Now()
	resp, err := s.client.Do(req)
	if err != nil {
		s.upstreamFailed(w, r, err, x)
		return
	}
	defer resp.Body.Close()
	s.metrics.upstream(resp.StatusCode, time.Since(began))
	h := w.Header()
	copyHeader(h, resp.Header)
	if x == nil {
		h.Set(headerCache, "bypass")
	} else {
		h.Set(headerCache, "miss")
		h.Set(headerSimilarity, strconv.FormatFloat(x.nearest, 'f', 4, 64))
		if x.reason != "" {
			h.Set(headerReason, x.reason)
		}
		x.keep = x.keep && resp.StatusCode == http.StatusOK
		x.vain.Why = semcache.NotKept
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case x != nil && resp.StatusCode >= http.StatusBadRequest:
		s.passFailure(w, r, resp, x)
	case x == nil || !x.keep:
		w.WriteHeader(resp.StatusCode)
		s.copyStream(w, resp.Body, nil)
	case kind == "text/event-stream":
		s.keepStream(w, r, resp, x)
	default:
		s.keepWhole(w, r, resp, x)
	}
}

func (s *Server) upstreamFailed(w http.ResponseWriter, r *http.Request, err error, x *miss) {
	s.metrics.upstream(0, 0)
	if r.Context().Err() != nil {
		return // nobody is there any more
	}
	s.o.Logger().Warn("upstream does not answer", "path", r.URL.Path, "error", err)
	f := &failure{status: http.StatusBadGateway, code: "unreachable", text: "upstream cannot be reached"}
	if errors.Is(err, context.DeadlineExceeded) {
		f = &failure{status: http.StatusGatewayTimeout, code: "timeout", text: "upstream has not answered in time"}
	}
	if x != nil {
		x.vain = semcache.Vain{Why: semcache.Failed, Failure: f}
	}
	writeAPIError(w, f.status, "upstream_error", f.code, f.text)
}

// copyStream passes bytes on as they come. before sees them first.
func (s *Server) copyStream(w http.ResponseWriter, from io.Reader, before func([]byte)) {
	c := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if before != nil {
				before(buf[:n])
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
			if c.Flush() != nil {
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil { // the client shall not take it for the end
			panic(http.ErrAbortHandler)
		}
	}
}

// keepStream passes a stream on, and keeps what it says. It is kept before its
// end is passed on: who asks again at once finds it.
func (s *Server) keepStream(w http.ResponseWriter, r *http.Request, resp *http.Response, x *miss) {
	rec := newRecording(x.d, s.o.Settings().MaxBody)
	rec.answer.Unasked = !x.q.usage
	s.setID(w, x)
	w.WriteHeader(resp.StatusCode)
	s.copyStream(w, resp.Body, func(p []byte) {
		was := rec.done
		rec.write(p)
		if !rec.done || was {
			return
		}
		if b, why := rec.result(); why == "" {
			s.store(r, x, b)
		}
	})
}

// keepWhole passes an answer on that comes as a whole, and keeps it.
func (s *Server) keepWhole(w http.ResponseWriter, r *http.Request, resp *http.Response, x *miss) {
	limit := s.o.Settings().MaxBody
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		w.Header().Del(headerID)
		s.upstreamFailed(w, r, err, x)
		return
	}
	if int64(len(b)) <= limit {
		s.store(r, x, b)
	}
	if x.kept {
		s.setID(w, x)
	}
	w.WriteHeader(resp.StatusCode)
	if _, err := w.Write(b); err == nil && int64(len(b)) > limit {
		s.copyStream(w, resp.Body, nil)
	}
}

// setID says under which id the answer will be, or is.
func (s *Server) setID(w http.ResponseWriter, x *miss) {
	if n, err := s.o.Cache.Namespace(s.o.Settings().Namespace); err == nil {
		w.Header().Set(headerID, n.Locate([]byte(x.q.prompt), slices.Clone(x.q.scope), x.q.context, x.q.before))
	}
}

// store keeps an answer, if it may be.
func (s *Server) store(r *http.Request, x *miss, answer []byte) {
	content, tokens, why := x.d.judge(x.d, answer)
	if why == "" {
		if _, err := x.d.stream(x.d, nil, answer, false); err != nil { // it may be asked for as a stream
			why = err.Error()
		}
	}
	if why != "" {
		s.o.Logger().Debug("an answer is not kept", "model", x.q.model, "reason", why)
		return
	}
	if err := s.writable(); err != nil {
		return
	}
	sum := sha256.Sum256([]byte(content))
	call := s.o.Cache.Begin(context.WithoutCancel(r.Context()))
	n, err := s.o.Cache.Namespace(s.o.Settings().Namespace)
	if err != nil {
		return
	}
	id, err := n.Put(call, &semcache.Entry{
		Prompt: []byte(x.q.prompt), Answer: answer, Context: x.q.context, Before: x.q.before, Scope: slices.Clone(x.q.scope), PX: x.q.ttl,
		AnswerID: hex.EncodeToString(sum[:16]), Model: x.q.model, Lease: x.token, Tokens: tokens,
	})
	if err != nil {
		s.o.Logger().Warn("an answer was not kept", "model", x.q.model, "error", err)
		return
	}
	call.Settle()
	x.kept = id != ""
}

// The requests and replies of /v1/embeddings.
type (
	embeddingsRequest struct {
		Model      string          `json:"model"`
		Input      json.RawMessage `json:"input"` // a text or texts
		Format     string          `json:"encoding_format,omitempty"`
		Dimensions *int            `json:"dimensions,omitempty"`
	}
	embeddingsReply struct {
		Object string           `json:"object"`
		Data   []embeddingReply `json:"data"`
		Model  string           `json:"model"`
		Usage  embeddingsUsage  `json:"usage"`
	}
	embeddingReply struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"` // numbers, or base64 of float32
	}
	embeddingsUsage struct {
		Prompt int `json:"prompt_tokens"` // not counted here
		Total  int `json:"total_tokens"`
	}
)

// maxInputs is how many texts a request for embeddings may have, as at OpenAI.
const maxInputs = 2048

// embeddings embeds with a model of ours, if it is one.
func (s *Server) embeddings(w http.ResponseWriter, r *http.Request, who *caller) {
	body, err := s.read(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var q embeddingsRequest
	if err := json.Unmarshal(body, &q); err != nil {
		writeAPIError(w, http.StatusBadRequest, "invalid_request_error", "", "the request is not JSON")
		return
	}
	m, err := s.o.Models.Find(q.Model)
	if err != nil || q.Model == "" {
		s.forward(w, r, who, "/embeddings", body, nil)
		return
	}
	texts, err := inputsOf(q.Input)
	switch {
	case err != nil:
	case q.Format != "" && q.Format != "float" && q.Format != "base64":
		err = errors.New("encoding_format is float or base64")
	case q.Dimensions != nil && m.Dim() != 0 && *q.Dimensions != m.Dim():
		err = fmt.Errorf("the vectors of %s have %d dimensions", q.Model, m.Dim())
	}
	if err != nil {
		writeAPIError(w, http.StatusBadRequest, "invalid_request_error", "", err.Error())
		return
	}
	vectors, err := m.Embed(r.Context(), texts)
	if err != nil {
		s.o.Logger().Warn("texts were not embedded", "model", q.Model, "error", err)
		writeAPIError(w, http.StatusBadGateway, "upstream_error", "", "the texts cannot be embedded now")
		return
	}
	reply := embeddingsReply{Object: "list", Model: q.Model}
	for i, v := range vectors {
		var e any = v
		if q.Format == "base64" {
			e = semcache.Blob(v) // JSON writes bytes in base64
		}
		reply.Data = append(reply.Data, embeddingReply{"embedding", i, e})
	}
	writeJSON(w, http.StatusOK, reply)
}

func inputsOf(v json.RawMessage) ([]string, error) {
	var one string
	if json.Unmarshal(v, &one) == nil && one != "" {
		return []string{one}, nil
	}
	var l []string
	if json.Unmarshal(v, &l) != nil || len(l) == 0 || len(l) > maxInputs || slices.Contains(l, "") {
		return nil, fmt.Errorf("input is a text that is not empty, or 1 to %d of them", maxInputs)
	}
	return l, nil
}
