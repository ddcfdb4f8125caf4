package tracking

import (
	"fmt"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/session"
)

// Options are what CLIENT TRACKING ON has asked for.
type Options struct {
	Redirect uint64 // client that gets the invalidations, 0 for this one
	BCast    bool
	Prefixes []string // of BCast, sorted; "" is all keys
	OptIn    bool
	OptOut   bool
	NoLoop   bool
}

const (
	cachingUnset = iota
	cachingYes
	cachingNo
)

// Errors of CLIENT TRACKING, in Redis' words.
const (
	errSwitchBCast  resp.Error = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	errSwitchOpt    resp.Error = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	errNeedsBCast   resp.Error = "ERR PREFIX option requires BCAST mode to be enabled"
	errOptWithBCast resp.Error = "ERR OPTIN and OPTOUT are not compatible with BCAST"
	errOptBoth      resp.Error = "ERR You can't specify both OPTIN mode and OPTOUT mode"
)

// On turns tracking on for s, or adds to it. On an error nothing has changed.
func (t *Table) On(s *session.Session, o Options) error {
	c := stateOf(s)
	fresh := c == nil
	if fresh {
		c = &client{s: s}
	}
	if o.Redirect != 0 && t.sessions.Get(o.Redirect) == nil {
		return resp.ErrRedirectID
	}
	old := c.options.Load()
	if !o.BCast && len(o.Prefixes) > 0 {
		return errNeedsBCast
	}
	if old != nil && old.BCast != o.BCast {
		return errSwitchBCast
	}
	if o.BCast && (o.OptIn || o.OptOut) {
		return errOptWithBCast
	}
	if o.OptIn && o.OptOut {
		return errOptBoth
	}
	if old != nil && (o.OptIn && old.OptOut || o.OptOut && old.OptIn) {
		return errSwitchOpt
	}
	if o.BCast {
		var err error
		if o.Prefixes, err = mergePrefixes(old, o.Prefixes); err != nil {
			return err
		}
	}
	if err := t.start(); err != nil {
		return err
	}
	if fresh {
		t.clients.enter(c)
		s.TrackingState.Store(c)
	}
	c.broken.Store(false)
	c.options.Store(&o)
	t.bcast.add(c, old, &o)
	if old == nil {
		t.on.Add(1)
	}
	s.Tracked.Store(!o.BCast)
	return nil
}

func mergePrefixes(old *Options, add []string) ([]string, error) {
	var have, fresh []string
	if old != nil {
		have = old.Prefixes
	}
	if len(add) == 0 {
		if len(have) > 0 {
			return have, nil
		}
		return []string{""}, nil
	}
	for _, p := range add {
		if q, bad := overlap(have, p); bad {
			return nil, resp.Error(fmt.Sprintf("ERR Prefix '%s' overlaps with an existing prefix '%s'. Prefixes for a single client must not overlap.", p, q))
		}
	}
	sorted := slices.Sorted(slices.Values(add))
	for i, p := range sorted {
		if q, bad := overlap(fresh, p); bad {
			return nil, resp.Error(fmt.Sprintf("ERR Prefix '%s' overlaps with another provided prefix '%s'. Prefixes for a single client must not overlap.", q, p))
		}
		fresh = sorted[:i+1]
	}
	return slices.Sorted(slices.Values(append(fresh, have...))), nil
}

// Off turns tracking off. What was registered stays in the table until the
// session closes or the keys change, as in Redis, but is silent.
func (t *Table) Off(s *session.Session) {
	c := stateOf(s)
	if c == nil || c.options.Load() == nil {
		return
	}
	o := c.options.Swap(nil)
	c.caching.Store(cachingUnset)
	t.bcast.remove(c, o)
	t.on.Add(-1)
	s.Tracked.Store(false)
}

// Close forgets a session that is going away; the registry has forgotten it
// already. The client that it had redirected its invalidations to is told to
// drop everything, since nobody will tell it any more what of it has died.
// Clients that redirect to this one are told that it is gone, now and not at
// the next change: one may have been lost with it.
func (t *Table) Close(s *session.Session) {
	t.Unmonitor(s)
	for _, c := range t.bcast.sourcesOf(s.ID) {
		if o := c.options.Load(); o != nil && o.Redirect == s.ID && c.s != s {
			t.broken(c, o)
		}
	}
	c := stateOf(s)
	if c == nil {
		return
	}
	if o := c.options.Load(); o != nil && o.Redirect != 0 {
		t.send(c, o)
	}
	t.Off(s)
	t.clients.leave(c) // a Sweep takes it out of the table
	if t.keys.n.Load() <= sweepAtOnce {
		t.Sweep()
	}
}

// Caching is CLIENT CACHING: it decides for the next command, or transaction.
func (t *Table) Caching(s *session.Session, yes bool) error {
	c := stateOf(s)
	var o *Options
	if c != nil {
		o = c.options.Load()
	}
	switch {
	case o == nil:
		return resp.ErrCachingMode
	case yes && !o.OptIn:
		return resp.ErrCachingYes
	case !yes && !o.OptOut:
		return resp.ErrCachingNo
	case yes:
		c.caching.Store(cachingYes)
	default:
		c.caching.Store(cachingNo)
	}
	return nil
}

// EndCaching ends what Caching has set. The dispatcher calls it after every
// command but CLIENT CACHING itself, outside of MULTI.
func (t *Table) EndCaching(s *session.Session) {
	if c := stateOf(s); c != nil {
		c.caching.Store(cachingUnset)
	}
}

// Info is what CLIENT TRACKINGINFO, GETREDIR and LIST say of a session.
type Info struct {
	On       bool
	Flags    []string
	Redirect int64 // -1: off, 0: none
	Prefixes []string
	Letters  string // of CLIENT LIST: t, R, B
}

// Info describes the session's tracking. Any goroutine may ask.
func (t *Table) Info(s *session.Session) Info {
	c := stateOf(s)
	var o *Options
	if c != nil {
		o = c.options.Load()
	}
	if o == nil {
		return Info{Flags: []string{"off"}, Redirect: -1}
	}
	i := Info{On: true, Flags: []string{"on"}, Redirect: int64(o.Redirect), Letters: "t"}
	if o.BCast {
		i.Flags = append(i.Flags, "bcast")
		i.Prefixes = o.Prefixes
	}
	if o.OptIn {
		i.Flags = append(i.Flags, "optin")
		if c.caching.Load() == cachingYes {
			i.Flags = append(i.Flags, "caching-yes")
		}
	}
	if o.OptOut {
		i.Flags = append(i.Flags, "optout")
		if c.caching.Load() == cachingNo {
			i.Flags = append(i.Flags, "caching-no")
		}
	}
	if o.NoLoop {
		i.Flags = append(i.Flags, "noloop")
	}
	if c.broken.Load() {
		i.Flags = append(i.Flags, "broken_redirect")
		i.Letters += "R"
	}
	if o.BCast {
		i.Letters += "B"
	}
	return i
}
