// Package pubsub carries messages from PUBLISH to subscribers.
//
// The broker's lock is a leaf beside the sessions' own; publishing holds it,
// so that all subscribers of a channel see its messages in one order. A slow
// subscriber never delays it: Push closes a client that lets too much wait.
package pubsub
