package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// An issuer is oidc-provider in a process.
type issuer struct {
	*terminal
	Issuer string
}

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "issuer.mjs") // ended by open
	i := &issuer{terminal: open(t, "issuer.mjs", cmd)}
	i.shows(`"issuer":`, 1)
	text, _ := i.read()
	for line := range strings.Lines(text) { // libraries have their say too
		if strings.HasPrefix(line, `{"issuer":`) {
			if err := json.Unmarshal([]byte(line), i); err != nil {
				t.Fatal(err, text)
			}
		}
	}
	return i
}

// token logs a client in, for a resource such as urn:hark.
func (i *issuer) token(client, resource string) string {
	i.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	r, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, i.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		i.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(client))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || strings.Count(a.AccessToken, ".") != 2 {
		i.t.Fatalf("no JWT: %v %s %s", err, resp.Status, a.AccessToken)
	}
	return a.AccessToken
}

// TestOIDC lets clients of an identity provider in, with the roles that it says.
func TestOIDC(t *testing.T) {
	t.Parallel()
	artifacts(t)
	i := startIssuer(t)
	node := testkit.Hark(t, "--oidc-issuer="+i.Issuer, "--oidc-audience=hark")
	as := func(token string) testkit.Client { return testkit.Client{URL: node.URL(), Token: token} }
	type viewer struct {
		Viewer struct {
			Identity    struct{ ID, Name string }
			Permissions []string
		}
	}
	who := func(token string) viewer {
		t.Helper()
		return testkit.MustCall[viewer](t, as(token), `{ viewer { identity { id name } permissions } }`, nil)
	}
	first := i.token("publisher", "urn:hark")
	publisher := who(first).Viewer
	if publisher.Identity.Name != "publisher" || !slices.Equal(publisher.Permissions, []string{"PUBLISH_EVENTS", "READ_EVENT_DEFINITIONS"}) {
		t.Errorf("%+v", publisher)
	}
	if both := who(i.token("viewer,publisher", "urn:hark")).Viewer; len(both.Permissions) != 4 || both.Identity.ID == publisher.Identity.ID {
		t.Errorf("%+v", both)
	}
	if admin := who(i.token("admin", "urn:hark")).Viewer; len(admin.Permissions) != 11 {
		t.Errorf("%+v", admin)
	}
	const publishEvent = `mutation { publishEvents(input: [{sourceService: "secret-manager", resourceType: "secret", operationType: "update", payload: 1}]) { duplicates } }`
	if err := as(first).Call(t.Context(), publishEvent, nil, nil); err != nil {
		t.Error(err)
	}
	if err := as(first).Call(t.Context(), `{ events(filter: {}) { nodes { id } } }`, nil, nil); err == nil || !strings.Contains(err.Error(), "FORBIDDEN") {
		t.Error(err)
	}

	refused := func(what, token, says string) {
		t.Helper()
		resp, answer, err := as(token).Post(t.Context(), "/graphql", `{"query":"{ viewer { __typename } }"}`)
		if err != nil {
			t.Fatal(err)
		}
		if challenge := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(challenge, says) {
			t.Errorf("%s: %s %q %s", what, resp.Status, challenge, answer)
		}
	}
	refused("another audience", i.token("publisher", "urn:other"), "another audience")
	parts := strings.Split(first, ".")
	refused("no signature", parts[0]+"."+parts[1]+".", "not signed")
	refused("alg none", "eyJhbGciOiJub25lIn0."+parts[1]+".", "not signed")

	// A token ends by itself, and with it what it opened.
	brief := i.token("brief", "urn:hark")
	stream, err := as(brief).Open(t.Context(), "/graphql", `{"query":"subscription { deliveryChanges { id } }"}`, "Accept", "text/event-stream")
	if err != nil {
		t.Fatal(err)
	}
	stream.Body.Close()
	until(t, "the token does not expire", func(ctx context.Context) bool {
		resp, _, err := as(brief).Post(ctx, "/graphql", `{"query":"{ viewer { __typename } }"}`)
		return err == nil && resp.StatusCode == http.StatusUnauthorized && strings.Contains(resp.Header.Get("WWW-Authenticate"), "expired")
	})

	// The provider takes new keys, of another kind: its tokens pass within seconds.
	resp, _, err := testkit.Client{URL: i.Issuer}.Post(t.Context(), "/rotate", "")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	rotated := i.token("publisher", "urn:hark")
	until(t, "tokens of the new keys do not pass", func(ctx context.Context) bool {
		return as(rotated).Call(ctx, `{ viewer { __typename } }`, nil, nil) == nil
	})
	if again := who(rotated).Viewer; again.Identity.ID != publisher.Identity.ID {
		t.Errorf("%+v, before it was %+v", again, publisher)
	}
}

// TestOIDCClaims reads the identity and its roles where the settings say: in objects, as Keycloak has them.
func TestOIDCClaims(t *testing.T) {
	t.Parallel()
	artifacts(t)
	i := startIssuer(t)
	node := testkit.Hark(t, "--oidc-issuer="+i.Issuer, "--oidc-audience=hark", "--oidc-identity-claim=workload.name", "--oidc-roles-claim=realm_access.roles")
	type viewer struct {
		Viewer struct {
			Identity    struct{ Name string }
			Permissions []string
		}
	}
	admin := testkit.Client{URL: node.URL(), Token: i.token("admin", "urn:hark")} // a role of another claim, which counts no more
	got := testkit.MustCall[viewer](t, admin, `{ viewer { identity { name } permissions } }`, nil).Viewer
	if want := []string{"READ_EVENTS", "READ_EVENT_DEFINITIONS", "READ_SUBSCRIPTIONS"}; got.Identity.Name != "client-admin" || !slices.Equal(got.Permissions, want) {
		t.Errorf("%+v", got)
	}
}
