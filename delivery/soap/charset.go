package soap

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// toUTF8 converts an answer, whatever it says of itself: from UTF-16 if it has
// that byte order mark, from Latin-1 if it is not UTF-8. Markup is ASCII in
// every other charset that is met.
func toUTF8(s string) string {
	if strings.HasPrefix(s, "\xFE\xFF") || strings.HasPrefix(s, "\xFF\xFE") {
		high := 0
		if s[0] == 0xFF {
			high = 1
		}
		units := make([]uint16, 0, len(s)/2)
		for i := 2; i+1 < len(s); i += 2 {
			units = append(units, uint16(s[i+high])<<8|uint16(s[i+1-high]))
		}
		return string(utf16.Decode(units))
	}
	s = strings.TrimPrefix(s, "\uFEFF")
	if utf8.ValidString(uncut(s)) {
		return uncut(s)
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// uncut is s without the rune at its end that was cut short.
func uncut(s string) string {
	for i := len(s) - 1; i >= 0 && i >= len(s)-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			break
		}
	}
	return s
}
