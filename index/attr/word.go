package attr

// Word is the spelling of a term.
func (t *Text) Word(id TermID) string { return t.terms[id].name }
