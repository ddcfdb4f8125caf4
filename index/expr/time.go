package expr

import "math"

const daySeconds = 24 * 60 * 60

// moment is a time in UTC, in the parts that C's struct tm has.
type moment struct {
	year                 int64
	month, day           int64 // from 1
	hour, minute, second int64
	days                 int64 // since 1970
}

// maxYear is where a struct tm ends.
const maxYear = math.MaxInt32

// momentOf takes a Unix time apart; false where its year is none.
func momentOf(x float64) (moment, bool) {
	if !(math.Abs(x) < maxYear*366*daySeconds) { // NaN too
		return moment{}, false
	}
	sec := int64(x)
	var t moment
	t.days = floorDiv(sec, daySeconds)
	rest := sec - t.days*daySeconds
	t.hour, t.minute, t.second = rest/3600, rest/60%60, rest%60
	t.year, t.month, t.day = civil(t.days)
	return t, t.year <= maxYear && t.year >= -maxYear
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil is the date of a day, counted from 1970, in the proleptic Gregorian
// calendar: eras of 400 years, whose years begin in March.
func civil(days int64) (year, month, day int64) {
	z := days + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	if month > 12 {
		month -= 12
	}
	year = yoe + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

// daysOf is the inverse of civil. The day may lie outside of the month.
func daysOf(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	mp := (month + 9) % 12
	doy := (153*mp+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

func (t *moment) unix() int64 { return t.days*daySeconds + t.hour*3600 + t.minute*60 + t.second }

// weekday counts from Sunday, 0.
func (t *moment) weekday() int64 { return ((t.days+4)%7 + 7) % 7 }

// yearDay counts from 0.
func (t *moment) yearDay() int64 { return t.days - daysOf(t.year, 1, 1) }

// isoWeek is the week of ISO 8601 and the year it belongs to.
func (t *moment) isoWeek() (year, week int64) {
	thursday := t.days - (t.weekday()+6)%7 + 3
	year, _, _ = civil(thursday)
	return year, (thursday-daysOf(year, 1, 1))/7 + 1
}

// ofTime makes a function of Unix times; of what is none it makes NULL.
func ofTime(f func(*moment) float64) func(*Context, []Value, *Value) status {
	return func(_ *Context, args []Value, out *Value) status {
		*out = Nil()
		if x, ok := args[0].Float(); ok && x >= 0 {
			if t, ok := momentOf(x); ok {
				*out = Num(f(&t))
			}
		}
		return done
	}
}

// timeFormat is timefmt(time, format).
func timeFormat(c *Context, args []Value, out *Value) status {
	format := "%FT%TZ"
	if len(args) == 2 {
		if args[1].kind != Text {
			return c.fail("Invalid type (%d) for argument 1 in function 'time'. VALIDATE_ARG__TYPE(v, RSValueType_String) was false.", args[1].kind)
		}
		format = args[1].text
	}
	*out = Nil()
	x, ok := args[0].Float()
	if !ok {
		return done
	}
	t, ok := momentOf(x)
	if !ok {
		return done
	}
	if b, ok := t.format(make([]byte, 0, 32), format, 0); ok && len(b) > 0 {
		*out = Str(string(b))
	}
	return done
}

// parseTime is parsetime(text, format).
func parseTime(c *Context, args []Value, out *Value) status {
	if !c.text("parsetime", args, 0) || !c.text("parsetime", args, 1) {
		return failed
	}
	*out = Nil()
	if x, ok := scanTime(args[0].text, args[1].text); ok {
		*out = Num(float64(x))
	}
	return done
}
