package hark

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckText tells a person why s can't be a text of at most limit characters:
// it is longer, is not UTF-8, or has a control character.
func CheckText(field, s string, limit int) error {
	switch {
	case !utf8.ValidString(s):
		return BadInput(field, "the text is not UTF-8")
	case utf8.RuneCountInString(s) > limit:
		return BadInput(field, "the text has %d characters; at most %d are allowed", utf8.RuneCountInString(s), limit)
	case strings.ContainsFunc(s, unicode.IsControl):
		return BadInput(field, "the text has a control character")
	}
	return nil
}

// CheckName is CheckText for a text that may not be empty or blank.
func CheckName(field, s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return BadInput(field, "the text is empty; 1 to %d characters are allowed", limit)
	}
	return CheckText(field, s, limit)
}
