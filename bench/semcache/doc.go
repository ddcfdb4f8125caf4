// Package semcache measures how often a semantic cache is right. It is the command
//
//	nearcache bench semcache                          # each set judged by a model that has never seen it
//	nearcache bench semcache -pairs FILE.jsonl        # and these pairs: {"a": …, "b": …, "label": 0 or 1, "cosine": …} a line
//	nearcache bench semcache -train                   # makes the model that nearcache comes with
//	nearcache bench semcache -live -nearcache         # a server's SEM.GET: latency, and many that miss at once
//	nearcache bench semcache -out DIR                 # table, JSON and plot as files
//
// A pair is two prompts of which it is known whether they have the same answer
// (pairs.go). "hits" is the share of the pairs with the same answer that would
// be served, "wrong" the share of the others that would be: the two cannot be
// traded for each other, so a rule is a curve, and rules are compared by their
// hits at the same share of wrong ones.
//
// A trace is prompts in the order in which a cache is asked (trace.go); what is not
// served is stored. There the neighbours of an entry speak, too, and "wrong" is a
// share of all requests. A conversation (conversation.go) is a trace in which what is right depends on
// what came before.
//
// The recipe of the model (train.go) is boosted trees over all sets in
// datasets/, each set with the same weight and, within it, the pairs with the
// same answer with the same weight as the others. What its scores are worth, and
// what the neighbours are, is fitted on scores for sets the trees have not seen (fit.go).
package semcache
