// Package keyspace measures what keys cost: their memory, their expiry and what
// they mean for the garbage collector. It is the commands
//
//	nearcache bench memory -nearcache -redis PATH-OF-redis-server            # keys, hashes, texts
//	nearcache bench memory -parts churn -maxmemory 256mb -churn 3m -nearcache
//	nearcache bench memory -parts gc
//	nearcache bench expiry -nearcache -redis PATH-OF-redis-server
//	nearcache bench slow -nearcache -redis PATH-OF-redis-server
//
// The parts of memory:
//
//   - keys: strings of 64 bytes under keys of 16, a time to live on every second one.
//   - hash: hashes of five small fields.
//   - text: texts as applications cache them, with compression off and on, and
//     what reading them costs then.
//   - gc: a keyspace in this process, and a full collection beside it.
//   - churn: values of sizes that change at maxmemory, and what the process holds.
//
// Bytes a key are what the server says it uses more than before, and beside it
// what its process has grown by, divided by the keys. MEMORY USAGE of keys drawn
// at random is held against both.
//
// expiry has many keys fall due within one second, and others read meanwhile; slow
// has many clients ask for much and read nothing, until the server has cut them.
package keyspace
