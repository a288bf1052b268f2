package delivery_test

import (
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

func TestCheckCredentials(t *testing.T) {
	t.Parallel()
	basic := func(user, password string) hark.Credentials {
		return hark.Credentials{Type: hark.Basic, Username: user, Password: hark.Secret(password)}
	}
	apiKey := func(name, key string) hark.Credentials {
		return hark.Credentials{Type: hark.APIKey, HeaderName: name, Key: hark.Secret(key)}
	}
	jwt := func(token string) hark.Credentials {
		return hark.Credentials{Type: hark.JWT, Token: hark.Secret(token)}
	}
	oauth2 := func(id, secret, url, scope string) hark.Credentials {
		return hark.Credentials{Type: hark.OAuth2, ClientID: id, ClientSecret: hark.Secret(secret), TokenURL: url, Scope: scope}
	}
	const tokenURL = "https://id.example.com/token"
	for name, tt := range map[string]struct {
		credentials hark.Credentials
		field       string
	}{
		"basic":                     {basic("aladdin", "öffne: dich"), ""},
		"colon in user name":        {basic("a:b", "x"), "auth.basic.username"},
		"no user name":              {basic("", "x"), "auth.basic.username"},
		"line break in user name":   {basic("a\r\nb", "x"), "auth.basic.username"},
		"empty password":            {basic("a", ""), "auth.basic.password"},
		"line break in password":    {basic("a", "x\ny"), "auth.basic.password"},
		"C1 control in password":    {basic("a", "x\u0085y"), "auth.basic.password"},
		"long password":             {basic("a", strings.Repeat("x", 4<<10+1)), "auth.basic.password"},
		"jwt":                       {jwt("a.b-c_d"), ""},
		"no token":                  {jwt(""), "auth.jwt.token"},
		"space in token":            {jwt("Bearer x"), "auth.jwt.token"},
		"NUL in token":              {jwt("a\x00"), "auth.jwt.token"},
		"long token":                {jwt(strings.Repeat("x", 8<<10+1)), "auth.jwt.token"},
		"api key":                   {apiKey("X-API-KEY", "k"), ""},
		"any token is a name":       {apiKey("x_api.key~1", "k"), ""},
		"no header name":            {apiKey("", "k"), "auth.apiKey.headerName"},
		"header name with space":    {apiKey("X KEY", "k"), "auth.apiKey.headerName"},
		"header name with break":    {apiKey("X\r\nHost", "k"), "auth.apiKey.headerName"},
		"header name with newline":  {apiKey("X-Key\n", "k"), "auth.apiKey.headerName"},
		"long header name":          {apiKey(strings.Repeat("x", 129), "k"), "auth.apiKey.headerName"},
		"hop by hop":                {apiKey("Connection", "k"), "auth.apiKey.headerName"},
		"proxy":                     {apiKey("Proxy-Authorization", "k"), "auth.apiKey.headerName"},
		"Host":                      {apiKey("hOST", "k"), "auth.apiKey.headerName"},
		"Content":                   {apiKey("Content-Length", "k"), "auth.apiKey.headerName"},
		"Authorization":             {apiKey("authorization", "k"), "auth.apiKey.headerName"},
		"webhook":                   {apiKey("Webhook-Id", "k"), "auth.apiKey.headerName"},
		"ce":                        {apiKey("CE-ID", "k"), "auth.apiKey.headerName"},
		"traceparent":               {apiKey("traceparent", "k"), "auth.apiKey.headerName"},
		"User-Agent":                {apiKey("user-agent", "k"), "auth.apiKey.headerName"},
		"empty key":                 {apiKey("X-API-KEY", ""), "auth.apiKey.key"},
		"key ends with a space":     {apiKey("X-API-KEY", "k "), "auth.apiKey.key"},
		"key that is not UTF-8":     {apiKey("X-API-KEY", "\xff"), "auth.apiKey.key"},
		"oauth2":                    {oauth2("id", "s", tokenURL, "a b"), ""},
		"no scope":                  {oauth2("id", "s", tokenURL, ""), ""},
		"no client id":              {oauth2("", "s", tokenURL, ""), "auth.oauth2.clientId"},
		"no client secret":          {oauth2("id", "", tokenURL, ""), "auth.oauth2.clientSecret"},
		"token URL without host":    {oauth2("id", "s", "https:///token", ""), "auth.oauth2.tokenUrl"},
		"token URL of a file":       {oauth2("id", "s", "file:///etc/passwd", ""), "auth.oauth2.tokenUrl"},
		"token URL with a user":     {oauth2("id", "s", "https://a:b@id.example.com", ""), "auth.oauth2.tokenUrl"},
		"token URL with a fragment": {oauth2("id", "s", tokenURL+"#x", ""), "auth.oauth2.tokenUrl"},
		"line break in scope":       {oauth2("id", "s", tokenURL, "a\nb"), "auth.oauth2.scope"},
		"no kind":                   {hark.Credentials{}, "auth"},
	} {
		field := ""
		if err := delivery.CheckCredentials(tt.credentials); err != nil {
			e, ok := err.(*hark.Error)
			if !ok || e.Code != hark.BadUserInput {
				t.Errorf("%s: %v is no BAD_USER_INPUT", name, err)
				continue
			}
			field = e.Field
		}
		if field != tt.field {
			t.Errorf("%s: refused field %q; want %q", name, field, tt.field)
		}
	}
}
