package server

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEmbeddingSettingsReachTheModels(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-environment")
	c := load(t, map[string]string{"NEARCACHE_EMBED_BATCH": "7"}, "--embed", "small=openai:text-embedding-3-small", "lexical:64",
		"--embed-timeout", "1500", "--embed-cache", "1mb")
	s := New(c)
	defer s.embed.Close()
	o := s.embed.Options()
	if o.Batch != 7 || o.Timeout != 1500*time.Millisecond || o.Cache != 1<<20 || o.Key != "sk-environment" {
		t.Errorf("timeout %v, batch %d, cache %d, key %q", o.Timeout, o.Batch, o.Cache, o.Key)
	}
	if got := get(c, "embed"); got != "small=openai:text-embedding-3-small lexical:64" {
		t.Errorf("embed is %q", got)
	}
	if m := s.embed.Models(); len(m) != 2 || m[0].Name() != "small" {
		t.Errorf("%d models", len(m))
	}
	set := func(name, value string) error { return c.Set([][2]string{{name, value}}, true) }
	if err := set("embed-url", "http://127.0.0.1:1/v1"); err != nil || s.embed.Options().Key != "" {
		t.Errorf("another server is told OpenAI's key: %v", err)
	}
	if err := set("embed-key", "k"); err != nil || s.embed.Options().Key != "k" {
		t.Errorf("the key: %v", err)
	}
	if err := set("embed", "lexical"); err == nil {
		t.Error("the models can be changed at run time")
	}
	for _, bad := range []string{"gpt", "openai:", "local"} {
		if _, err := LoadConfig([]string{"--embed", bad}, nil); err == nil {
			t.Errorf("embed %s is taken", bad)
		}
	}
}

func TestAModelThatCannotBeReadStopsTheStart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "model")
	s := New(load(t, nil, "--port", "0", "--appendonly", "no", "--embed", "local:"+folder))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Run(ctx); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("error %v", err)
	}
}
