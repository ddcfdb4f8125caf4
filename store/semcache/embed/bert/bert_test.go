package bert

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/store/semcache/embed/embedtest"
)

// opened is the model that the tests share.
var opened = struct {
	sync.Once
	*Model
	err error
}{}

func miniLM(tb testing.TB) *Model {
	tb.Helper()
	folder := embedtest.MiniLM(tb)
	opened.Do(func() { opened.Model, opened.err = Open(folder) })
	if opened.err != nil {
		tb.Fatal(opened.err)
	}
	return opened.Model
}

// TestTheVectorsAreThoseOfSentenceTransformers compares with those that the Python
// library has computed of real texts, which are kept as float16.
func TestTheVectorsAreThoseOfSentenceTransformers(t *testing.T) {
	m := miniLM(t)
	manifest, err := datasets.Open("")
	if err != nil {
		t.Fatal(err)
	}
	set, err := manifest.MiniLM()
	if err != nil {
		t.Fatal(err)
	}
	step := 300
	if raceEnabled {
		step = 6000
	}
	for i := 0; i < set.Rows; i += step {
		v, err := m.Embed(t.Context(), set.Texts[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		if c := cosine(v[0], set.Row(i)); c < 0.9999 {
			t.Errorf("%q: the cosine with the vector of sentence-transformers is %v", set.Texts[i], c)
		}
	}
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// TestPieces are what the tokenizer of transformers makes of these texts with
// bert-base-uncased's vocabulary, which is MiniLM's.
func TestPieces(t *testing.T) {
	m := miniLM(t)
	names := map[int32]string{}
	for p, id := range m.tok.vocab {
		names[id] = p
	}
	f := func(text, want string) {
		t.Helper()
		var got []string
		for _, id := range m.tok.encode(nil, text, 512) {
			got = append(got, names[id])
		}
		if s := strings.Join(got, " "); s != "[CLS] "+want+" [SEP]" {
			t.Errorf("%q: %s, want %s", text, s, want)
		}
	}
	f("Hello, world!", "hello , world !")
	f("unaffable", "una ##ffa ##ble")
	f("  Ünïcode\tand\u200b áccents \x00", "unicode and accents")
	f("東京 tower", "東 京 tower")
	f("a$5.99", "a $ 5 . 99")
	f(strings.Repeat("x", 101), "[UNK]")
	f("\u2603", "[UNK]")
	f("don\u2019t", "don \u2019 t")
}

func TestALongTextIsCutAndAnEmptyOneIsNone(t *testing.T) {
	m, err := Open(tiny(t, func(files map[string]any, _ map[string][]int) {
		files["sentence_bert_config.json"] = map[string]any{"max_seq_length": 10}
	}))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a ab c ", 1000)
	v, err := m.Embed(t.Context(), []string{long, long + " and then", ""})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.tok.encode(nil, long, m.limit)); n != 10 {
		t.Errorf("%d pieces", n)
	}
	if !slices.Equal(v[0], v[1]) {
		t.Error("what is behind the longest text counts")
	}
	if len(v[2]) != m.Dim() || m.Dim() != 32 {
		t.Errorf("%d dimensions", len(v[2]))
	}
}

// tiny writes the folder of a small model of random weights, which change may alter.
func tiny(tb testing.TB, change func(files map[string]any, tensors map[string][]int)) string {
	tb.Helper()
	const hidden, inner, layers, vocab, places = 32, 64, 2, 8, 16
	files := map[string]any{
		"config.json": map[string]any{
			"model_type": "bert", "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": 2,
			"intermediate_size": inner, "max_position_embeddings": places, "vocab_size": vocab, "type_vocab_size": 2,
			"hidden_act": "gelu", "layer_norm_eps": 1e-12,
		},
		"modules.json": []map[string]any{
			{"type": "sentence_transformers.models.Transformer", "path": ""},
			{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
		},
		"1_Pooling/config.json": map[string]any{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false},
		"vocab.txt":             "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n##b\nc",
	}
	tensors := map[string][]int{
		"embeddings.word_embeddings.weight": {vocab, hidden}, "embeddings.position_embeddings.weight": {places, hidden},
		"embeddings.token_type_embeddings.weight": {2, hidden},
		"embeddings.LayerNorm.weight":             {hidden}, "embeddings.LayerNorm.bias": {hidden},
	}
	for i := range layers {
		for name, shape := range map[string][2]int{
			"attention.self.query": {hidden, hidden}, "attention.self.key": {hidden, hidden}, "attention.self.value": {hidden, hidden},
			"attention.output.dense": {hidden, hidden}, "intermediate.dense": {inner, hidden}, "output.dense": {hidden, inner},
		} {
			at := fmt.Sprintf("encoder.layer.%d.%s", i, name)
			tensors[at+".weight"], tensors[at+".bias"] = shape[:], shape[:1]
		}
		for _, name := range []string{"attention.output", "output"} {
			at := fmt.Sprintf("encoder.layer.%d.%s.LayerNorm", i, name)
			tensors[at+".weight"], tensors[at+".bias"] = []int{hidden}, []int{hidden}
		}
	}
	if change != nil {
		change(files, tensors)
	}
	dir := tb.TempDir()
	for name, v := range files {
		b, ok := []byte(nil), true
		if s, text := v.(string); text {
			b = []byte(s)
		} else if b, ok = v.([]byte); !ok {
			b, _ = json.Marshal(v)
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	if _, ok := files["model.safetensors"]; !ok {
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), safetensors(tensors), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func safetensors(tensors map[string][]int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var data []byte
	names := make([]string, 0, len(tensors))
	for name := range tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n, start := 1, len(data)
		for _, d := range tensors[name] {
			n *= d
		}
		for range n {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(rnd.NormFloat64())*0.1))
		}
		header[name] = map[string]any{"dtype": "F32", "shape": tensors[name], "data_offsets": []int{start, len(data)}}
	}
	h, _ := json.Marshal(header)
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), data...)
}

// TestTheForwardPassIsThatOfThePaper computes the same model in float64, by loops.
func TestTheForwardPassIsThatOfThePaper(t *testing.T) {
	for _, pooling := range []string{"pooling_mode_mean_tokens", "pooling_mode_cls_token"} {
		m, err := Open(tiny(t, func(files map[string]any, _ map[string][]int) {
			files["1_Pooling/config.json"] = map[string]any{pooling: true}
		}))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "a", "ab b c", strings.Repeat("abb ", 9)} {
			got, err := m.embed(t.Context(), text)
			if err != nil {
				t.Fatal(err)
			}
			if c := cosine(got, slow(m, m.tok.encode(nil, text, m.limit))); c < 1-1e-6 {
				t.Errorf("%s, %q: cosine %v with the plain computation", pooling, text, c)
			}
		}
	}
}

func slow(m *Model, ids []int32) []float32 {
	h := m.hidden
	norm := func(v []float64, n normal) []float64 {
		var mean, square float64
		for _, x := range v {
			mean += x / float64(h)
		}
		for _, x := range v {
			square += (x - mean) * (x - mean) / float64(h)
		}
		out := make([]float64, h)
		for i, x := range v {
			out[i] = (x-mean)/math.Sqrt(square+m.eps)*float64(n.scale[i]) + float64(n.shift[i])
		}
		return out
	}
	dense := func(v []float64, l linear) []float64 {
		out := make([]float64, l.out)
		for o := range out {
			out[o] = float64(l.b[o])
			for i, x := range v {
				out[o] += x * float64(l.w[o*l.in+i])
			}
		}
		return out
	}
	plus := func(a, b []float64) []float64 {
		out := slices.Clone(a)
		for i := range out {
			out[i] += b[i]
		}
		return out
	}
	x := make([][]float64, len(ids))
	for i, id := range ids {
		v := make([]float64, h)
		for c := range v {
			v[c] = float64(m.words[int(id)*h+c]) + float64(m.positions[i*h+c])
		}
		x[i] = norm(v, m.first)
	}
	size := h / m.heads
	for _, l := range m.layers {
		var q, k, v [][]float64
		for _, row := range x {
			q, k, v = append(q, dense(row, l.query)), append(k, dense(row, l.key)), append(v, dense(row, l.value))
		}
		for i := range x {
			mixed := make([]float64, h)
			for head := range m.heads {
				var weights []float64
				var sum float64
				for j := range x {
					var s float64
					for c := head * size; c < (head+1)*size; c++ {
						s += q[i][c] * k[j][c]
					}
					weights = append(weights, math.Exp(s/math.Sqrt(float64(size))))
					sum += weights[j]
				}
				for j := range x {
					for c := head * size; c < (head+1)*size; c++ {
						mixed[c] += weights[j] / sum * v[j][c]
					}
				}
			}
			x[i] = norm(plus(x[i], dense(mixed, l.output)), l.afterAttention)
		}
		for i := range x {
			up := dense(x[i], l.up)
			for j, y := range up {
				up[j] = y / 2 * (1 + math.Erf(y/math.Sqrt2))
			}
			x[i] = norm(plus(x[i], dense(up, l.down)), l.afterFeed)
		}
	}
	out := make([]float32, h)
	rows := x
	if !m.mean {
		rows = x[:1]
	}
	for _, row := range rows {
		for c, v := range row {
			out[c] += float32(v)
		}
	}
	return out
}

func TestGeluErrsLessThanAFloat32Shows(t *testing.T) {
	for x := -8.0; x < 8; x += 0.00037 {
		want := x / 2 * (1 + math.Erf(x/math.Sqrt2))
		if got := float64(gelu(float32(x))); math.Abs(got-want) > 1e-6 {
			t.Fatalf("gelu(%v) = %v, want %v", x, got, want)
		}
	}
	if x := gelu(float32(math.NaN())); x == x {
		t.Error("NaN became a number")
	}
}

func TestAFolderThatCannotBeReadSaysWhy(t *testing.T) {
	type files = map[string]any
	type tensors = map[string][]int
	f := func(want string, change func(files, tensors)) {
		t.Helper()
		if _, err := Open(tiny(t, change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	set := func(key string, v any) func(files, tensors) {
		return func(f files, _ tensors) { f["config.json"].(map[string]any)[key] = v }
	}
	if _, err := Open(tiny(t, nil)); err != nil {
		t.Fatal(err)
	}
	f("config.json", func(f files, _ tensors) { delete(f, "config.json") })
	f("config.json", func(f files, _ tensors) { f["config.json"] = "{" })
	f(`kind "mpnet"`, set("model_type", "mpnet"))
	f("hidden_size is 0", set("hidden_size", 0))
	f("hidden_size is 1000000000", set("hidden_size", 1_000_000_000))
	f("heads", set("num_attention_heads", 3))
	f("num_attention_heads is -1", set("num_attention_heads", -1))
	f(`activation "silu"`, set("hidden_act", "silu"))
	f("relative_key", set("position_embedding_type", "relative_key"))
	f("[8 32]", set("vocab_size", 9))
	f("the model has 7", set("vocab_size", 7))
	f("layer.2", set("num_hidden_layers", 3))
	f(`"Dense"`, func(f files, _ tensors) {
		f["modules.json"] = []map[string]any{{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}}
	})
	f("pooling by", func(f files, _ tensors) { f["1_Pooling/config.json"] = map[string]any{"pooling_mode_max_tokens": true} })
	f("no [CLS]", func(f files, _ tensors) { f["vocab.txt"] = "[UNK]\n[SEP]\na" })
	f("vocab.txt", func(f files, _ tensors) { delete(f, "vocab.txt") })
	f(`kind "Unigram"`, func(f files, _ tensors) { f["tokenizer.json"] = `{"model":{"type":"Unigram"}}` })
	f("not BERT's", func(f files, _ tensors) { f["tokenizer.json"] = `{"model":{"type":"WordPiece"}}` })
	f("there is no tensor", func(_ files, t tensors) { delete(t, "encoder.layer.1.output.dense.bias") })
	f("has the shape", func(_ files, t tensors) { t["encoder.layer.1.output.dense.bias"] = []int{16} })
	f("too short", func(f files, _ tensors) { f["model.safetensors"] = "" })
	f("a header of", func(f files, _ tensors) { f["model.safetensors"] = "\xff\xff\xff\xff\xff\xff\xff\xff{}" })
	f("header", func(f files, _ tensors) { f["model.safetensors"] = "\x02\x00\x00\x00\x00\x00\x00\x00[]" })
}

func TestHalfFloatsAreRead(t *testing.T) {
	text := []byte(`{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[4,8]},"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`)
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	file = append(file, 0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f, 0x00, 0xc0)
	f, err := openTensors(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for name, shape := range map[string][]int{"h": {2}, "b": {1, 2}} {
		if v, err := f.read(name, shape...); err != nil || !reflect.DeepEqual(v, []float32{1, -2}) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	if _, err := f.read("i", 1); err == nil || !strings.Contains(err.Error(), `"I64"`) {
		t.Errorf("integers: %v", err)
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safetensors(map[string][]int{"a": {2, 3}, "b": {1}}), "a", 2, 3)
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), "", 0, 0)
	f.Add([]byte("\x30\x00\x00\x00\x00\x00\x00\x00"+`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,-4]}}`), "a", -1, 1)
	f.Fuzz(func(t *testing.T, file []byte, name string, n, m int) {
		tf, err := openTensors(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		v, err := tf.read(name, n, m)
		if err == nil && len(v)*2 > len(file) {
			t.Errorf("%d numbers from %d bytes", len(v), len(file))
		}
	})
}

func FuzzTokenizer(f *testing.F) {
	tok, err := readVocab([]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##a\nb\n##bc\n東\n!"), []byte(`{"strip_accents":null}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a ab abc! 東京", 8)
	f.Add("\xff\x00á\u0301\u200d", 3)
	f.Add(strings.Repeat("a", 300), 512)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 3 || limit > 1000 {
			return
		}
		ids := tok.encode(nil, text, limit)
		if len(ids) < 2 || len(ids) > limit || ids[0] != tok.first || ids[len(ids)-1] != tok.last {
			t.Fatalf("%q: %v", text, ids)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= len(tok.vocab) {
				t.Fatalf("%q: piece %d", text, id)
			}
		}
	})
}

func FuzzTokenizerFile(f *testing.F) {
	f.Add([]byte(`{"normalizer":{"type":"BertNormalizer","lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"[UNK]","vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3}}}`))
	f.Add([]byte(`{"normalizer":null,"model":{"vocab":[]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		tok, err := readTokenizer(file)
		if err != nil {
			return
		}
		tok.encode(nil, "a word, or two", 16)
	})
}

// BenchmarkEmbed is a customer's question, of some 15 pieces.
func BenchmarkEmbed(b *testing.B) {
	m := miniLM(b)
	for _, text := range []string{"I tried to withdraw cash and the machine swallowed my card", strings.Repeat("all of that ", 100)} {
		b.Run(fmt.Sprintf("pieces=%d", len(m.tok.encode(nil, text, m.limit))), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.embed(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
