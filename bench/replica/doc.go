// Package replica measures how far replicas are behind: `nearcache bench replica`.
//
//	copy   how long it takes until a replica has all keys, while clients write
//	lag    from the moment when a write is sent to the source until the replica tells a client that watches
//	       the key (CLIENT TRACKING), while other clients write as much as half of what the source takes
//
// Source and replica are two servers that this program starts on the same machine, each of one program.
package replica
