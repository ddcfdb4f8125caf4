// Package args reads the arguments of a command.
//
// A [Parser] walks over them and keeps the first error, so that a command reads
// everything it takes and asks once at the end:
//
//	key, n := p.String(), p.Int()
//	for p.More() {
//		switch {
//		case p.Accept("NX"):
//			o.nx = true
//		case p.Accept("EX"):
//			o.ttl = p.Int()
//		default:
//			p.Fail(resp.ErrSyntax)
//		}
//	}
//	p.Done()
//	return p.Err()
//
// After an error More is false and every read returns the zero value, so a loop
// as above ends by itself. Numbers are as strict as those of Redis. Nothing is
// allocated but what String returns.
package args
