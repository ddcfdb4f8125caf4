package bert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/nearcache/nearcache/index/kernel"
)

// Model is a sentence-transformers model in memory.
type Model struct {
	tok    *tokenizer
	dot    kernel.Func
	hidden int
	heads  int
	inner  int // of the feed-forward part
	limit  int // pieces of a text
	eps    float64
	act    func(float32) float32
	prompt string // what stands before each text
	mean   bool   // of all pieces; otherwise the first piece's

	words, positions []float32 // of each piece, of each place: hidden numbers
	first            normal    // after the embeddings
	layers           []layer
}

// linear is y = Wx + b: out rows of in numbers.
type linear struct {
	w, b    []float32
	in, out int
}

// normal is a layer normalisation.
type normal struct{ scale, shift []float32 }

type layer struct {
	query, key, value, output linear
	afterAttention            normal
	up, down                  linear
	afterFeed                 normal
}

// maxConfig is more than any of the small files is, in bytes; a tokenizer.json has some megabytes.
const maxConfig = 64 << 20

// config is what config.json says.
type config struct {
	Type         string  `json:"model_type"`
	Hidden       int     `json:"hidden_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Inner        int     `json:"intermediate_size"`
	MaxPositions int     `json:"max_position_embeddings"`
	Vocab        int     `json:"vocab_size"`
	Types        int     `json:"type_vocab_size"`
	Activation   string  `json:"hidden_act"`
	Eps          float64 `json:"layer_norm_eps"`
	Position     string  `json:"position_embedding_type"`
}

func (c *config) check() error {
	between := func(name string, n, low, high int) error {
		if n < low || n > high {
			return fmt.Errorf("config.json: %s is %d", name, n)
		}
		return nil
	}
	err := errors.Join(
		between("hidden_size", c.Hidden, 16, 1<<14), between("num_hidden_layers", c.Layers, 1, 1000),
		between("num_attention_heads", c.Heads, 1, 1000), between("intermediate_size", c.Inner, 16, 1<<16),
		between("max_position_embeddings", c.MaxPositions, 3, 1<<16), between("vocab_size", c.Vocab, 1, maxVocab),
		between("type_vocab_size", c.Types, 1, 1000),
	)
	switch {
	case err != nil:
		return err
	case c.Type != "bert":
		return fmt.Errorf("config.json: a model of the kind %q; bert is known", c.Type)
	case c.Position != "" && c.Position != "absolute":
		return fmt.Errorf("config.json: positions of the kind %q", c.Position)
	case c.Hidden%c.Heads != 0 || c.Hidden/c.Heads%16 != 0 || c.Hidden%16 != 0 || c.Inner%16 != 0:
		return fmt.Errorf("config.json: sizes %d, %d with %d heads are no multiples of 16", c.Hidden, c.Inner, c.Heads)
	case c.Eps < 0 || c.Eps > 1 || math.IsNaN(c.Eps):
		return fmt.Errorf("config.json: layer_norm_eps is %v", c.Eps)
	}
	return nil
}

// Open reads a model folder, as sentence-transformers or the Hugging Face hub write it.
func Open(folder string) (*Model, error) {
	m, err := open(folder)
	if err != nil {
		return nil, fmt.Errorf("model folder %s: %w", folder, err)
	}
	return m, nil
}

func open(folder string) (*Model, error) {
	c := config{Eps: 1e-12, Types: 2}
	if err := readJSON(filepath.Join(folder, "config.json"), &c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	act, ok := activations[c.Activation]
	if !ok {
		return nil, fmt.Errorf("config.json: the activation %q is not known", c.Activation)
	}
	m := &Model{
		dot: kernel.Best(kernel.Dot, kernel.F32).Func, hidden: c.Hidden, heads: c.Heads, inner: c.Inner,
		limit: c.MaxPositions, eps: c.Eps, act: act, mean: true,
	}
	if err := m.readModules(folder); err != nil {
		return nil, err
	}
	if err := m.readTokenizer(folder, c.Vocab); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(folder, "model.safetensors"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; weights are read from safetensors only", err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	t, err := openTensors(f, st.Size())
	if err == nil {
		err = m.readWeights(t, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("model.safetensors: %w", err)
	}
	return m, nil
}

func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxConfig {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}

func readJSON(path string, v any) error {
	b, err := readFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

// optional is readJSON of a file that may be missing.
func optional(path string, v any) error {
	if err := readJSON(path, v); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// readModules reads what sentence-transformers adds to a model: how the
// vectors of the pieces become one, the longest text, what stands before it.
func (m *Model) readModules(folder string) error {
	var modules []struct{ Type, Path string }
	if err := optional(filepath.Join(folder, "modules.json"), &modules); err != nil {
		return err
	}
	for _, mod := range modules {
		switch kind := mod.Type[strings.LastIndexByte(mod.Type, '.')+1:]; kind {
		case "Transformer":
			if mod.Path != "" {
				return fmt.Errorf("modules.json: the model itself is in %q", mod.Path)
			}
		case "Normalize":
		case "Pooling":
			if err := m.readPooling(filepath.Join(folder, filepath.Base(mod.Path), "config.json")); err != nil {
				return err
			}
		default:
			return fmt.Errorf("modules.json: a module of the kind %q is not known", kind)
		}
	}
	var s struct {
		Max int `json:"max_seq_length"`
	}
	var p struct {
		Prompts map[string]string
		Default string `json:"default_prompt_name"`
	}
	err := errors.Join(
		optional(filepath.Join(folder, "sentence_bert_config.json"), &s),
		optional(filepath.Join(folder, "config_sentence_transformers.json"), &p),
	)
	if s.Max > 2 {
		m.limit = min(m.limit, s.Max)
	}
	m.prompt = p.Prompts[p.Default]
	return err
}

func (m *Model) readPooling(path string) error {
	var modes map[string]any
	if err := readJSON(path, &modes); err != nil {
		return err
	}
	var on []string
	for name, v := range modes {
		if v == true && strings.HasPrefix(name, "pooling_mode_") {
			on = append(on, strings.TrimPrefix(name, "pooling_mode_"))
		}
	}
	switch strings.Join(on, " ") {
	case "mean_tokens":
		m.mean = true
	case "cls_token":
		m.mean = false
	default:
		return fmt.Errorf("%s: pooling by %q; the mean and the first piece are known", filepath.Base(path), on)
	}
	return nil
}

func (m *Model) readTokenizer(folder string, vocab int) error {
	text, err := readFile(filepath.Join(folder, "tokenizer.json"))
	switch {
	case err == nil:
		if m.tok, err = readTokenizer(text); err != nil {
			return fmt.Errorf("tokenizer.json: %w", err)
		}
	case errors.Is(err, fs.ErrNotExist):
		if text, err = readFile(filepath.Join(folder, "vocab.txt")); err != nil {
			return err
		}
		settings, err := readFile(filepath.Join(folder, "tokenizer_config.json"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if m.tok, err = readVocab(text, settings); err != nil {
			return fmt.Errorf("vocab.txt: %w", err)
		}
	default:
		return err
	}
	n, err := m.tok.largest()
	if err == nil && int(n) >= vocab {
		err = fmt.Errorf("the tokenizer has a piece %d, the model has %d", n, vocab)
	}
	return err
}

// readWeights reads the tensors, whose names may begin with bert.
func (m *Model) readWeights(f *tensorFile, c *config) error {
	prefix := ""
	if _, ok := f.tensors["bert.embeddings.word_embeddings.weight"]; ok {
		prefix = "bert."
	}
	var failed error
	read := func(name string, shape ...int) []float32 {
		if failed != nil {
			return nil
		}
		v, err := f.read(prefix+name, shape...)
		failed = err
		return v
	}
	dense := func(name string, in, out int) linear {
		return linear{w: read(name+".weight", out, in), b: read(name+".bias", out), in: in, out: out}
	}
	norm := func(name string) normal {
		return normal{scale: read(name+".LayerNorm.weight", c.Hidden), shift: read(name+".LayerNorm.bias", c.Hidden)}
	}
	m.words = read("embeddings.word_embeddings.weight", c.Vocab, c.Hidden)
	m.positions = read("embeddings.position_embeddings.weight", c.MaxPositions, c.Hidden)
	types := read("embeddings.token_type_embeddings.weight", c.Types, c.Hidden)
	m.first = norm("embeddings")
	for i := range c.Layers {
		if failed != nil {
			return failed
		}
		at := fmt.Sprintf("encoder.layer.%d.", i)
		m.layers = append(m.layers, layer{
			query: dense(at+"attention.self.query", c.Hidden, c.Hidden), key: dense(at+"attention.self.key", c.Hidden, c.Hidden),
			value: dense(at+"attention.self.value", c.Hidden, c.Hidden), output: dense(at+"attention.output.dense", c.Hidden, c.Hidden),
			afterAttention: norm(at + "attention.output"),
			up:             dense(at+"intermediate.dense", c.Hidden, c.Inner), down: dense(at+"output.dense", c.Inner, c.Hidden),
			afterFeed: norm(at + "output"),
		})
	}
	if failed != nil {
		return failed
	}
	for i := range m.positions { // one text has one type throughout: the first
		m.positions[i] += types[i%c.Hidden]
	}
	return nil
}

// Dim is the length of the vectors.
func (m *Model) Dim() int { return m.hidden }

// Bytes is what the weights take.
func (m *Model) Bytes() int64 {
	n := len(m.words) + len(m.positions)
	for i := range m.layers {
		l := &m.layers[i]
		for _, d := range []*linear{&l.query, &l.key, &l.value, &l.output, &l.up, &l.down} {
			n += len(d.w) + len(d.b)
		}
	}
	return int64(n) * int64(unsafe.Sizeof(float32(0)))
}

// Embed returns the embeddings of texts, of length 1. Of a text that is longer than
// the model takes, the beginning counts. It ends early only when ctx does.
func (m *Model) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		v, err := m.embed(ctx, m.prompt+text)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
