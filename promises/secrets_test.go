package promises

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestSecretsStaySecret plants a credential of each kind, has a subscriber
// repeat all that it was sent, and looks for what was planted in everything
// that hark wrote.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	admin := n.Admin()
	echo := newBoard()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer echo.change(func() { calls++ })
		if r.URL.Path == "/token" {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"access_token":"planted-fetched-token-1","token_type":"Bearer","expires_in":3600}`)
			return
		}
		if r.URL.Path == "/refusing-token" {
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusBadRequest)
			w.Write(body)
			_ = r.Header.Write(w)
			return
		}
		var all strings.Builder
		_ = r.Header.Write(&all)
		_, _ = io.Copy(&all, r.Body)
		w.WriteHeader(http.StatusInternalServerError)
		if r.Header.Get("SOAPAction") != "" { // for the words of the failure too
			io.WriteString(w, `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultstring>`)
			_ = xml.EscapeText(w, []byte(all.String()))
			io.WriteString(w, `</faultstring></e:Fault></e:Body></e:Envelope>`)
			return
		}
		io.WriteString(w, all.String())
	}))
	t.Cleanup(server.Close)

	const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwbGFudGVkIn0.cGxhbnRlZA"
	planted := []string{
		testkit.AdminToken, "planted-pass", "planted-client-secret", jwt, "planted-key", "planted-fetched-token-1",
		base64.StdEncoding.EncodeToString([]byte("planted-user:planted-pass<&>word")),
		base64.StdEncoding.EncodeToString([]byte("planted-client:planted-client-secret")),
	}
	auth := map[string]testkit.Vars{
		"basic":  {"basic": testkit.Vars{"username": "planted-user", "password": "planted-pass<&>word"}},
		"oauth2": {"oauth2": testkit.Vars{"clientId": "planted-client", "clientSecret": "planted-client-secret", "tokenUrl": server.URL + "/token"}},
		"oauth2 refused": {"oauth2": testkit.Vars{
			"clientId": "planted-client", "clientSecret": "planted-client-secret",
			"tokenUrl": server.URL + "/refusing-token",
		}},
		"jwt":    {"jwt": testkit.Vars{"token": jwt}},
		"apiKey": {"apiKey": testkit.Vars{"key": "planted-key"}},
	}
	subscribe := func(name, protocol string) {
		in := input(t, admin, server.URL+"/callback")
		in["subscriberService"], in["auth"], in["callbackProtocol"] = name+" by "+protocol, auth[name], protocol
		id, secret := create(t, admin, in)
		type rotated struct {
			RotateSigningSecret struct{ SigningSecret string }
		}
		second := testkit.MustCall[rotated](t, admin, `mutation($id: UUID!) { rotateSigningSecret(id: $id) { signingSecret } }`, testkit.Vars{"id": id})
		for _, s := range []string{secret, second.RotateSigningSecret.SigningSecret} {
			if !strings.HasPrefix(s, "whsec_") {
				t.Errorf("the signing secret is %q", s)
			}
			planted = append(planted, strings.TrimPrefix(s, "whsec_"))
		}
	}
	for name := range auth {
		subscribe(name, "HTTP")
		subscribe(name, "SOAP")
	}
	planted = append(planted, plantIdentity(t, admin)...)

	mustPublish(t, admin, 3)
	echo.wait(t, "callbacks", func() bool { return calls >= 2*3*len(auth) })
	eventually(t, "an attempt of each subscription on record", func() bool {
		with := 0
		readDeliveries(t, admin, func(_, _ string, attempts []int) {
			if len(attempts) > 0 {
				with++
			}
		})
		return with == 2*3*len(auth)
	})

	places := map[string]string{"the answers": everything(t, admin)}
	resp, err := admin.Request(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	places["the metrics"] = string(metrics)
	n.Kill() // so that the write-ahead log is still there
	files, err := os.ReadDir(n.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(n.Dir(), f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		places[f.Name()] = string(b)
	}
	if len(places["hark.db"])+len(places["hark.db-wal"]) == 0 || len(places["node-1.log"]) == 0 {
		t.Fatalf("there is no database or no log among %d files", len(files))
	}
	for name, text := range places {
		for _, secret := range planted {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s has the secret %s: …%q…", name, secret, text[max(0, i-100):min(len(text), i+len(secret)+50)])
			}
		}
	}
	if !strings.Contains(places["the answers"], "[redacted]") {
		t.Error("no answer of the subscriber was recorded")
	}
}

// plantIdentity makes an identity, uses it, and gives its secrets.
func plantIdentity(t *testing.T, admin testkit.Client) []string {
	t.Helper()
	type made struct{ CreateIdentity struct{ ID string } }
	id := testkit.MustCall[made](t, admin, `mutation { createIdentity(name: "planted") { id } }`, nil).CreateIdentity.ID
	type secrets struct {
		CreateAccessToken  struct{ AccessToken string }
		CreateClientSecret struct{ ClientID, ClientSecret string }
	}
	s := testkit.MustCall[secrets](t, admin, `mutation($id: UUID!) { createAccessToken(identityId: $id) { accessToken } createClientSecret(identityId: $id) { clientId clientSecret } }`,
		testkit.Vars{"id": id})
	token, err := login(t.Context(), admin.URL, s.CreateClientSecret.ClientID, s.CreateClientSecret.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	_ = testkit.MustCall[any](t, testkit.Client{URL: admin.URL, Token: token}, `{ viewer { identity { name } } }`, nil)
	return []string{s.CreateAccessToken.AccessToken, s.CreateClientSecret.ClientSecret, token}
}

// everything asks for all that could hold a credential.
func everything(t *testing.T, admin testkit.Client) string {
	t.Helper()
	return string(testkit.MustCall[json.RawMessage](t, admin, `{
		eventSubscriptions { nodes { id deliveryEndpoint auth { __typename ... on BasicAuth { username } ... on OAuth2Auth { clientId tokenUrl scope } ... on APIKeyAuth { headerName } } } }
		deliveries(first: 200) { nodes { lastError discardReason attempts { responseBody error statusCode } } }
		auditLog(first: 200) { nodes { action target detail } }
		identities { nodes { name roles { role { name } } } } }`, nil))
}
