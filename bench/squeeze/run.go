package squeeze

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/store/slab"
	"github.com/nearcache/nearcache/store/squeeze"
)

// limits are the bounds of the classes of length that the table shows.
var limits = []int{minText, 200, 400, 1 << 10, 4 << 10, 16<<10 + 1}

// Run carries out the command `nearcache bench squeeze`.
func Run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench squeeze", flag.ContinueOnError)
	fs.SetOutput(stderr)
	jsonl := fs.String("jsonl", "", "measure the texts of this file: one JSON string, or an object with the field text, a line")
	rounds := fs.Int("rounds", 5, "time each method so often, and take its fastest round")
	volume := fs.Int("volume", 1<<20, "bytes that each method compresses in a round, for each class of length")
	out := fs.String("out", "", "write the tables to this file, too")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 || *volume < 1 || fs.NArg() > 0 {
		return fmt.Errorf("bench squeeze: rounds and volume are at least 1, and nothing follows the flags")
	}
	all, err := sets(*jsonl)
	if err != nil {
		return fmt.Errorf("bench squeeze: %w", err)
	}
	w := stdout
	if *out != "" {
		f, err := os.Create(*out)
		if err != nil {
			return fmt.Errorf("bench squeeze: %w", err)
		}
		defer f.Close()
		w = io.MultiWriter(stdout, f)
	}
	fmt.Fprintf(w, "# Compressing values\n\n%s.\n\n    nearcache bench squeeze %s\n", origin(), strings.Join(args, " "))
	for _, s := range all {
		if err := measure(w, s, *rounds, *volume); err != nil {
			return fmt.Errorf("bench squeeze: %s: %w", s.name, err)
		}
	}
	return nil
}

// origin is the machine, the time and the commit.
func origin() string {
	m := peer.ThisMachine()
	s := fmt.Sprintf("%s, %d cores, %s, %s. %s", m.CPU, m.Cores, m.OS, m.Go, time.Now().UTC().Format(time.RFC3339))
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, kv := range info.Settings {
			if kv.Key == "vcs.revision" {
				s += ", commit " + kv.Value[:min(len(kv.Value), 7)]
			}
		}
	}
	return s
}

// class is the values of a range of lengths.
type class struct {
	from, to int
	values   [][]byte
	bytes    int
}

// figures are a method's of a class.
type figures struct {
	out                  int // bytes compressed
	cells                int // bytes of cells
	compress, decompress time.Duration
}

func measure(w io.Writer, s set, rounds, volume int) error {
	r := rand.New(rand.NewPCG(1, 1))
	texts := append([][]byte(nil), s.texts...)
	r.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
	learn, rest := texts[:len(texts)/2], texts[len(texts)/2:]
	start := time.Now()
	if _, err := trained(learn, squeeze.Options{SampleSize: 64 << 20}); err != nil {
		return err
	}
	training := time.Since(start)
	all, err := methods(learn)
	if err != nil {
		return err
	}
	var classes []class
	for i := range len(limits) - 1 {
		c := class{from: limits[i], to: limits[i+1] - 1}
		for _, t := range rest {
			if len(t) >= c.from && len(t) <= c.to {
				c.values = append(c.values, t)
				c.bytes += len(t)
			}
		}
		if len(c.values) >= 5 {
			classes = append(classes, c)
		}
	}
	table := make([][]figures, len(all))
	for i := range table {
		table[i] = make([]figures, len(classes))
	}
	for round := range rounds {
		for i, m := range all {
			for j, c := range classes {
				if err := m.run(&table[i][j], c, volume, round == 0); err != nil {
					return fmt.Errorf("%s: %w", m.name, err)
				}
			}
		}
	}
	sum := 0
	for _, t := range learn {
		sum += len(t)
	}
	fmt.Fprintf(w, "\n## %s\n\n%s: %d texts. Learned from %d, %d kB, in %d ms; compressed the others, %d rounds.\n",
		s.name, s.what, len(texts), len(learn), sum>>10, training.Milliseconds(), rounds)
	for j, c := range classes {
		fmt.Fprintf(w, "\n%d to %d bytes: %d values, %d on average\n\n", c.from, c.to, len(c.values), c.bytes/len(c.values))
		fmt.Fprintf(w, "| method | ratio | in cells | compress µs | MB/s | decompress µs | MB/s |\n|---|--:|--:|--:|--:|--:|--:|\n")
		plain := 0
		for _, v := range c.values {
			plain += cell(len(v))
		}
		for i, m := range all {
			f := table[i][j]
			n := float64(len(c.values))
			mb := float64(c.bytes) / 1e6
			fmt.Fprintf(w, "| %s | %.2f | %.2f | %.1f | %.0f | %.1f | %.0f |\n", m.name,
				float64(c.bytes)/float64(f.out), float64(plain)/float64(f.cells),
				f.compress.Seconds()*1e6/n, mb/f.compress.Seconds(), f.decompress.Seconds()*1e6/n, mb/f.decompress.Seconds())
		}
	}
	return nil
}

// run times one round; the first checks that all values come back.
func (m method) run(f *figures, c class, volume int, first bool) error {
	room := squeeze.Room(c.to) + c.to/4
	buf := make([]byte, 0, room)
	packed := make([][]byte, len(c.values))
	for i, v := range c.values {
		packed[i] = bytes.Clone(m.compress(buf, v))
		if !first {
			continue
		}
		got, err := m.decompress(buf, packed[i])
		if err != nil {
			return err
		}
		if !bytes.Equal(got, v) {
			return fmt.Errorf("a value of %d bytes does not come back", len(v))
		}
		f.out += min(len(packed[i]), len(v)+1)
		if n := len(packed[i]); n <= len(v)-len(v)/8 {
			f.cells += cell(n)
		} else {
			f.cells += cell(len(v))
		}
	}
	repeat := max(1, volume/c.bytes)
	fastest := func(d *time.Duration, work func(int) error) error {
		start := time.Now()
		for range repeat {
			for i := range c.values {
				if err := work(i); err != nil {
					return err
				}
			}
		}
		if took := time.Since(start) / time.Duration(repeat); *d == 0 || took < *d {
			*d = took
		}
		return nil
	}
	err := fastest(&f.compress, func(i int) error { m.compress(buf, c.values[i]); return nil })
	if err != nil {
		return err
	}
	return fastest(&f.decompress, func(i int) error {
		_, err := m.decompress(buf, packed[i])
		return err
	})
}

// cell is what the allocator gives for a record of n bytes and its header.
func cell(n int) int {
	const header = 24 // key and lengths
	return slab.Cell(min(n+header, slab.MaxCell))
}
