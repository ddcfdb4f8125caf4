package resp

import "github.com/nearcache/nearcache/store/decimal"

// ParseInt reads a decimal integer as strictly as Redis does: no sign but '-',
// no spaces, no leading zeros, no "-0", nothing behind the digits. It reports
// false for anything else and for what does not fit.
func ParseInt(b []byte) (int64, bool) { return decimal.ParseInt(b) }

// ParseUint reads a decimal integer as ParseInt does, without a sign.
func ParseUint(b []byte) (uint64, bool) { return decimal.ParseUint(b) }
