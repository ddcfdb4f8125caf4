package aggregate

import "time"

// Profile is what the steps of a pipeline took. Give an empty one to [Options].
type Profile struct {
	Steps []ProfileStep // from the source on
}

// ProfileStep is one of them, by RediSearch's name of it.
type ProfileStep struct {
	Name string
	Time time.Duration // with the steps before it; see Own
	Rows int           // that it made
}

// Own is the time of the step at i without those before it.
func (p *Profile) Own(i int) time.Duration {
	if i == 0 {
		return p.Steps[0].Time
	}
	return p.Steps[i].Time - p.Steps[i-1].Time
}

// timed is a step whose time is taken.
type timed struct {
	of step
	in *Profile
	at int
}

func (s *timed) next(p *Pipeline, r *Row) (bool, error) {
	start := time.Now()
	ok, err := s.of.next(p, r)
	at := &s.in.Steps[s.at]
	at.Time += time.Since(start)
	if ok && err == nil {
		at.Rows++
	}
	return ok, err
}

// then puts a step behind the others.
func (b *builder) then(s step, name string) {
	b.last = s
	if p := b.p.o.Profile; p != nil {
		b.last = &timed{of: s, in: p, at: len(p.Steps)}
		p.Steps = append(p.Steps, ProfileStep{Name: name})
	}
}
