// Package codec has the libraries of Redis' Lua that turn values into bytes and
// back: cjson, cmsgpack and struct. What they write is Redis' byte for byte; what
// they read may be anything.
//
// Their functions check how much they are about to make before they make it, and
// count what they do, so that the limits of a script hold inside of them too.
package codec
