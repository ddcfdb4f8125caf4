// Package judge says how sure it is that two prompts have the same answer.
//
//	prompt ──Parse──► words, stems, numbers, dates, names, …  ┐
//	prompt ──Parse──► …                                       ├─Compare──► Evidence ──► Model ──► confidence 0 … 1
//	cosine of their embeddings ───────────────────────────────┘        └──► guards that fire
//
// An embedding hardly sees a number, a negation or a name; it is the words that
// tell "is it open on Sundays" from "is it closed on Sundays". Each kind of
// evidence is a row of [Signals] (signals.go), each [Guard] one of [Guards]. The
// words they know are the files in lists/. Everything is in English; of other
// languages the numbers, the names and the likeness of words and letters are seen.
//
// The model (model.go) is a sum of small decision trees that may only fall when
// evidence against grows, and only rise with the cosine. Its weights, model.json,
// are made by `nearcache bench semcache -train`, which says how.
//
// What the entries around a candidate say, above all how far the nearest one with
// another answer is, comes on top of that (around.go), and what the answers stored after
// misses have shown it to be worth here (here.go).
//
// A Prompt is immutable once parsed. Compare takes time in proportion to the
// two prompts, and no memory.
package judge
