package search

import (
	"strings"
	"testing"
)

// shown is the text of a field of the first row, as it is shown for a query.
func (t *tester) shown(q, field, text string, h *Highlight, s *Summary) string {
	t.Helper()
	res, err := t.search(q, Options{Num: 1, Terms: true})
	if err != nil || len(res.Rows) == 0 {
		t.Fatal(q, res, err)
	}
	defer res.Release()
	return string(res.Terms.Show(nil, field, []byte(text), h, s))
}

// The texts are those of RediSearch's tests/pytests/test_summarize.py.
func TestShow(t *testing.T) {
	const p1 = "Redis is an open-source in-memory database project implementing a networked, in-memory key-value store with optional durability. Redis supports different kinds of abstract data structures, such as strings, lists, maps, sets, sorted sets, hyperloglogs, bitmaps and spatial indexes. The project is mainly developed by Salvatore Sanfilippo and is currently sponsored by Redis Labs.[4] Redis Labs creates and maintains the official Redis Enterprise Pack."
	const p2 = "Redis typically holds the whole dataset in memory. Versions up to 2.4 could be configured to use what they refer to as virtual memory[19] in which some of the dataset is stored on disk, but this feature is deprecated. Persistence is now achieved in two different ways: one is called snapshotting, and is a semi-persistent durability mode where the dataset is asynchronously transferred from memory to disk from time to time, written in RDB dump format. Since version 1.1 the safer alternative is AOF, an append-only file (a journal) that is written as operations modifying the dataset in memory are processed. Redis is able to rewrite the append-only file in the background in order to avoid an indefinite growth of the journal."
	x := newTester(t, "txt1 TEXT txt2 TEXT n NUMERIC plain TEXT NOSTEM")
	x.put("redis", "txt1", p1, "txt2", p2, "n", "1")
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
	}
	// testSummarizationMultiField
	five := &Summary{Frags: 3, Len: 5, Separator: "... "}
	const q = "memory persistence salvatore"
	f(x.shown(q, "txt1", p1, nil, five), "memory database project implementing a networked, in-memory ... by Salvatore Sanfilippo... ")
	f(x.shown(q, "txt2", p2, nil, five), "dataset in memory. Versions... as virtual memory[19] in... persistent durability mode where the dataset is asynchronously transferred from memory... ")
	// testSummarizationMeta
	long := &Summary{Frags: 3, Len: 20, Separator: "... "}
	f(x.shown("redis", "txt1", "redis", nil, long), "redis... ")
	// testIssue364: without a match, the beginning
	const change = "To change the use from a Restaurant to a Personal Service Shop (Great Clips)"
	f(x.shown("redis", "txt1", change, nil, long), change)
	f(x.shown("redis", "txt1", change+" at the end", nil, long), change+" at the")
	f(x.shown("redis", "txt1", change, &Highlight{"<b>", "</b>"}, long), change)
	// testSummarization: of a query that finds no word
	f(x.shown("-blah", "txt1", " The  First Book of\nMoses, called Genesis {1:1} In the beginning", nil, &Summary{Frags: 3, Len: 3}), " The First Book of Moses, called Genesis {1:1} In the")

	tags := &Highlight{"<b>", "</b>"}
	f(x.shown("redis", "txt1", "The Redis, and redis\\-x; REDIS", tags, nil), "The <b>Redis</b>, and redis\\-x; <b>REDIS</b>")
	f(x.shown("supporting", "txt1", "it supports SUPPORTED support-ing", tags, nil), "it <b>supports</b> <b>SUPPORTED</b> <b>support</b>-ing")
	f(x.shown("supporting", "plain", "it supports this", tags, nil), "it supports this")
	f(x.shown("sup*", "txt1", "supports supper", tags, nil), "<b>supports</b> supper")
	f(x.shown(`redis -nothing ~labs`, "txt1", "nothing redis labs", tags, nil), "nothing <b>redis</b> <b>labs</b>")
	f(x.shown("redis", "n", "redis 1", tags, nil), "redis 1")
	f(x.shown("redis", "txt1", "", tags, long), "")
	f(x.shown("redis", "txt1", "", nil, long), "")
	f(x.shown("redis", "txt1", "redis", &Highlight{}, &Summary{}), "")
	// The rare word makes the better place.
	f(x.shown("redis sanfilippo", "txt1", "redis "+strings.Repeat("x ", 20)+"sanfilippo redis", tags, &Summary{Frags: 1, Len: 2, Separator: "|"}), "x x <b>sanfilippo</b> <b>redis</b>|")
}

func FuzzShow(f *testing.F) {
	f.Add("redis labs", "some \\redis, REDIS\x00labs", 3, 20)
	f.Add("a* %b%", "\xff\xfe a  b c", 1, 1)
	s, err := ParseSchema(argv("t TEXT"))
	if err != nil {
		f.Fatal(err)
	}
	ix, err := New(s, bruteKinds)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = ix.Close() })
	x := &tester{TB: f, ix: ix, docs: map[string]func(string) ([]byte, bool){}}
	x.put("d", "t", "redis labs a b c aa ab")
	f.Fuzz(func(t *testing.T, q, text string, frags, length int) {
		res, err := x.search(q, Options{Num: 1, Terms: true})
		if err != nil {
			return
		}
		defer res.Release()
		if len(res.Rows) == 0 {
			return
		}
		tagged := string(res.Terms.Show(nil, "t", []byte(text), &Highlight{"\x01", "\x02"}, nil))
		if !strings.ContainsAny(text, "\x01\x02") && strings.NewReplacer("\x01", "", "\x02", "").Replace(tagged) != text {
			t.Fatalf("%q became %q", text, tagged)
		}
		if frags >= 0 && length >= 0 {
			short := res.Terms.Show(nil, "t", []byte(text), nil, &Summary{Frags: frags, Len: length})
			if len(short) > len(text) {
				t.Fatalf("%q became %q", text, short)
			}
		}
	})
}
