// Package resptest tests a server of the Redis protocol over the wire.
//
//	testdata/<family>/<command>.txt ──► Transcript ──► Target: nearcache, or real Redis
//	                                        │
//	                                      Conn ──► Value, compared with the file's
//
// A [Transcript] is a file of commands and replies. It needs only an address, so
// the same file runs against nearcache and against real Redis, in RESP2 and in
// RESP3. Blocks are separated by empty lines. A block is a table, each command
// with its reply, or commands, a line of four dashes, and the replies:
//
//	# What the block is about.
//	SET k v      -> OK
//	GET k        -> "v"
//	LPUSH k x    -> (error) WRONGTYPE Operation against a key holding the wrong kind of value
//
//	HGETALL h
//	----
//	(map) {"f": "v", "g": "w"}
//
// Arguments are split at spaces and quoted as in redis-cli ("\x00" or 'plain').
// f32(1,0,0), f64(…), f16(…), bf16(…), i8(…) and u8(…) are vector blobs,
// rep(x,1000) is a long string, now(+10) and nowms(+10) are Unix times, id(c2)
// is the client id of the connection c2.
//
// Replies are written as they are in RESP3: OK (a status), "bulk", (int) 5,
// (double) 0.5, (bool) true, (null), (error) TEXT, (verbatim txt) "text",
// (array) [...], (set) [...], (map) {"k": "v"}, (push) [...]. In RESP2 a reply must
// be that lowered ([Value.Lower]); where Redis answers otherwise, the block has a
// second list of replies after "---- resp2". Instead of a value there may stand
// (any), (int) ~, (int) 90..100, or ~`regular expression` for a text.
//
// A command may be preceded by
//
//	c2>                      the connection it is sent on, made at first use (main if none is named)
//	@sorted, @sortedpairs    the order of the reply does not matter (fields and values stay together)
//	@eventually              sent again until the reply is as it should be
//	@send                    its reply is not read
//	@replies=3               answered so many times; SUBSCRIBE and its kin need no telling
//
// and these stand in the place of a command:
//
//	@read        the next reply or push of the connection (@replies=2 @read: the next two)
//	@drain       all that the server sent of its own accord, as an array
//	@raw "…"     bytes as they are
//	@close       closes the connection
//	@reset       closes all connections and flushes the server, as at the start of the file
//
// On a line of their own above the commands: @ours and @theirs, for a block that
// only nearcache or only Redis can answer, and, for a whole file, @file ours,
// @file resp2, @file resp3 and @file needs lcs, which leaves the file out where the
// server has no such command.
//
// To add or change transcripts, write the commands and run
//
//	NEARCACHE_REDIS=127.0.0.1:6379 go test ./resp/resptest -run TestTranscriptsOnRedis -rewrite
//
// which fills in what real Redis says (redis8.sh builds one), or, for what Redis
// does not have, -run TestTranscripts$ -rewrite; then read the difference.
// Replies that match stay as they are, so patterns survive.
//
// Use: a [Conn] is for one goroutine. Transcripts flush their server and change
// its settings, so only one may run at a time against one server.
package resptest
