package http

import "net/http"

// api is whose conventions a path follows.
type api uint8

const (
	langCacheAPI api = iota
	openAIAPI
	operatorAPI
)

var apiNames = [...]string{langCacheAPI: "LangCache", openAIAPI: "OpenAI", operatorAPI: "operation"}

// route is a path with what it takes and gives.
type route struct {
	Method, Path string
	Name         string // in the description
	Summary      string
	API          api
	Open         bool   // without a key
	Request      any    // a value of the type of its body, nil for none
	Reply        any    // …of its answer's
	Status       int    // of a success
	Text         string // the type of an answer that is not JSON
	Cached       bool   // from the cache, as a stream where the request says so
	Errors       []int
	handle       func(*Server, http.ResponseWriter, *http.Request, *caller)
}

// problems turns the error of a handler into an answer.
func withProblems(f func(*Server, http.ResponseWriter, *http.Request, *caller) error) func(*Server, http.ResponseWriter, *http.Request, *caller) {
	return func(s *Server, w http.ResponseWriter, r *http.Request, who *caller) {
		if err := f(s, w, r, who); err != nil {
			s.asProblem(r, err).write(w)
		}
	}
}

var (
	reading = []int{400, 401, 403, 413, 424, 429, 500}
	finding = []int{400, 401, 403, 404, 413, 424, 429, 500}
	asking  = []int{400, 401, 403, 413, 429, 502, 504}
)

// routes lists everything there is.
var routes = []route{
	{
		Method: http.MethodPost, Path: "/v1/caches/{cacheId}/entries", Name: "set", API: langCacheAPI,
		Summary: "Stores the answer of a prompt; the cache is made where it is missing.",
		Request: setRequest{}, Reply: setReply{}, Status: http.StatusCreated, Errors: reading,
		handle: withProblems((*Server).setEntry),
	},
	{
		Method: http.MethodPost, Path: "/v1/caches/{cacheId}/entries/search", Name: "search", API: langCacheAPI,
		Summary: "Finds answers of the prompt, and of prompts that mean the same.",
		Request: searchRequest{}, Reply: searchReply{}, Status: http.StatusOK, Errors: reading,
		handle: withProblems((*Server).searchEntries),
	},
	{
		Method: http.MethodPost, Path: "/v1/caches/{cacheId}/conversations/search", Name: "conversationalSearch", API: langCacheAPI,
		Summary: "The same for a prompt that may lean on the questions before it.",
		Request: conversationRequest{}, Reply: conversationReply{}, Status: http.StatusOK, Errors: reading,
		handle: withProblems((*Server).searchConversation),
	},
	{
		Method: http.MethodDelete, Path: "/v1/caches/{cacheId}/entries", Name: "deleteQuery", API: langCacheAPI,
		Summary: "Removes the entries that have all of some attributes.",
		Request: deleteRequest{}, Reply: deleteReply{}, Status: http.StatusOK, Errors: finding,
		handle: withProblems((*Server).deleteEntries),
	},
	{
		Method: http.MethodDelete, Path: "/v1/caches/{cacheId}/entries/{entryId}", Name: "deleteById", API: langCacheAPI,
		Summary: "Removes an entry.",
		Status:  http.StatusNoContent, Errors: finding,
		handle: withProblems((*Server).deleteEntry),
	},
	{
		Method: http.MethodPost, Path: "/v1/caches/{cacheId}/flush", Name: "flush", API: langCacheAPI,
		Summary: "Removes all entries that the key sees.",
		Status:  http.StatusNoContent, Errors: finding,
		handle: withProblems((*Server).flush),
	},
	{
		Method: http.MethodPost, Path: "/v1/chat/completions", Name: "chatCompletions", API: openAIAPI,
		Summary: "Answers from the cache, or from upstream and keeps the answer; as JSON or as a stream.",
		Request: chatRequest{}, Reply: completion{}, Status: http.StatusOK, Errors: asking, Cached: true,
		handle: func(s *Server, w http.ResponseWriter, r *http.Request, who *caller) { s.complete(w, r, who, &chat) },
	},
	{
		Method: http.MethodPost, Path: "/v1/completions", Name: "completions", API: openAIAPI,
		Summary: "The same for a bare prompt.",
		Request: textRequest{}, Reply: completion{}, Status: http.StatusOK, Errors: asking, Cached: true,
		handle: func(s *Server, w http.ResponseWriter, r *http.Request, who *caller) { s.complete(w, r, who, &text) },
	},
	{
		Method: http.MethodPost, Path: "/v1/embeddings", Name: "embeddings", API: openAIAPI,
		Summary: "Vectors of texts by a model of the setting embed, otherwise from upstream.",
		Request: embeddingsRequest{}, Reply: embeddingsReply{}, Status: http.StatusOK, Errors: asking,
		handle: (*Server).embeddings,
	},
	{
		Method: http.MethodPost, Path: "/v1/responses", Name: "responses", API: openAIAPI,
		Summary: "The same for an input, a text or messages.",
		Request: responseRequest{}, Reply: map[string]any{}, Status: http.StatusOK, Errors: asking, Cached: true,
		handle: func(s *Server, w http.ResponseWriter, r *http.Request, who *caller) { s.complete(w, r, who, &respond) },
	},
	{
		Method: http.MethodGet, Path: "/v1/models", Name: "models", API: openAIAPI,
		Summary: "Passed on to upstream.", Reply: map[string]any{}, Status: http.StatusOK, Errors: asking,
		handle: (*Server).pass,
	},
	{
		Method: http.MethodGet, Path: "/v1/models/{model...}", Name: "model", API: openAIAPI,
		Summary: "Passed on to upstream.", Reply: map[string]any{}, Status: http.StatusOK, Errors: asking,
		handle: (*Server).pass,
	},
	{
		Method: http.MethodGet, Path: "/health", Name: "health", API: operatorAPI, Open: true,
		Summary: "Whether the server can store.", Reply: healthReply{}, Status: http.StatusOK, Errors: []int{503},
		handle: func(s *Server, w http.ResponseWriter, _ *http.Request, _ *caller) { s.health(w) },
	},
	{
		Method: http.MethodGet, Path: "/metrics", Name: "metrics", API: operatorAPI,
		Summary: "Figures for Prometheus.", Status: http.StatusOK, Text: metricsType, Errors: []int{401, 403},
		handle: func(s *Server, w http.ResponseWriter, _ *http.Request, _ *caller) { s.writeMetrics(w) },
	},
	{
		Method: http.MethodGet, Path: "/openapi.json", Name: "openapi", API: operatorAPI, Open: true,
		Summary: "This description.", Reply: map[string]any{}, Status: http.StatusOK,
		handle: func(s *Server, w http.ResponseWriter, _ *http.Request, _ *caller) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(s.spec)
		},
	},
}

// healthReply is what /health says.
type healthReply struct {
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func (s *Server) health(w http.ResponseWriter) {
	if err := s.writable(); err != nil {
		writeJSON(w, http.StatusServiceUnavailable, healthReply{"degraded", err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, healthReply{Status: "ok"})
}
