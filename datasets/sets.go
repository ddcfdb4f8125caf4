package datasets

import "fmt"

// Question is a customer's question of Banking77. Questions with the same
// intent have the same answer.
type Question struct {
	Text   string `json:"text"`
	Intent string `json:"intent"`
	Split  string `json:"split"` // train or test
}

// Banking77 loads the 13,083 questions in the order of the file: row i of
// [Manifest.MiniLM] is the embedding of question i.
func (m *Manifest) Banking77() ([]Question, error) {
	s, err := m.Set("banking77")
	if err != nil {
		return nil, err
	}
	q, err := LoadJSONL[Question](s.Path(), Limits{})
	if err != nil {
		return nil, err
	}
	if len(q) != s.Rows {
		return nil, fmt.Errorf("%s: %d rows, the manifest says %d", s.Path(), len(q), s.Rows)
	}
	return q, nil
}

// Embedded is a set of vectors with the text of each row.
type Embedded struct {
	Matrix
	Texts []string
	Parts []Part
}

// MiniLM loads the 30,781 embeddings of all-MiniLM-L6-v2 with their texts:
// 384 dimensions, length 1, so that the dot product is the cosine.
func (m *Manifest) MiniLM() (*Embedded, error) {
	s, err := m.Set("minilm")
	if err != nil {
		return nil, err
	}
	mat, err := LoadNPY(s.Path(), Limits{})
	if err != nil {
		return nil, err
	}
	if mat.Rows != s.Rows || mat.Dim != s.Dim {
		return nil, fmt.Errorf("%s: %d x %d, the manifest says %d x %d", s.Path(), mat.Rows, mat.Dim, s.Rows, s.Dim)
	}
	ts, err := m.Set(s.Texts)
	if err != nil {
		return nil, err
	}
	texts, err := LoadJSONL[string](ts.Path(), Limits{})
	if err != nil {
		return nil, err
	}
	if len(texts) != mat.Rows {
		return nil, fmt.Errorf("%s: %d texts for %d rows", ts.Path(), len(texts), mat.Rows)
	}
	return &Embedded{Matrix: *mat, Texts: texts, Parts: s.Parts}, nil
}
