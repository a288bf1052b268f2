package server_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/server"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) {
		c.Checks = []server.Check{
			{Name: "database", Run: func(context.Context) error { return nil }},
			{Name: "redis", Run: func(context.Context) error { return errors.New("dial tcp: secret words") }},
		}
		c.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret words") })
	})
	const login, renew, revoke = "/api/v1/auth/universal-auth/login", "/api/v1/auth/token/renew", "/api/v1/auth/token/revoke"
	for name, tt := range map[string]struct {
		method, path, body, token string
		status                    int
		want                      string
	}{
		"unknown":                {"GET", "/nothing", "", alice, 404, `"error":"NotFound"`},
		"live":                   {"GET", "/healthz", "", "", 200, `"ok"`},
		"not ready":              {"GET", "/readyz", "", "", 503, `"checks":{"database":"ok","redis":"failing"}`},
		"a panic":                {"GET", "/metrics", "", "", 500, `"message":"internal error"`},
		"wrong method":           {"GET", login, "", "", 405, `"error":"MethodNotAllowed"`},
		"login":                  {"POST", login, `{"clientId":"a","clientSecret":"right"}`, "", 200, `{"accessToken":"alice-token","expiresIn":7200,"accessTokenMaxTTL":7200,"tokenType":"Bearer"}`},
		"login with wrong words": {"POST", login, `{"clientId":"a","clientSecret":"wrong"}`, "", 401, `"error":"UnauthorizedError"`},
		"login too often":        {"POST", login, `{"clientId":"a","clientSecret":"often"}`, "", 429, `"error":"RateLimitExceeded"`},
		"login without words":    {"POST", login, `{}`, "", 422, `"path":"clientSecret"`},
		"renew":                  {"POST", renew, `{"accessToken":"` + alice + `"}`, alice, 200, `"accessToken":"bob-token"`},
		"renew another's":        {"POST", renew, `{"accessToken":"` + bob + `"}`, alice, 422, `"path":"accessToken"`},
		"renew without token":    {"POST", renew, `{}`, "", 401, `"error":"UnauthorizedError"`},
		"renew with a bad one":   {"POST", renew, `{}`, "x", 401, `"error":"TokenError"`},
		"revoke":                 {"POST", revoke, `{"accessToken":"` + bob + `"}`, bob, 200, `revoked`},
		"project events, no one": {"POST", projectEvents, `{}`, "", 401, `"error":"UnauthorizedError"`},
	} {
		t.Run(name, func(t *testing.T) {
			header := []string{"Authorization", ""}
			if tt.token != "" {
				header[1] = "Bearer " + tt.token
			}
			status, h, body := f.do(t, tt.method, tt.path, tt.body, header...)
			if status != tt.status || !strings.Contains(body, tt.want) || strings.Contains(body, "secret words") {
				t.Errorf("%d %s", status, body)
			}
			if (h.Get("Retry-After") == "7") != (status == 429) || (h.Get("WWW-Authenticate") != "") != (status == 401) {
				t.Error(h)
			}
		})
	}
	if log := f.lines.String(); strings.Contains(log, alice) || strings.Contains(log, `right`) || !strings.Contains(log, "secret words") {
		t.Error(log)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *server.Config) { c.Origins = []string{"https://app.example.com"} })
	for origin, want := range map[string]string{f.URL: f.URL, "https://app.example.com": "https://app.example.com", "https://evil.example.com": ""} {
		_, h, _ := f.do(t, http.MethodOptions, "/graphql", "", "Origin", origin, "Access-Control-Request-Method", "POST")
		if got := h.Get("Access-Control-Allow-Origin"); got != want || h.Get("Vary") == "" {
			t.Errorf("%s: %v", origin, h)
		}
	}
}

func TestServeDrains(t *testing.T) {
	t.Parallel()
	f := start(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.server.Serve(ctx, ln) }()
	f.URL = "http://" + ln.Addr().String()
	s := f.sse(t, "/graphql", subscribe)
	ws := f.dial(t, "graphql-transport-ws")
	ws.init()
	stop()
	s.begun()
	s.want("")
	ws.closed(1012)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still serving")
	}
}
