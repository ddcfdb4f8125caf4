package load

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/nearcache/nearcache/bench/peer"
)

// report is one run: what was measured, where, how, and what came out.
type report struct {
	Name     string            `json:"name"`
	Date     string            `json:"date"`
	Commit   string            `json:"commit"`
	Command  string            `json:"command"`
	Machine  peer.Machine      `json:"machine"`
	Settings map[string]string `json:"settings"`
	Peers    []reportPeer      `json:"peers"`
	Cases    []caseResult      `json:"cases"`
}

type reportPeer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Started string `json:"started,omitempty"`
}

// failed is an error when a server answered with errors: figures of such a run
// are not worth anything.
func (r *report) failed() error {
	for _, c := range r.Cases {
		for _, p := range c.Peers {
			if p.Median.Errors > 0 {
				return fmt.Errorf("%s: %s answered %d times with an error: %s", c.title(), p.Peer, p.Median.Errors, p.Median.FirstError)
			}
		}
	}
	return nil
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", r.Name)
	fmt.Fprintf(&b, "%s, %d cores, %s, kernel %s, %s. %s, commit %s.\n\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Kernel, r.Machine.Go, r.Date, r.Commit)
	fmt.Fprintf(&b, "    %s\n\n", r.Command)
	for _, p := range r.Peers {
		fmt.Fprintf(&b, "- %s: version %s", p.Name, p.Version)
		if p.Started != "" {
			fmt.Fprintf(&b, ", `%s`", p.Started)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%s keys (%s), cores: %s, RESP%s, client tracking %s, %s rounds of %s each; medians of the rounds, lowest and highest round in brackets.\n"+
		"Latency is of one reply in microseconds, from the hand-over of its batch, in an open loop (with a rate) from when that was due; cores is processor time per second, of the server and of the load generator; us/op is the server's processor time per command, which neighbours on the machine disturb least. How: bench/METHOD.md.\n\n",
		r.Settings["keys"], r.Settings["dist"], r.Settings["cores"], r.Settings["resp"], r.Settings["tracking"], r.Settings["rounds"], r.Settings["duration"])
	r.ratioTable(&b)
	b.WriteString("| test | pipeline | connections | value | rate | server | ops/s | p50 | p99 | p99.9 | server cores | us/op | load cores | memory MB |\n")
	b.WriteString("|---|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, c := range r.Cases {
		for _, p := range c.Peers {
			fmt.Fprintf(&b, "| %s | %d | %d | %s | %s | %s | ", c.Test, c.Pipeline, c.Connections, cmp.Or(c.ValueSize, "-"), c.rate(), p.Peer)
			if p.Skipped != "" {
				fmt.Fprintf(&b, "left out: %s |||||||||\n", strings.ReplaceAll(p.Skipped, "|", "/"))
				continue
			}
			s := p.Median
			fmt.Fprintf(&b, "%s (%s-%s) | %.0f | %.0f | %.0f | %s | %s | %s | %.0f |\n",
				thousands(s.OpsPerSecond), thousands(p.Low), thousands(p.High), s.P50, s.P99, s.P999, cores(s.ServerCores), cores(s.ServerMicros), cores(s.LoadCores), float64(p.RSS)/1e6)
		}
	}
	var notes []string
	filled := map[string]bool{}
	for _, c := range r.Cases {
		for _, p := range c.Peers {
			what := c.Test + " " + c.ValueSize + " " + p.Peer
			if p.Skipped == "" && p.FillSeconds > 0 && !filled[what] {
				filled[what] = true
				notes = append(notes, fmt.Sprintf("filling %s for %s: %s commands on one connection in %.2f s, %s a second", p.Peer, c.Test, thousands(float64(p.FillOps)), p.FillSeconds, thousands(float64(p.FillOps)/p.FillSeconds)))
			}
			if p.Median.Errors > 0 {
				notes = append(notes, fmt.Sprintf("%s: %s answered %d of %d with an error: %s", c.title(), p.Peer, p.Median.Errors, p.Median.Ops, p.Median.FirstError))
			}
			if p.Median.Unsent > 0 {
				notes = append(notes, fmt.Sprintf("%s: %s was too slow for %d of %d commands, which could not be sent", c.title(), p.Peer, p.Median.Unsent, p.Median.Ops+p.Median.Unsent))
			}
			if p.Median.LocalPerSecond > 0 {
				notes = append(notes, fmt.Sprintf("%s: clients of %s answered %.1f%% from their copies, %s a second; %s copies died", c.title(), p.Peer, 100*p.Median.LocalPerSecond/p.Median.OpsPerSecond, thousands(p.Median.LocalPerSecond), thousands(float64(p.Median.Died))))
			}
			if p.Median.Misses > 0 {
				notes = append(notes, fmt.Sprintf("%s: %s found nothing for %.2f%%", c.title(), p.Peer, 100*float64(p.Median.Misses)/float64(p.Median.Ops)))
			}
		}
	}
	if len(notes) > 0 {
		b.WriteString("\n- " + strings.Join(notes, "\n- ") + "\n")
	}
	b.WriteByte('\n')
	for _, p := range plots {
		if r.shows(p) {
			fmt.Fprintf(&b, "![%s](%s%s.svg)\n", p.what, r.Name, p.suffix)
		}
	}
	return b.String()
}

// ratioTable is what a run is for: this server's figures over the last one's.
func (r *report) ratioTable(b *strings.Builder) {
	if len(r.Peers) < 2 {
		return
	}
	last := r.Peers[len(r.Peers)-1].Name
	fmt.Fprintf(b, "Ratios to %s in paired rounds; of throughput more is better, of the others less:\n\n", last)
	b.WriteString("| test | pipeline | value | rate | server | throughput | CPU per request | p50 | p99 | p99.9 |\n|---|--:|--:|--:|---|--:|--:|--:|--:|--:|\n")
	for _, c := range r.Cases {
		for _, p := range c.Peers {
			if q := p.Ratios; q != nil {
				fmt.Fprintf(b, "| %s | %d | %s | %s | %s | %v | %v | %v | %v | %v |\n", c.Test, c.Pipeline, cmp.Or(c.ValueSize, "-"), c.rate(), p.Peer, q.Throughput, q.CPU, q.P50, q.P99, q.P999)
			}
		}
	}
	b.WriteByte('\n')
}

func (q ratio) String() string { return fmt.Sprintf("%.2f (%.2f-%.2f)", q.Median, q.Low, q.High) }

func (c *caseResult) rate() string {
	if c.Rate == 0 {
		return "-"
	}
	return thousands(c.Rate)
}

func cores(c float64) string {
	if c < 0 {
		return "?"
	}
	return fmt.Sprintf("%.2f", c)
}

func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
