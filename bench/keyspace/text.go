package keyspace

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/bench/squeeze"
	"github.com/nearcache/nearcache/resp/client"
)

// textRow is what texts take and cost in a server.
type textRow struct {
	Texts      string  `json:"texts"`
	Server     string  `json:"server"`
	Values     int     `json:"values"`
	Bytes      float64 `json:"bytes"`      // of a value
	Used       float64 `json:"used"`       // bytes a key
	Compressed int     `json:"compressed"` // values
	GET        float64 `json:"get"`        // server's processor time for one, in µs
	STRLEN     float64 `json:"strlen"`
}

// volume is how much text is stored.
const volume = 64 << 20

// measureTexts stores texts in servers, ours without and with compression.
func (b *bench) measureTexts(r *report) error {
	sets, err := squeeze.Texts()
	if err != nil {
		return err
	}
	for _, set := range sets {
		for _, spec := range b.specs {
			forms := []string{""}
			if spec.Own {
				forms = []string{"no", "all"}
			}
			for _, form := range forms {
				row, err := b.measureText(spec, set, form)
				if err != nil {
					return err
				}
				r.Text = append(r.Text, row)
			}
		}
	}
	return nil
}

func (b *bench) measureText(spec peer.Spec, set squeeze.Set, compression string) (row textRow, err error) {
	row = textRow{Texts: set.Name, Server: spec.Name}
	if compression != "" {
		spec = spec.With("--compression", compression)
		row.Server += ", compression " + compression
	}
	s, err := b.at.Open(b, spec)
	if err != nil {
		return row, err
	}
	defer s.Close()
	if _, err := s.Ctl.Do("FLUSHALL"); err != nil {
		return row, err
	}
	used0, _ := memory(s)
	bytes := 0
	for _, t := range set.Texts {
		bytes += len(t)
	}
	row.Bytes = float64(bytes) / float64(len(set.Texts))
	row.Values = int(volume / row.Bytes)
	text := func(i int) []byte { return set.Texts[i%len(set.Texts)] }
	if err := fill(s, row.Values, func(p *client.Pipeline, i int) { p.Add("SET", stringKey(i), text(i)) }); err != nil {
		return row, err
	}
	if compression == "all" {
		if row.Compressed, err = settled(b, s); err != nil {
			return row, err
		}
	}
	used, _ := memory(s)
	row.Used = float64(used-used0) / float64(row.Values)
	cost := func(command string) (float64, error) {
		cpu := s.CPU()
		err := fill(s, row.Values, func(p *client.Pipeline, i int) { p.Add(command, stringKey(i*7919%row.Values)) })
		return (s.CPU() - cpu) * 1e6 / float64(row.Values), err
	}
	if row.GET, err = cost("GET"); err != nil {
		return row, err
	}
	row.STRLEN, err = cost("STRLEN")
	fmt.Fprintf(b.progress, "%s: %s: %.0f bytes a key of %.0f, GET %.2f µs, STRLEN %.2f\n", row.Server, set.Name, row.Used, row.Bytes, row.GET, row.STRLEN)
	return row, err
}

// settled waits until the server compresses no more, and returns how many values are.
func settled(b *bench, s *peer.Server) (int, error) {
	count := func() (keys, work int) {
		info := s.Info()
		keys, _ = strconv.Atoi(info["compressed_keys"])
		work, _ = strconv.Atoi(info["compressions"])
		return keys, work
	}
	was := -1
	for quiet := 0; quiet < 4; {
		select {
		case <-b.Done():
			return 0, errors.New("interrupted")
		case <-time.After(500 * time.Millisecond):
		}
		if _, n := count(); n == was {
			quiet++
		} else {
			was, quiet = n, 0
		}
	}
	keys, _ := count()
	return keys, nil
}

func (r *report) writeTexts(w io.Writer) {
	if len(r.Text) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## Texts, compressed or not\n\nAbout %d MB of each. used_memory holds dictionaries and samples. GET and STRLEN: the server's processor time for one, in µs, in pipelines of %d.\n\n", volume>>20, pipelined)
	fmt.Fprint(w, "| texts | server | values | bytes of one | used_memory a key | ratio | compressed | GET | STRLEN |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	last := map[string]textRow{}
	for _, t := range r.Text {
		last[t.Texts] = t
	}
	for _, t := range r.Text {
		fmt.Fprintf(w, "| %s | %s | %d | %.0f | %.0f | %s | %.1f%% | %.2f | %.2f |\n", t.Texts, t.Server, t.Values, t.Bytes,
			t.Used, ratio(t.Used, last[t.Texts].Used), 100*float64(t.Compressed)/float64(t.Values), t.GET, t.STRLEN)
	}
}
