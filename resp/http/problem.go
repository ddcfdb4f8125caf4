package http

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/nearcache/nearcache/store/semcache"
)

// problem is an error of LangCache's API (RFC 7807).
type problem struct {
	Title  string       `json:"title"`
	Type   string       `json:"type"`
	Status int          `json:"status,omitempty"`
	Detail string       `json:"detail,omitempty"`
	Fields []fieldError `json:"fields,omitempty"`
}

// fieldError is what is wrong with one field of a request.
type fieldError struct {
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

func (p *problem) Error() string { return p.Detail }

// problems are the kinds there are: the SDK knows a type for each status.
var problems = map[int]problem{
	http.StatusBadRequest:            {Title: "Invalid data", Type: "/errors/invalid-data"},
	http.StatusUnauthorized:          {Title: "Authentication failed", Type: "/errors/authentication-failed"},
	http.StatusForbidden:             {Title: "Insufficient permissions", Type: "/errors/insufficient-permissions"},
	http.StatusNotFound:              {Title: "Resource not found", Type: "/errors/resource-not-found"},
	http.StatusMethodNotAllowed:      {Title: "Method not allowed", Type: "/errors/method-not-allowed"},
	http.StatusRequestEntityTooLarge: {Title: "Payload too large", Type: "/errors/payload-too-large"},
	http.StatusUnsupportedMediaType:  {Title: "Unsupported media type", Type: "/errors/invalid-data"},
	http.StatusFailedDependency:      {Title: "Failed dependency", Type: "/errors/resource-unavailable"},
	http.StatusTooManyRequests:       {Title: "Too many requests", Type: "/errors/too-many-requests"},
	http.StatusInternalServerError:   {Title: "Unexpected error", Type: "/errors/unexpected-error"},
}

func newProblem(status int, detail string, fields ...fieldError) *problem {
	p, ok := problems[status]
	if !ok {
		p = problems[http.StatusInternalServerError]
	}
	p.Status, p.Detail, p.Fields = status, detail, fields
	return &p
}

// full is the problem of a server that may not store any more.
func full(detail string) *problem {
	p := newProblem(http.StatusFailedDependency, detail)
	p.Type = "/errors/database-out-of-memory"
	return p
}

// asProblem is what a client is told of an error. What it did not cause is for the
// operator.
func (s *Server) asProblem(r *http.Request, err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, semcache.ErrNoNamespace):
		return newProblem(http.StatusNotFound, "there is no such cache")
	case errors.Is(err, semcache.ErrNotFound):
		return newProblem(http.StatusNotFound, "there is no such entry")
	case errors.Is(err, semcache.ErrEmbedding):
		s.o.Logger().Warn("a prompt was not embedded", "path", r.URL.Path, "error", err)
		return newProblem(http.StatusFailedDependency, "the prompt cannot be embedded now")
	case errors.Is(err, semcache.ErrNoVector): // it was made for vectors that come with the prompts
		return newProblem(http.StatusFailedDependency, "the cache embeds no prompts")
	case semcache.IsParamError(err):
		return newProblem(http.StatusBadRequest, err.Error())
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusFailedDependency, "it took too long")
	}
	s.o.Logger().Error("a request failed", "path", r.URL.Path, "error", err)
	return newProblem(http.StatusInternalServerError, "see the server's log")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func (p *problem) write(w http.ResponseWriter) {
	if p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, p.Status, p)
}

// apiError is an error as OpenAI's API words it.
type apiError struct {
	Error apiErrorBody `json:"error"`
}

type apiErrorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func writeAPIError(w http.ResponseWriter, status int, kind, code, text string) {
	e := apiError{apiErrorBody{Message: text, Type: kind}}
	if code != "" {
		e.Error.Code = &code
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, status, e)
}
