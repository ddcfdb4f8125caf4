package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nearcache/nearcache/store/types/list"
	"github.com/nearcache/nearcache/store/types/str"
)

// The files in testdata were written by Redis 7.0.15 and 8.10.2: all types in each of
// their encodings, in two databases.
func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contents are all items of a file as text, those with keys by their names.
func contents(b io.Reader) (items map[string]string, err error) {
	items = map[string]string{}
	for f := NewFile(b); ; {
		it, err := f.Next()
		switch {
		case err == io.EOF:
			return items, nil
		case err != nil:
			return items, err
		}
		switch it.Kind {
		case Key:
			items[fmt.Sprintf("%d %s", it.DB, it.Key)] = fmt.Sprintln(it.ExpireAt, it.Idle, it.Frequency) + text(it.Value)
		case Function:
			items["function"] += string(it.Text)
		case Aux:
			items["aux "+string(it.Name)] = string(it.Text)
		case Skipped:
			items["skipped"] += fmt.Sprintf("%s %s;", it.Key, it.Name)
		}
	}
}

func TestFilesOfRedis(t *testing.T) {
	for name, want := range map[string]struct{ version, keys int }{
		"redis-7.0.rdb": {10, 52}, "redis-8.10.rdb": {15, 64},
	} {
		b := readFile(t, name)
		all, err := contents(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		slowly, err := contents(iotest.OneByteReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("%s, slowly: %v", name, err)
		}
		keys := 0
		for k, v := range all {
			if k[0] == '0' || k[0] == '3' {
				keys++
			}
			if slowly[k] != v {
				t.Errorf("%s: %s is another when it is read slowly", name, k)
			}
		}
		if keys != want.keys {
			t.Errorf("%s: %d keys", name, keys)
		}
		if v := all["aux redis-ver"]; !strings.HasPrefix(name, "redis-"+v[:3]) {
			t.Errorf("%s: of version %s", name, v)
		}
		if !strings.HasPrefix(all["function"], "#!lua name=mylib\n") || all["skipped"] != "" {
			t.Errorf("%s: function %q, skipped %q", name, all["function"], all["skipped"])
		}
		for key, want := range map[string]string{
			"0 s":   `["SET" "k" "value"]`,
			"3 int": `["SET" "k" "12345"]`,
			"0 z":   `["ZADD" "k" "-inf" "c" "1.5" "a" "2" "b"]`,
		} {
			if got := all[key]; !strings.HasPrefix(got, "0 -1 -1\n") || !strings.HasSuffix(got, "\n"+want) {
				t.Errorf("%s: %s is %q", name, key, got)
			}
		}
		if strings.HasPrefix(all["0 ttl"], "0 ") {
			t.Errorf("%s: no time to live: %q", name, all["0 ttl"])
		}
	}
}

// readAll reads a file to its end.
func readAll(b []byte) error {
	for f := NewFile(bytes.NewReader(b)); ; {
		if _, err := f.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestFilesAreReadToTheEnd cuts files and flips their bits: each is noticed.
func TestFilesAreReadToTheEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, name := range []string{"redis-7.0.rdb", "redis-8.10.rdb"} {
		b := readFile(t, name)
		flips, step := 100, len(b)/50
		for n := 0; n < len(b); n += 1 + rng.IntN(step) {
			err := readAll(b[:n])
			var fe *FileError
			if !errors.As(err, &fe) || !errors.Is(err, io.ErrUnexpectedEOF) || fe.Offset > int64(n) {
				t.Fatalf("%s: cut at %d: %v", name, n, err)
			}
		}
		for range flips {
			bad := slices.Clone(b)
			bit := rng.IntN(8 * len(bad))
			bad[bit/8] ^= 1 << (bit % 8)
			if readAll(bad) == nil {
				t.Fatalf("%s: bit %d is another, and nobody noticed", name, bit)
			}
		}
	}
}

// file is a file of version 10 with these parts, and its checksum.
func file(head string, parts ...[]byte) []byte {
	b := slices.Concat(append([][]byte{[]byte(head)}, parts...)...)
	b = append(b, opEnd)
	sum := Checksum(0, b)
	for i := range 8 {
		b = append(b, byte(sum>>(8*i)))
	}
	return b
}

func TestPartsOfFiles(t *testing.T) {
	text := func(s string) []byte { return AppendString(nil, []byte(s)) }
	key := func(name string) []byte { return slices.Concat([]byte{typeString}, text(name), text("v")) }
	numbers := func(l ...uint64) (b []byte) {
		for _, n := range l {
			b = appendLength(b, n)
		}
		return b
	}
	f := func(name string, b []byte, want string) {
		t.Helper()
		all, err := contents(bytes.NewReader(b))
		var got []string
		for k, v := range all {
			line, _, _ := strings.Cut(v, "\n")
			got = append(got, k+": "+line)
		}
		slices.Sort(got)
		if s := strings.Join(got, "; "); err != nil || s != want {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
	const head = "REDIS0015"
	f("nothing", file(head), "")
	f("a key", file(head, key("k")), "0 k: 0 -1 -1")
	f("databases", file(head, []byte{opSelectDB, 3, opResizeDB, 1, 0}, key("k")), "3 k: 0 -1 -1")
	f("seconds", file(head, []byte{opExpire, 1, 2, 0, 0}, key("k"), key("l")), "0 k: 513000 -1 -1; 0 l: 0 -1 -1")
	f("milliseconds", file(head, []byte{opExpireMs, 1, 2, 0, 0, 0, 0, 0, 0}, key("k")), "0 k: 513 -1 -1")
	f("idle", file(head, []byte{opIdle}, numbers(100), key("k")), "0 k: 0 100 -1")
	f("frequency", file(head, []byte{opFreq, 200}, key("k")), "0 k: 0 -1 200")
	f("slots", file(head, []byte{opSlotInfo, 5, 1, 0}, key("k")), "0 k: 0 -1 -1")
	f("slots of Valkey", file("VALKEY080", []byte{opMeta}, text("job"), numbers(2, 1, 2, 5, 6), key("k")), "0 k: 0 -1 -1")
	f("what modules keep of keys", file(head, []byte{opMeta, 1, 0, 0, 0, 0, moduleUnsigned, 5, moduleEnd}, key("k")), "0 k: 0 -1 -1")
	f("notes of modules", file(head, []byte{opModuleAux}, numbers(moduleID("timeserie", 4), moduleUnsigned, 2, moduleDouble), make([]byte, 8), []byte{moduleEnd}, key("k")),
		"0 k: 0 -1 -1; skipped:  notes of module timeserie (version 4);")
	f("another module", file(head, []byte{typeModule}, text("m"), numbers(moduleID("timeserie", 4), moduleSigned, 2, moduleFloat), make([]byte, 4), []byte{moduleString}, text("x"), []byte{moduleEnd}, key("k")),
		"0 k: 0 -1 -1; skipped: m a value of module timeserie (version 4);")
	f("an array", file(head, []byte{typeArray}, text("a"), numbers(3, 1, 7, 0, arrayString), text("x"), numbers(1, arrayInt), make([]byte, 8), numbers(2, arrayShort), text("y"), key("k")),
		"0 k: 0 -1 -1; skipped: a an array;")
	f("an empty set", file(head, []byte{typeSet}, text("s"), []byte{0}, key("k")), "0 k: 0 -1 -1; skipped: s a value without elements;")
	f("names of fields", file(head, []byte{opTemplate, 5, 2}, text("f"), text("g"), []byte{typeHashTemplateIA}, text("h"), []byte{5}, text("1"), text("2")), "0 h: 0 -1 -1")
	f("without a checksum", append(append([]byte("REDIS0010"), key("k")...), opEnd, 0, 0, 0, 0, 0, 0, 0, 0), "0 k: 0 -1 -1")
	f("before checksums", append(append([]byte("REDIS0004"), key("k")...), opEnd), "0 k: 0 -1 -1")

	bad := func(name string, b []byte, want error) {
		t.Helper()
		if _, err := contents(bytes.NewReader(b)); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad("no file", []byte("GARBAGE00"), ErrMagic)
	bad("no version", []byte("REDIS00x0"), ErrMagic)
	bad("version 0", []byte("REDIS0000"), ErrVersion)
	bad("a later version", []byte("REDIS0016"), ErrVersion)
	bad("a version of Valkey's", []byte("REDIS0080"), ErrVersion)
	bad("Valkey of before", []byte("VALKEY011"), ErrVersion)
	bad("nothing at all", nil, io.ErrUnexpectedEOF)
	bad("a database too many", file(head, []byte{opSelectDB}, numbers(maxDB)), ErrFormat)
	bad("a type that is not known", file(head, []byte{100}, text("k")), ErrFormat)
	bad("a template twice", file(head, []byte{opTemplate, 5, 1}, text("f"), []byte{opTemplate, 5, 1}, text("f")), ErrFormat)
	bad("a part that is not known", file(head, []byte{opModuleAux}, numbers(moduleID("timeserie", 4), moduleUnsigned, 2, 6)), ErrFormat)

	broken := &FileError{}
	_, err := contents(bytes.NewReader(file(head, []byte{typeSet}, text("the key"), []byte{2}, text("a"), text("a"))))
	if !errors.As(err, &broken) || string(broken.Key) != "the key" || broken.Offset != int64(len(head)+1+len("the key")+1+1+2+2) {
		t.Errorf("%v", err)
	}
}

// seeker writes over what is there, as a file does.
type seeker struct {
	b  []byte
	at int64
}

func (s *seeker) Write(b []byte) (int, error) {
	s.b = append(s.b[:min(int(s.at), len(s.b))], append(slices.Clone(b), s.b[min(int(s.at)+len(b), len(s.b)):]...)...)
	s.at += int64(len(b))
	return len(b), nil
}

func (s *seeker) Seek(n int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		n += s.at
	case io.SeekEnd:
		n += int64(len(s.b))
	}
	s.at = n
	return n, nil
}

// TestFilesComeBack writes files of random values.
func TestFilesComeBack(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(7, 7))}
	for round := range 20 {
		var s seeker
		w := NewFileWriter(&s)
		if err := w.Aux("name", "text"); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"aux name": "text"}
		lib := Seal(AppendString([]byte{opFunction}, []byte("#!lua")), 0, version70)
		if err := w.Functions(lib); err != nil {
			t.Fatal(err)
		}
		want["function"] = "#!lua"
		for i := range g.IntN(40) {
			o := g.value()
			if round == 0 {
				o = str.Copy([]byte("v"))
			}
			payload, err := Dump(nil, o)
			if err != nil {
				t.Fatal(err)
			}
			at := int64(g.IntN(2) * (1 + g.IntN(1e9)))
			if err := w.Key(i/10, fmt.Append(nil, "k", i), payload, at); err != nil {
				t.Fatal(err)
			}
			want[fmt.Sprint(i/10, " k", i)] = fmt.Sprintln(at, -1, -1) + text(o)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n := w.Size(); n != int64(len(s.b)) {
			t.Fatalf("%d bytes of %d", n, len(s.b))
		}
		got, err := contents(bytes.NewReader(s.b))
		if err != nil {
			t.Fatalf("round %d, version %d: %v", round, w.Version(), err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d items, want %d", len(got), len(want))
		}
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("%s: %s", k, differ(got[k], v))
			}
		}
		if round == 0 && w.Version() != version70 {
			t.Errorf("version %d for strings", w.Version())
		}
	}
	var s seeker
	w := NewFileWriter(&s)
	for _, payload := range []string{"", "x", "garbage that is long enough"} {
		if err := w.Key(0, []byte("k"), []byte(payload), 0); !errors.Is(err, ErrChecksum) {
			t.Errorf("%q: %v", payload, err)
		}
	}
}

// TestStreamsComeBack writes the same in the way that needs to go nowhere back.
func TestStreamsComeBack(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(8, 8))}
	for round := range 20 {
		var b bytes.Buffer
		w := NewStreamWriter(&b)
		want := map[string]string{"aux name": "text", "function": "#!lua"}
		write := func(b []byte) {
			if err := w.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		write(AppendFunction(AppendAux(nil, 3, "name", []byte("text")), []byte("#!lua")))
		for i := range g.IntN(40) {
			o := g.value()
			at := int64(g.IntN(2) * (1 + g.IntN(1e9)))
			part, err := AppendKey(nil, i%3, fmt.Append(nil, "k", i), o, at)
			if err != nil {
				t.Fatal(err)
			}
			write(part)
			want[fmt.Sprint(i%3, " k", i)] = fmt.Sprintln(at, -1, -1) + text(o)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := contents(&b)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d items, want %d", len(got), len(want))
		}
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("%s: %s", k, differ(got[k], v))
			}
		}
	}
}

// TestCopiesAreNotCompressed: a key is encoded while its shard is held.
func TestCopiesAreNotCompressed(t *testing.T) {
	var l list.Value
	elem := bytes.Repeat([]byte("the same words again "), 200)
	for range 20 {
		l.Push(list.Tail, elem)
	}
	key := bytes.Repeat([]byte("k"), 1000)
	b, err := AppendKey(nil, 0, key, &l, 0)
	if least := 20*len(elem) + len(key); err != nil || len(b) < least {
		t.Errorf("%d bytes of %d: %v", len(b), least, err)
	}
	if b, _, err := Append(nil, &l); err != nil || len(b) > 10*len(elem) {
		t.Errorf("a file has %d bytes of it: %v", len(b), err)
	}
}

func TestRestOfAStream(t *testing.T) {
	b := append(file("REDIS0010", parts(typeString, "k", "v")), "what follows"...)
	for _, src := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b))} {
		f := NewFile(src)
		for {
			if _, err := f.Next(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		rest, err := io.ReadAll(f.Rest())
		if err != nil || string(rest) != "what follows" {
			t.Errorf("%q, %v", rest, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	g := gen{rand.New(rand.NewPCG(8, 8))}
	for range 30 { // small ones: a fuzzer is slow with those of testdata
		var s seeker
		w := NewFileWriter(&s)
		for i := range 3 {
			if payload, err := Dump(nil, g.value()); err == nil && len(payload) < 1000 {
				_ = w.Key(i, []byte("key"), payload, int64(i))
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		b := s.b[:len(s.b)-8] // a checksum of 0 is none: what changes is read
		f.Add(append(b, make([]byte, 8)...))
	}
	f.Add(file("REDIS0015", []byte{opModuleAux}, []byte{1, moduleUnsigned, 2, moduleEnd}))
	f.Add(file("VALKEY080", []byte{opMeta, 1, 'x', 0, opSelectDB, 1}, parts(typeString, "k", "v")))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := contents(bytes.NewReader(b))
		var fe *FileError
		if err != nil && !errors.As(err, &fe) {
			t.Fatal(err)
		}
		if len(items) > len(b) {
			t.Fatalf("%d items of %d bytes", len(items), len(b))
		}
	})
}
