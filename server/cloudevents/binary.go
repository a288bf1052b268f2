package cloudevents

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// binary reads an event whose attributes are headers and whose data is the body.
func (is *issues) binary(h http.Header, body []byte) *event {
	values := make(map[string]string)
	for header, list := range h {
		name, ok := strings.CutPrefix(header, "Ce-")
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		if len(list) > 1 {
			is.add(name, "the header ce-%s is there %d times: send it once", name, len(list))
		}
		if values[name] = headerValue(list[0]); !utf8.ValidString(values[name]) {
			is.add(name, "the text is not UTF-8")
			values[name] = ""
		}
	}
	e := is.event("", func(name string) string { return values[name] })
	is.checkContentType("", h.Get("Content-Type"))
	e.Payload = is.checkData("", body)
	return e
}

// headerValue decodes a header as the HTTP binding 1.0.2 says (section
// 3.1.3.2): quotes around it are no part of it, and then %XX is a byte. A
// percent sign that begins no byte stands for itself.
func headerValue(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = unquote(s[1 : len(s)-1])
	}
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if high, low := digit(s[i+1]), digit(s[i+2]); high >= 0 && low >= 0 {
				b = append(b, byte(high<<4|low))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// unquote takes the backslashes out of a quoted string of HTTP.
func unquote(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// digit is the value of a hexadecimal digit, -1 for anything else.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
