// Package proxy measures what the caching proxy and the embedding of prompts cost. It is
// the command
//
//	nearcache bench proxy                            # with n-grams of letters for embeddings
//	nearcache bench proxy -embed local:FOLDER        # with a model of sentence-transformers
//	nearcache bench proxy -n 5000 -clients 8
//
// In one process run a server, and in another place of it a model that answers at once. Each
// question, of datasets/, is asked of the model itself, then through the proxy
// where nobody has asked it before (miss), again (exact), and streamed (replay); a round of
// each in turn, so that what disturbs the machine disturbs all. "added" is the median of
// the differences, question by question, between a miss and the model itself: what
// a client pays for having the proxy in between. It holds one look-up, one embedding,
// a second hop over loopback, and the storing of the answer.
//
// The last table is the time to embed one question, on one core, without anything remembered.
package proxy
