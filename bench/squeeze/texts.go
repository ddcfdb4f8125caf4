package squeeze

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nearcache/nearcache/datasets"
)

// minText is the shortest text that is measured.
const minText = 100

// set is texts of one kind.
type set struct {
	name, what string
	texts      [][]byte
}

// Set is texts of one kind, for other benchmarks.
type Set struct {
	Name  string
	Texts [][]byte
}

// Texts are the texts that are there for everybody.
func Texts() ([]Set, error) {
	all, err := sets("")
	if err != nil {
		return nil, err
	}
	var out []Set
	for _, s := range all {
		out = append(out, Set{s.name, s.texts})
	}
	return out, nil
}

// sets are those of the JSONL file, or those that are there for everybody.
func sets(jsonl string) ([]set, error) {
	if jsonl != "" {
		t, err := loadTexts(jsonl)
		if err != nil {
			return nil, err
		}
		return []set{{filepath.Base(jsonl), "the texts of the file", t}}, nil
	}
	dir, err := datasets.Dir()
	if err != nil {
		return nil, err
	}
	m, err := datasets.Open(dir)
	if err != nil {
		return nil, err
	}
	s, err := m.Set("arena_prompts")
	if err != nil {
		return nil, err
	}
	prompts, err := loadTexts(s.Path())
	if err != nil {
		return nil, err
	}
	out := []set{
		{"prompts", "prompts of people to language models (datasets: arena_prompts)", prompts},
		{"prompts-json", "the same as answers of an API: in the envelope of a chat completion", envelopes(prompts)},
	}
	if d := goDoc(filepath.Join(build.Default.GOROOT, "src")); len(d) > 0 {
		out = append(
			out,
			set{"godoc", "explanations with examples: the documentation in Go's standard library", d},
			set{"godoc-json", "the same in the envelope of a chat completion", envelopes(d)},
		)
	}
	return out, nil
}

// text is a string, or an object that has one by the name of text.
type text string

// UnmarshalJSON takes both.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	var o struct{ Text string }
	err := json.Unmarshal(b, &o)
	*t = text(o.Text)
	return err
}

func loadTexts(path string) ([][]byte, error) {
	rows, err := datasets.LoadJSONL[text](path, datasets.Limits{})
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, r := range rows {
		if len(r) >= minText {
			out = append(out, []byte(r))
		}
	}
	if len(out) < 100 {
		return nil, fmt.Errorf("%s: %d texts of %d bytes or more, want 100", path, len(out), minText)
	}
	return out, nil
}

// envelopes are the texts as an API for chat completions returns them.
func envelopes(in [][]byte) [][]byte {
	var out [][]byte
	for i, t := range in {
		content, _ := json.Marshal(string(t)) // of a string: no error
		prompt := 10 + i*37%200
		out = append(out, fmt.Appendf(nil,
			`{"id":"chatcmpl-%08x","object":"chat.completion","created":%d,"model":"gpt-4o-mini-2024-07-18",`+
				`"choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null},"logprobs":null,"finish_reason":"stop"}],`+
				`"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`,
			uint32(i)*2654435761, 1750000000+i*37, content, prompt, len(t)/4, prompt+len(t)/4))
	}
	return out
}

// goDoc is the documentation of the packages below dir, each name's a text.
// What cannot be read is left out.
func goDoc(dir string) (out [][]byte) {
	add := func(s string) {
		if len(s) >= minText {
			out = append(out, []byte(s))
		}
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if n := d.Name(); n == "testdata" || n == "vendor" || n == "cmd" {
			return fs.SkipDir
		}
		p := goPackage(path)
		if p == nil {
			return nil
		}
		add(p.Doc)
		for _, f := range p.Funcs {
			add(f.Doc)
		}
		for _, t := range p.Types {
			add(t.Doc)
			for _, f := range append(t.Funcs, t.Methods...) {
				add(f.Doc)
			}
		}
		return nil
	})
	return out
}

func goPackage(dir string) *doc.Package {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range entries {
		n := e.Name()
		if !strings.HasSuffix(n, ".go") || strings.HasSuffix(n, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, n), nil, parser.ParseComments)
		if err == nil && (len(files) == 0 || f.Name.Name == files[0].Name.Name) {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil
	}
	p, err := doc.NewFromFiles(fset, files, dir)
	if err != nil {
		return nil
	}
	return p
}
