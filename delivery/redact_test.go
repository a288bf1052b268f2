package delivery

import (
	"encoding/xml"
	"html"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRedact shows that a secret is found as it is and however HTML and XML
// escape it, even twice.
func FuzzRedact(f *testing.F) {
	f.Add("p&<>\"'s s\\wörd")
	f.Add("&amp;lt;")
	f.Add("YWxhZGRpbjo=")
	f.Add("\xff\xfe\x00\x01")
	f.Fuzz(func(t *testing.T, secret string) {
		if len(secret) < minRedacted {
			return
		}
		if got := Redact("> "+secret+" <", secret); strings.Contains(got, secret) && !strings.Contains("> "+redacted+" <", secret) {
			t.Errorf("%q became %q", secret, got)
		}
		if !utf8.ValidString(secret) || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > 0xFFFD }) {
			return // no credential, or not the same in XML
		}
		for _, escape := range []func(string) string{html.EscapeString, escapeXML} {
			text := secret
			for range 3 {
				if got := Redact(text, secret); got != redacted {
					t.Errorf("%q in %q became %q", secret, text, got)
				}
				text = escape(text)
			}
		}
	})
}

func escapeXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // never fails
	return b.String()
}
