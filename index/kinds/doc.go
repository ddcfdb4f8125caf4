// Package kinds is the one list of vector index types.
package kinds
