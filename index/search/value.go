package search

// Value is what a document holds in a field of the schema.
type Value struct {
	Data    []byte    // the value, or the first of several
	More    [][]byte  // the others
	Numbers []float64 // of a NUMERIC field, where they are numbers already; Data is not looked at
	Err     error     // why the field cannot be indexed
}
