package embed

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are settings that may change while the server runs. The zero values mean
// the defaults.
type Options struct {
	URL        string // of the API, up to v1
	Key        string // sent as Bearer; never logged
	Timeout    time.Duration
	Batch      int   // texts in a request
	Parallel   int   // requests at a time
	Dimensions int   // asked of the server, 0 for the model's own
	Cache      int64 // bytes of vectors that each model remembers
	Logger     func() *slog.Logger
	Client     *http.Client
}

// The defaults.
const (
	DefaultURL      = "https://api.openai.com/v1"
	DefaultTimeout  = 10 * time.Second
	DefaultBatch    = 64
	DefaultParallel = 4
	DefaultCache    = 64 << 20
)

func (o Options) withDefaults() Options {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	if o.Logger == nil {
		o.Logger = slog.Default
	}
	return o
}

func (o *Options) client() *http.Client {
	if o.Client != nil {
		return o.Client
	}
	return http.DefaultClient
}

// Set is the models that the server was given.
type Set struct {
	models  []*Model
	lexical *Model // for those who ask for it by name
	bare    bool   // nothing was configured
	warned  sync.Once
	options atomic.Pointer[Options]

	ctx    context.Context
	cancel context.CancelFunc
	mu     struct {
		sync.Mutex
		closed bool
	}
	wg sync.WaitGroup
}

// NewSet makes the models that words name: [name=]kind[:what], the default
// first. Without any it is the lexical one. Nothing is opened yet.
func NewSet(words []string, o Options) (*Set, error) {
	s := &Set{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.Configure(o)
	if err := Check(words); err != nil {
		return nil, err
	}
	for _, w := range words {
		sp, err := parseSpec(w)
		if err != nil {
			return nil, err
		}
		s.models = append(s.models, newModel(s, sp))
	}
	s.lexical = newModel(s, spec{name: Kinds[0].Name, kind: Kinds[0]})
	if len(s.models) == 0 {
		s.bare = true
		s.models = append(s.models, s.lexical)
	}
	return s, nil
}

// Configure changes the options.
func (s *Set) Configure(o Options) {
	o = o.withDefaults()
	s.options.Store(&o)
}

// Options are the current ones.
func (s *Set) Options() Options { return *s.options.Load() }

// Models lists the models, the default first.
func (s *Set) Models() []*Model { return s.models }

// Find returns the model of a name, as the setting has it; "" is the default. The
// lexical one is always there, in any number of dimensions: lexical:512.
func (s *Set) Find(name string) (*Model, error) {
	if name == "" {
		return s.models[0], nil
	}
	for _, m := range s.models {
		if m.name == name {
			return m, nil
		}
	}
	if kind, what, _ := strings.Cut(name, ":"); kind == s.lexical.name {
		if what == "" {
			return s.lexical, nil
		}
		if _, err := lexicalDim(what); err != nil {
			return nil, err
		}
		return newModel(s, spec{name: name, what: what, kind: Kinds[0]}), nil
	}
	var l []string
	for _, m := range s.models {
		l = append(l, m.name)
	}
	return nil, fmt.Errorf("no model %q embeds here; there is %s", name, strings.Join(l, ", "))
}

// Open loads the models that lie on this machine.
func (s *Set) Open() error {
	for _, m := range s.models {
		if err := m.Open(); err != nil {
			return fmt.Errorf("embed %s: %w", m.name, err)
		}
	}
	return nil
}

// Close ends what is under way. Embed fails from then on.
func (s *Set) Close() {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}

// start runs f, unless the set is closed.
func (s *Set) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return false
	}
	s.wg.Go(f)
	return true
}

// warn says once that prompts are embedded without a model.
func (s *Set) warn(m *Model) {
	if s.bare && m == s.models[0] {
		s.warned.Do(func() {
			s.Options().Logger().Warn("no embedding model is set: prompts are compared by their letters and words, not by what they mean. Set embed; see --help")
		})
	}
}
