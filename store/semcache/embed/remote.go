package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// remote asks a server that speaks OpenAI's POST /v1/embeddings: OpenAI, Ollama,
// vLLM, Text Embeddings Inference, LM Studio, LiteLLM and others.
type remote struct {
	model   string
	options func() Options
	dim     atomic.Int64
}

func newRemote(model string, options func() Options) (Source, error) {
	return &remote{model: model, options: options}, nil
}

// Dim implements Source. It is known after the first answer, or from embed-dimensions.
func (r *remote) Dim() int {
	if n := r.dim.Load(); n > 0 {
		return int(n)
	}
	return r.options().Dimensions
}

// attempts is how often a request is sent before it has failed.
const attempts = 4

// firstPause is how long to wait after the first failure; each next one twice as long.
const firstPause = 200 * time.Millisecond

// statusError is an answer that is none.
type statusError struct {
	status int
	text   string
	after  time.Duration // that the server asks for
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the embedding server says %d %s", e.status, e.text)
}

// final reports whether the same request will not do better later: it is wrong, or
// forbidden.
func (e *statusError) final() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.status < 500
}

// refusesTexts reports whether it may be one of several texts that the server does
// not like.
func refusesTexts(err error) bool {
	var e *statusError
	if !errors.As(err, &e) {
		return false
	}
	switch e.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// Embed implements Source.
func (r *remote) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	o := r.options()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	request := struct {
		Model      string   `json:"model"`
		Input      []string `json:"input"`
		Format     string   `json:"encoding_format"`
		Dimensions int      `json:"dimensions,omitempty"`
	}{r.model, texts, "float", o.Dimensions}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	pause := firstPause
	for try := 1; ; try++ {
		v, err := r.ask(ctx, &o, body, len(texts))
		if err == nil {
			return v, nil
		}
		wait := pause/2 + rand.N(pause)
		var e *statusError
		if errors.As(err, &e) {
			if e.final() {
				return nil, err
			}
			wait = max(wait, e.after)
		}
		end, _ := ctx.Deadline()
		if try == attempts || ctx.Err() != nil || time.Until(end) < wait {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
		pause *= 2
	}
}

// bytesPerNumber is the most that a number of a vector takes in JSON, white space included.
const bytesPerNumber = 40

func (r *remote) ask(ctx context.Context, o *Options, body []byte, n int) ([][]float32, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(o.URL, "/")+"/embeddings", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if o.Key != "" {
		req.Header.Set("Authorization", "Bearer "+o.Key)
	}
	resp, err := o.client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("the embedding server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		e := &statusError{status: resp.StatusCode, text: hide(complaint(text), o.Key)}
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s < 3600 {
			e.after = time.Duration(s) * time.Second
		}
		return nil, e
	}
	limit := int64(1<<20) + int64(n)*index.MaxDim*bytesPerNumber
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return nil, fmt.Errorf("the embedding server: %w", err)
	}
	out, err := parseReply(text, n)
	if err != nil {
		return nil, fmt.Errorf("the embedding server: %w", err)
	}
	dim := int64(len(out[0]))
	if was := r.dim.Swap(dim); was != 0 && was != dim {
		return nil, fmt.Errorf("the embedding server: vectors of %d dimensions after such of %d", dim, was)
	}
	return out, nil
}

// parseReply reads the answer for n texts; the vectors get the length 1.
func parseReply(text []byte, n int) ([][]float32, error) {
	var reply struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return nil, err
	}
	if len(reply.Data) != n {
		return nil, fmt.Errorf("%d vectors for %d texts", len(reply.Data), n)
	}
	out := make([][]float32, n)
	for _, d := range reply.Data {
		v := d.Embedding
		switch {
		case d.Index < 0 || d.Index >= n || out[d.Index] != nil:
			return nil, fmt.Errorf("vector %d of %d is not there once", d.Index, n)
		case len(v) == 0 || len(v) > index.MaxDim:
			return nil, fmt.Errorf("a vector of %d dimensions", len(v))
		case len(v) != len(reply.Data[0].Embedding):
			return nil, errors.New("vectors of several lengths")
		case !kernel.Finite32(v):
			return nil, errors.New("a vector with a number that is none")
		}
		kernel.Normalize32(v)
		out[d.Index] = v
	}
	return out, nil
}

// complaint is what a server says that refuses: the message in its JSON, or its beginning.
func complaint(text []byte) string {
	var reply struct {
		Error   json.RawMessage
		Message string
	}
	s := string(text)
	if json.Unmarshal(text, &reply) == nil {
		var e struct{ Message string }
		switch {
		case json.Unmarshal(reply.Error, &e) == nil && e.Message != "":
			s = e.Message
		case json.Unmarshal(reply.Error, &e.Message) == nil && e.Message != "":
			s = e.Message
		case reply.Message != "":
			s = reply.Message
		}
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// hide takes the key out of what a server has said.
func hide(s, key string) string {
	if key == "" {
		return s
	}
	return strings.ReplaceAll(s, key, "(key)")
}
