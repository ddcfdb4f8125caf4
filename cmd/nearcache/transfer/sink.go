package transfer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// Report counts what has become of what was read.
type Report struct {
	Keys     int64            // values, or commands of a log, that were entered
	Expired  int64            // keys that were past their time
	Existing int64            // keys that were there already, and stay as they are
	Refused  int64            // what the server did not take
	Skipped  map[string]int64 // what is not read, by its kind
	Examples []string         // of what was refused
	Notes    []string
}

// examples is how many refusals are told.
const examples = 10

func (r *Report) skip(what string) {
	if r.Skipped == nil {
		r.Skipped = map[string]int64{}
	}
	r.Skipped[what]++
}

// Print writes the report.
func (r *Report) Print(w io.Writer, took time.Duration) {
	fmt.Fprintf(w, "entered %d in %v\n", r.Keys, took.Round(time.Millisecond))
	for _, l := range []struct {
		n    int64
		what string
	}{{r.Expired, "were past their time"}, {r.Existing, "are there already, and were left (-replace replaces them)"}, {r.Refused, "were refused"}} {
		if l.n > 0 {
			fmt.Fprintf(w, "%d %s\n", l.n, l.what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(w, "left out %d: %s\n", r.Skipped[what], what)
	}
	for _, s := range r.Examples {
		fmt.Fprintln(w, " ", s)
	}
	for _, s := range r.Notes {
		fmt.Fprintln(w, s)
	}
}

// Err is what an import with this report failed with.
func (r *Report) Err() error {
	if n := r.Existing + r.Refused; n > 0 {
		return fmt.Errorf("%d were not entered", n)
	}
	return nil
}

// Sink sends commands to a server, many at a time. It is for one goroutine.
type Sink struct {
	Report Report

	conn *client.Conn
	p    *client.Pipeline
	sent []sent
	size int
	db   int
	err  error

	keeps bool // keys that were there before must not be taken away by the way
}

// sent is a command whose reply is not read yet.
type sent struct {
	of      string // what it enters, for messages
	at      int64  // where that stands in the file
	selects bool
}

// A pipeline is sent when it has so many commands or bytes.
const (
	maxCommands = 512
	maxBytes    = 1 << 20
)

// NewSink makes a sink of a connection on which no database is selected yet.
func NewSink(conn *client.Conn) *Sink { return &Sink{conn: conn, p: conn.Pipeline(), db: math.MinInt} }

// Send sends a command in a database. of and at say in messages what it enters and
// where that comes from. It fails where the server can take nothing any more.
func (s *Sink) Send(db int, of string, at int64, args ...[]byte) error {
	if s.err != nil {
		return s.err
	}
	if db != s.db {
		s.db = db
		s.p.Add("SELECT", db)
		s.sent = append(s.sent, sent{of: fmt.Sprintf("database %d", db), at: at, selects: true})
	}
	l := make([]any, len(args))
	for i, a := range args {
		l[i] = a
		s.size += len(a)
	}
	s.p.Add(l...)
	s.sent = append(s.sent, sent{of: of, at: at})
	if len(s.sent) >= maxCommands || s.size >= maxBytes {
		return s.Flush()
	}
	return nil
}

// fatal are errors after which nothing can be entered.
var fatal = []string{"OOM ", "MISCONF ", "NOAUTH ", "NOPERM ", "READONLY ", "LOADING "}

// End sends what is left and returns that, and err, that the reading of a file has ended with.
func (s *Sink) End(err error) error {
	if failed := s.Flush(); failed != nil && failed != err {
		return errors.Join(failed, err)
	}
	return err
}

// Flush sends what is left and reads all replies.
func (s *Sink) Flush() error {
	if s.err != nil {
		return s.err
	}
	var stop error
	err := s.p.Each(func(i int, v client.Value) {
		x, err := s.sent[i], v.Err()
		switch {
		case x.selects && err == nil:
		case err == nil:
			s.Report.Keys++
		case x.selects || slices.ContainsFunc(fatal, func(p string) bool { return strings.HasPrefix(err.Error(), p) }):
			stop = cmp.Or(stop, fmt.Errorf("%s, at byte %d: %w", x.of, x.at, err))
		case strings.HasPrefix(err.Error(), "BUSYKEY "):
			s.Report.Existing++
		default:
			s.Report.Refused++
			if len(s.Report.Examples) < examples {
				s.Report.Examples = append(s.Report.Examples, fmt.Sprintf("%s, at byte %d: %v", x.of, x.at, err))
			}
		}
	})
	s.sent, s.size = s.sent[:0], 0
	if s.err = errors.Join(stop, err); s.err == nil {
		return nil
	}
	return s.err
}
