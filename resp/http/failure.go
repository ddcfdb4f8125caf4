package http

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/nearcache/nearcache/store/semcache"
)

// failure is what came of a question to upstream that failed, for those who have waited for its answer. It is kept by
// nobody: who asks later asks upstream.
type failure struct {
	status int
	header http.Header // nil: upstream has not answered, for this reason
	body   []byte
	code   string
	text   string
}

const failureReason = "who asked the same has failed"

func (f *failure) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set(headerCache, "miss")
	h.Set(headerReason, failureReason)
	if f.header == nil {
		writeAPIError(w, f.status, "upstream_error", f.code, f.text)
		return
	}
	copyHeader(h, f.header.Clone())
	w.WriteHeader(f.status)
	_, _ = w.Write(f.body)
}

// maxFailure bounds what others are told of a failure; one that says more is each one's own.
const maxFailure = 64 << 10

// passFailure passes upstream's error on, and keeps it for those who wait.
func (s *Server) passFailure(w http.ResponseWriter, r *http.Request, resp *http.Response, x *miss) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxFailure+1))
	if err != nil {
		s.upstreamFailed(w, r, err, x)
		return
	}
	if len(b) <= maxFailure {
		h := resp.Header.Clone()
		h.Del("Set-Cookie")
		x.vain = semcache.Vain{Why: semcache.Failed, Failure: &failure{status: resp.StatusCode, header: h, body: b}}
	}
	w.WriteHeader(resp.StatusCode)
	s.copyStream(w, io.MultiReader(bytes.NewReader(b), resp.Body), nil)
}

// ask looks for an answer. Of those who wait for one that another makes, one is the next where that other has gone, or has
// failed: all the others wait for it in turn, and where it fails, too, they are told what it was told. So a failure is of no
// consequence if it was one, and upstream is not asked by everybody at once where it fails all the time. Where what was
// answered is not kept (a call of a tool), waiting would help nobody: each asks for itself.
func ask(n *semcache.Namespace, call *semcache.Call, q *semcache.Query) (a semcache.Answer, err error) {
	until := time.Now().Add(q.Wait)
	for {
		if err = n.Get(call, q, &a); err != nil {
			return a, err
		}
		again := a.Vain.Why == semcache.Left || a.Vain.Why == semcache.Failed && q.Vain.Why != semcache.Failed
		if q.Wait = time.Until(until); !again || q.Wait <= 0 {
			return a, nil
		}
		if a.Vain.Why == semcache.Failed {
			q.Vain = a.Vain
		}
	}
}
