package server

import (
	"os"
	"strings"
	"time"

	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/semcache/embed"
)

func parseEmbed(words []string, _ string) (int64, string, error) {
	var l []string
	for _, w := range words {
		l = append(l, strings.Fields(w)...)
	}
	return 0, strings.Join(l, " "), embed.Check(l)
}

// embedOptions are the settings of embeddings.
func (c *Config) embedOptions() embed.Options {
	o := embed.Options{
		URL: c.embedURL.String(), Key: c.embedKey.String(), Dimensions: int(c.embedDim.Int()),
		Timeout: time.Duration(c.embedTimeout.Int()) * time.Millisecond, Batch: int(c.embedBatch.Int()),
		Cache: c.embedCache.Int(), Logger: c.Logger,
	}
	if o.Key == "" && strings.TrimRight(o.URL, "/") == embed.DefaultURL { // nobody else is told OpenAI's key
		o.Key = os.Getenv("OPENAI_API_KEY")
	}
	return o
}

func applyEmbed(s *Server, c *Config) error {
	s.embed.Configure(c.embedOptions())
	return nil
}

// models are those that prompts are embedded with.
type models struct{ *embed.Set }

func newModels(c *Config) models {
	set, err := embed.NewSet(strings.Fields(c.embed.String()), c.embedOptions())
	if err != nil {
		panic(err) // the setting's parser has passed it
	}
	return models{set}
}

// find is how the semantic cache finds them.
func (m models) find(name string) (semcache.Embedder, error) {
	x, err := m.Find(name)
	if err != nil {
		return nil, err
	}
	return x, nil
}
