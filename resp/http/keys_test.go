package http

import "testing"

func TestParseKey(t *testing.T) {
	for word, ok := range map[string]bool{
		"ann:k": true, "ann:k:*": true, "ann:k:team=red,tier=1": true,
		"ann": false, ":k": false, "ann:": false, "ann:k:": false, "ann:k:team": false, "ann:k:team=": false,
		"ann:k:team=red,team=blue": false, // each request of hers would name both
	} {
		if _, err := ParseKey(word); (err == nil) != ok {
			t.Errorf("%q: %v", word, err)
		}
	}
}
