// Package demo shows a semantic cache at work on real questions.
//
//	Banking77 train ──► prompts with an answer ──► hashes under a FLAT index
//	Banking77 test  ──► new questions ──► FT.SEARCH VECTOR_RANGE ──► right, wrong, miss
//	                    prompts once more ──► HGET ──► exact hits
//	a second client ──► CLIENT TRACKING ──► a local copy, kept true by pushes
//
// [Run] speaks to a server at an address over TCP, with the very commands that
// RedisVL's SemanticCache sends, and returns a [Report] that prints itself. It
// knows nothing of the server's inside; package main starts one for it.
//
// Run uses one goroutine and two connections. The keys it writes begin with
// "llmcache:", and the index it makes is "llmcache"; both are left behind.
package demo
