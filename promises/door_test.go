package promises

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestDoorsWantAToken knocks at every door without a token, and with wrong,
// expired and revoked ones.
func TestDoorsWantAToken(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	admin := n.Admin()
	type made struct{ CreateIdentity struct{ ID string } }
	id := testkit.MustCall[made](t, admin, `mutation { createIdentity(name: "knocker") { id } }`, nil).CreateIdentity.ID
	type tokens struct {
		Expired, Revoked struct{ AccessToken, TokenID string }
	}
	two := testkit.MustCall[tokens](t, admin, `mutation($id: UUID!) {
		expired: createAccessToken(identityId: $id, ttlSeconds: 1) { accessToken tokenId }
		revoked: createAccessToken(identityId: $id) { accessToken tokenId } }`, testkit.Vars{"id": id})
	_ = testkit.MustCall[any](t, admin, `mutation($id: UUID!) { revokeAccessToken(tokenId: $id) }`, testkit.Vars{"id": two.Revoked.TokenID})
	for _, token := range []string{two.Expired.AccessToken, two.Revoked.AccessToken} {
		c := testkit.Client{URL: n.URL(), Token: token}
		eventually(t, "the end of a token", func() bool {
			return c.Call(t.Context(), `{ viewer { __typename } }`, nil, nil) != nil
		})
	}

	const upgrade = "dGhlIHNhbXBsZSBub25jZQ=="
	for name, door := range map[string]struct {
		method, path, body string
		header             []string
	}{
		"query":          {"POST", "/graphql", `{"query":"{ viewer { __typename } }"}`, nil},
		"query by GET":   {"GET", "/graphql?query=%7Bviewer%7B__typename%7D%7D", "", nil},
		"mutation":       {"POST", "/graphql", `{"query":"mutation { createIdentity(name: \"x\") { id } }"}`, nil},
		"subscription":   {"POST", "/graphql", subscription, []string{"Accept", "text/event-stream"}},
		"project-events": {"POST", "/api/v1/events/subscribe/project-events", `{"projectId":"default","register":[{"event":"secret:update"}]}`, nil},
		"CloudEvents":    {"POST", "/api/v1/events", `{}`, []string{"Content-Type", "application/cloudevents+json"}},
		"renew":          {"POST", "/api/v1/auth/token/renew", `{"accessToken":"x"}`, nil},
		"revoke":         {"POST", "/api/v1/auth/token/revoke", `{"accessToken":"x"}`, nil},
		"WebSocket": {"GET", "/graphql", "", []string{
			"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
			"Sec-WebSocket-Key", upgrade, "Sec-WebSocket-Protocol", "graphql-transport-ws",
		}},
	} {
		for state, token := range map[string]string{
			"no": "", "wrong": "no-token-of-hark", "expired": two.Expired.AccessToken, "revoked": two.Revoked.AccessToken,
		} {
			if name == "WebSocket" && state == "no" {
				continue // it comes in connection_init
			}
			t.Run(name+", "+state+" token", func(t *testing.T) {
				before := rows(t, n)
				c := testkit.Client{URL: n.URL(), Token: token}
				resp, err := c.Request(t.Context(), door.method, door.path, []byte(door.body), door.header...)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				answer, err := io.ReadAll(io.LimitReader(resp.Body, 10<<10))
				if err != nil {
					t.Fatal(err)
				}
				challenge := resp.Header.Get("WWW-Authenticate")
				if resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer") || strings.Contains(challenge, "invalid_token") != (token != "") {
					t.Errorf("%s, WWW-Authenticate: %s\n%s", resp.Status, challenge, answer)
				}
				if state == "expired" || state == "revoked" {
					if !strings.Contains(challenge, state) {
						t.Errorf("WWW-Authenticate does not say that the token is %s: %s", state, challenge)
					}
				}
				if token != "" && strings.Contains(string(answer)+challenge, token) {
					t.Error("the token is echoed")
				}
				unchanged(t, n, before)
			})
		}
	}
}
