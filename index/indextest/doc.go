// Package indextest is the conformance suite that every kind of vector index
// must pass, with the ground truth that it is measured against. A kind's own
// test is one line: indextest.Run(t, kind, indextest.Options{…}); kinds runs
// it for the whole list.
package indextest
