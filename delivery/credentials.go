package delivery

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hark-events/hark"
)

// Limits of credentials, in bytes.
const (
	maxSecret     = 4 << 10 // password, client secret, API key
	maxToken      = 8 << 10
	maxName       = 1 << 10 // user name, client id, scope
	maxHeaderName = 128
)

var (
	headerToken = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110, section 5.6.2
	// reservedHeader is what a callback sets itself, or what the connection means to.
	reservedHeader = regexp.MustCompile(`(?i)^(authorization|host|user-agent|date|traceparent|tracestate|soapaction|expect|` +
		`connection|keep-alive|te|trailer|transfer-encoding|upgrade|accept-encoding|idempotency-key|x-idempotency-key|` +
		`(content|proxy|webhook|ce|grpc|sec)-.*)$`)
)

// CheckCredentials refuses credentials that could never be sent, with a
// BAD_USER_INPUT whose field is relative to the input, such as
// "auth.apiKey.headerName".
func CheckCredentials(c hark.Credentials) error {
	switch c.Type {
	case hark.Basic:
		if strings.Contains(c.Username, ":") {
			return hark.BadInput("auth.basic.username", "a user name cannot contain a colon: HTTP Basic ends it there")
		}
		return first(
			checkText("auth.basic.username", "the user name", c.Username, maxName),
			checkText("auth.basic.password", "the password", c.Password.Reveal(), maxSecret))
	case hark.JWT:
		return first(
			checkText("auth.jwt.token", "the token", c.Token.Reveal(), maxToken),
			checkVisible("auth.jwt.token", "the token", c.Token.Reveal()))
	case hark.APIKey:
		return first(
			checkHeaderName(c.HeaderName),
			checkText("auth.apiKey.key", "the key", c.Key.Reveal(), maxSecret),
			checkEnds("auth.apiKey.key", "the key", c.Key.Reveal()))
	case hark.OAuth2:
		return first(
			checkText("auth.oauth2.clientId", "the client id", c.ClientID, maxName),
			checkText("auth.oauth2.clientSecret", "the client secret", c.ClientSecret.Reveal(), maxSecret),
			checkTokenURL(c.TokenURL),
			checkScope(c.Scope))
	}
	return hark.BadInput("auth", "give exactly one of basic, oauth2, jwt and apiKey")
}

// first returns the first error that there is.
func first(errs ...*hark.Error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkText(field, what, s string, limit int) *hark.Error {
	switch {
	case s == "":
		return hark.BadInput(field, "%s is empty", what)
	case len(s) > limit:
		return hark.BadInput(field, "%s is longer than %d bytes", what, limit)
	case !utf8.ValidString(s):
		return hark.BadInput(field, "%s is not UTF-8", what)
	case strings.ContainsFunc(s, isControl):
		return hark.BadInput(field, "%s contains a line break or control character", what)
	}
	return nil
}

func isControl(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

func checkVisible(field, what, s string) *hark.Error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return hark.BadInput(field, "%s contains a character that a header cannot carry: use visible ASCII without spaces", what)
	}
	return nil
}

func checkEnds(field, what, s string) *hark.Error {
	if strings.TrimSpace(s) != s {
		return hark.BadInput(field, "%s begins or ends with a space, which a header does not keep", what)
	}
	return nil
}

func checkHeaderName(name string) *hark.Error {
	const field = "auth.apiKey.headerName"
	switch {
	case len(name) > maxHeaderName:
		return hark.BadInput(field, "the header name is longer than %d bytes", maxHeaderName)
	case !headerToken.MatchString(name):
		return hark.BadInput(field, "a header name consists of letters, digits and - (RFC 9110 token), such as X-API-KEY")
	case strings.EqualFold(name, "authorization"):
		return hark.BadInput(field, "Authorization belongs to basic, jwt and oauth2: use one of them, or another header")
	case reservedHeader.MatchString(name):
		return hark.BadInput(field, "the header %s has a meaning of its own in a callback: use another one, such as X-API-KEY", name)
	}
	return nil
}

func checkTokenURL(s string) *hark.Error {
	const field = "auth.oauth2.tokenUrl"
	u, err := url.Parse(s)
	switch {
	case len(s) > hark.MaxEndpoint:
		return hark.BadInput(field, "the token URL is longer than %d characters", hark.MaxEndpoint)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return hark.BadInput(field, "the token URL is an http or https URL with a host")
	case u.User != nil:
		return hark.BadInput(field, "the token URL holds a user name: the client id and secret belong into their own fields")
	case u.Fragment != "":
		return hark.BadInput(field, "the token URL has a fragment, which is never sent: leave out the part from # on")
	}
	return nil
}

func checkScope(scope string) *hark.Error {
	if scope == "" {
		return nil
	}
	return checkText("auth.oauth2.scope", "the scope", scope, maxName)
}
