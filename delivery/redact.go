package delivery

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/hark-events/hark"
)

const (
	// redacted stands where a secret stood.
	redacted = "[redacted]"
	// minRedacted is the shortest secret that is looked for, in bytes: shorter
	// ones stand in every text.
	minRedacted = 4
)

// Redact takes the secrets out of text that a subscriber wrote: one that repeats
// the request's headers must not make them readable, and neither must one whose
// page or Fault does so escaped as HTML or XML. Drivers do it for what they made
// themselves, such as an OAuth2 token; the worker does it for all that the
// subscription holds.
func Redact(text string, secrets ...string) string {
	if strings.Contains(text, "&") { // something is escaped
		return redactEscaped(text, secrets)
	}
	for _, secret := range secrets {
		if len(secret) >= minRedacted {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}

// redact takes the secrets of s out of text.
func redact(s *hark.Subscription, text string) string {
	if text == "" {
		return ""
	}
	c := &s.Credentials
	switch c.Type {
	case hark.Basic:
		pair := c.Username + ":" + c.Password.Reveal()
		text = Redact(text, base64.StdEncoding.EncodeToString([]byte(pair)), c.Password.Reveal())
	case hark.JWT:
		text = Redact(text, c.Token.Reveal())
	case hark.APIKey:
		text = Redact(text, c.Key.Reveal())
	case hark.OAuth2:
		text = Redact(text, c.ClientSecret.Reveal())
	}
	for _, secret := range s.SigningSecrets {
		text = Redact(text, secret.Reveal())
	}
	if u, err := url.Parse(s.Endpoint); err == nil {
		text = Redact(text, u.RawQuery)
	}
	return text
}
