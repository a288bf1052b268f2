package promises

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestBadBodies sends requests that are no operation at all. Nothing of them is
// echoed, nothing is stored, and the answer says which code.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	const projectEvents = "/api/v1/events/subscribe/project-events"
	publish := func(payload string) string {
		return `{"query":"mutation($p: JSON!) { publishEvents(input: [{sourceService: \"secret-manager\", resourceType: \"secret\", operationType: \"update\", payload: $p}]) { duplicates } }","variables":{"p":` + payload + `}}`
	}
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	register := func(event, conditions string) string {
		return `{"projectId":"default","register":[{"event":"` + event + `","conditions":` + conditions + `}]}`
	}
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"no JSON":                         {"POST", "/graphql", "planted words", 400, "BAD_USER_INPUT"},
		"empty":                           {"POST", "/graphql", "", 400, "BAD_USER_INPUT"},
		"half of it":                      {"POST", "/graphql", `{"query":"{ planted`, 400, "BAD_USER_INPUT"},
		"no query":                        {"POST", "/graphql", `{"planted":1}`, 400, "BAD_USER_INPUT"},
		"invalid UTF-8":                   {"POST", "/graphql", publish("\"planted\xff\""), 400, "BAD_USER_INPUT"},
		"million-deep payload":            {"POST", "/graphql", publish(strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000)), 400, "BAD_USER_INPUT"},
		"20,000-deep payload":             {"POST", "/graphql", publish(strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)), 400, "BAD_USER_INPUT"},
		"payload of 1 MB":                 {"POST", "/graphql", publish(`"` + strings.Repeat("x", 1<<20) + `"`), 413, "BAD_USER_INPUT"},
		"query of 1 MB":                   {"POST", "/graphql", `{"query":"` + strings.Repeat(" ", 1<<20) + `{ viewer { __typename } }"}`, 413, "BAD_USER_INPUT"},
		"mutation by GET":                 {"GET", get(`mutation { createIdentity(name: "planted") { id } }`), "", 405, "BAD_USER_INPUT"},
		"DELETE":                          {"DELETE", "/graphql", "", 405, "BAD_USER_INPUT"},
		"GET without a query":             {"GET", "/graphql", "", 400, "BAD_USER_INPUT"},
		"subscription without a stream":   {"POST", "/graphql", `{"query":"subscription { projectEvents(filter: {}) { id } }"}`, 406, "BAD_USER_INPUT"},
		"project-events, no JSON":         {"POST", projectEvents, "planted words", 422, "ValidationFailure"},
		"project-events, nothing":         {"POST", projectEvents, `{}`, 422, `"path":"register"`},
		"project-events, no entries":      {"POST", projectEvents, `{"projectId":"default","register":[]}`, 422, `"path":"register"`},
		"project-events, 11 entries":      {"POST", projectEvents, `{"projectId":"default","register":[` + strings.Repeat(`{"event":"secret:update"},`, 10) + `{"event":"secret:update"}]}`, 422, `"path":"register"`},
		"project-events, unknown event":   {"POST", projectEvents, register("secret:planted", "null"), 422, `"path":"register.0.event"`},
		"project-events, no environment":  {"POST", projectEvents, register("secret:update", "{}"), 422, `"path":"register.0.conditions.environmentSlug"`},
		"project-events, bad path":        {"POST", projectEvents, register("secret:update", `{"environmentSlug":"dev","secretPath":"app"}`), 422, `"path":"register.0.conditions.secretPath"`},
		"project-events, bad glob":        {"POST", projectEvents, register("secret:update", `{"environmentSlug":"dev","secretPath":"/["}`), 422, `"path":"register.0.conditions.secretPath"`},
		"project-events, unknown project": {"POST", projectEvents, `{"projectId":"planted","register":[{"event":"secret:update"}]}`, 404, `"error":"NotFound"`},
		"project-events, no project":      {"POST", projectEvents, `{"projectId":"` + nowhere + `","register":[{"event":"secret:update"}]}`, 404, `"error":"NotFound"`},
		"project-events, large":           {"POST", projectEvents, `{"x":"` + strings.Repeat("x", 64<<10) + `"}`, 413, `"statusCode":413`},
		"project-events by GET":           {"GET", projectEvents, "", 405, `"error":"MethodNotAllowed"`},
		"login, no JSON":                  {"POST", "/api/v1/auth/universal-auth/login", "planted words", 422, "ValidationFailure"},
		"login, wrong":                    {"POST", "/api/v1/auth/universal-auth/login", `{"clientId":"` + nowhere + `","clientSecret":"planted"}`, 401, "UnauthorizedError"},
		"renew, another token":            {"POST", "/api/v1/auth/token/renew", `{"accessToken":"planted"}`, 422, "ValidationFailure"},
		"nowhere":                         {"GET", "/planted", "", 404, `"error":"NotFound"`},
	} {
		t.Run(name, func(t *testing.T) {
			before := rows(t, n)
			resp, err := n.Admin().Request(t.Context(), tt.method, tt.path, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(io.LimitReader(resp.Body, 10<<10))
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || !strings.Contains(string(answer), tt.says) {
				t.Errorf("got %d %s\nwant %d %s", resp.StatusCode, answer, tt.status, tt.says)
			}
			if internal(string(answer)) || strings.Contains(string(answer), "planted words") || len(answer) > 2000 {
				t.Errorf("no answer for people: %s", answer)
			}
			if resp.StatusCode == http.StatusMethodNotAllowed && resp.Header.Get("Allow") == "" {
				t.Error("the answer does not say which methods are allowed")
			}
			unchanged(t, n, before)
		})
	}
	if log := n.Log(); strings.Contains(log, "planted words") {
		t.Error("the log shows a body")
	}
}
