// Package squeeze measures what compressing values saves and costs: the ways
// of compressing (methods.go), with and without a dictionary, on texts of the
// length of an LLM's answers (texts.go). It is the command
//
//	nearcache bench squeeze                       # the texts in datasets, and Go's documentation
//	nearcache bench squeeze -jsonl FILE           # one string or {"text": …} a line
//	nearcache bench squeeze -rounds 9 -out FILE
//
// Half of the texts, drawn at random, are learned from; the other half is
// compressed, one by one, each in memory that is there already. In each round
// every method is timed once, so that what disturbs the machine disturbs all;
// the table holds each method's fastest round, which neighbours disturb least.
// Every value is decompressed and compared before anything is timed.
//
// "in cells" is what the keyspace saves: the sizes rounded up to the
// allocator's cells, values that do not shrink by an eighth left as they are.
package squeeze
