package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark/internal/testkit"
)

// listed is what hark keys list prints: use and values by key.
func listed(t *testing.T, env []string) map[string]string {
	t.Helper()
	r := hark(t, env, "", "keys", "list")
	r.wants(t, 0, "")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	found := map[string]string{}
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		found[f[0]] = f[1] + " " + f[2]
	}
	return found
}

const createHook = `mutation($url: String!) { createEventSubscription(input: {eventDefinitionIds: ["01980000-0000-7000-8000-000000000011"],
	subscriberService: "billing", deliveryEndpoint: $url, auth: {apiKey: {key: "key-of-the-test"}}, retryPolicy: {scheduleSeconds: [1, 1, 1, 1, 1, 1, 1, 1]}}) { eventSubscription { id } } }`

const publishOne = `mutation { publishEvents(input: [{sourceService: "secret-manager", resourceType: "secret", operationType: "update", payload: []}]) { duplicates } }`

// TestKeysOfAServer rotates the key of a server that runs, loses it, and brings it back.
func TestKeysOfAServer(t *testing.T) {
	t.Parallel()
	got := make(chan string, 16)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("X-API-KEY") }))
	t.Cleanup(sink.Close)
	arrives := func(when string) {
		t.Helper()
		select {
		case key := <-got:
			if key != "key-of-the-test" {
				t.Errorf("%s: it came with the key %q", when, key)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: no callback", when)
		}
	}
	n := testkit.Hark(t, "--encryption-keyset=") // none: a key file
	env := n.Env()[:1]
	file := filepath.Join(n.Dir(), "hark.keys")
	id := testkit.MustCall[struct {
		CreateEventSubscription struct{ EventSubscription struct{ ID string } }
	}](t, n.Admin(), createHook, testkit.Vars{"url": sink.URL}).CreateEventSubscription.EventSubscription.ID
	before := listed(t, env)
	var old string
	for old = range before {
	}
	if len(before) != 1 || before[old] != "seals 3" {
		t.Fatalf("%v; want one key with the credentials, the signing secret and the signing key", before)
	}

	hark(t, env, "", "keys", "rotate").wants(t, 0, "3 values are sealed anew")
	after := listed(t, env)
	if len(after) != 2 || after[old] != "opens 0" {
		t.Errorf("after rotate: %v", after)
	}
	testkit.MustCall[any](t, n.Admin(), publishOne, nil)
	arrives("after rotate")
	key := rest(after, old)
	wantsKeyAudit(t, n, "rotateKeys", key, "hark keys rotate", `{"before":{"keys":["`+old+`"]},"after":{"keys":["`+key+`","`+old+`"]}}`)
	wantsKeyAudit(t, n, "sealAnew", key, "hark keys rotate", `{"values":3}`)

	if code := n.Stop(); code != 0 {
		t.Fatal(code)
	}
	kept := file + ".kept"
	if err := os.Rename(file, kept); err != nil {
		t.Fatal(err)
	}
	lost := hark(t, env, "", "serve", "--addr=127.0.0.1:0")
	lost.wants(t, 1, "the key file "+file+" is gone")
	if _, err := os.Stat(file); err == nil {
		t.Error("a lost key file was silently replaced")
	}
	if err := os.WriteFile(file, []byte(hark(t, nil, "", "keys", "new").out), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Start()
	eventually(t, "the log says what can't be opened", func() bool { return strings.Contains(n.Log(), id) })
	testkit.MustCall[any](t, n.Admin(), publishOne, nil)
	eventually(t, "an attempt says why", func() bool {
		type answer struct {
			EventSubscription struct {
				Deliveries struct{ Nodes []struct{ LastError string } }
			}
		}
		a := testkit.MustCall[answer](t, n.Admin(), `{ eventSubscription(id: "`+id+`") { deliveries { nodes { lastError } } } }`, nil)
		return strings.Contains(a.EventSubscription.Deliveries.Nodes[0].LastError, "is not in the keyset")
	})
	told := strings.Count(n.Log(), "a sealed value can't be opened")
	if told != 2 { // the subscription, and the signing key
		t.Errorf("the log says %d times that a value can't be opened", told)
	}
	if missing := listed(t, env); len(missing) != 2 || !strings.HasPrefix(missing[rest(after, old)], "missing ") {
		t.Errorf("with a lost key: %v", missing)
	}
	if err := os.Rename(kept, file); err != nil {
		t.Fatal(err)
	}
	arrives("with the key back")
}

// wantsKeyAudit wants an entry of the audit log about a key, which no caller of a server made.
func wantsKeyAudit(t *testing.T, n *testkit.Node, action, key, by, detail string) {
	t.Helper()
	type log struct {
		AuditLog struct {
			Nodes []struct {
				Action, Target, UserAgent string
				Actor                     *struct{ ID string }
				Detail                    json.RawMessage
			}
		}
	}
	for _, e := range testkit.MustCall[log](t, n.Admin(), `{ auditLog { nodes { action target userAgent actor { id } detail } } }`, nil).AuditLog.Nodes {
		if e.Action == action {
			if e.Target != key || e.UserAgent != by || e.Actor != nil || string(e.Detail) != detail {
				t.Errorf("%+v %s", e, e.Detail)
			}
			return
		}
	}
	t.Errorf("the audit log has no %s", action)
}

// TestRotateOfAServersSetting: the command line and the node that takes the new
// keyset both tell the audit log.
func TestRotateOfAServersSetting(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	before := listed(t, n.Env())
	keyset := strings.TrimSpace(hark(t, n.Env(), "", "keys", "rotate").out)
	database := n.Env()[0]
	n.Stop()
	rotated := testkit.Hark(t, "--encryption-keyset="+keyset, "--database-url="+strings.TrimPrefix(database, "HARK_DATABASE_URL="))
	var old string
	for old = range before {
	}
	key := rest(listed(t, []string{database, "HARK_ENCRYPTION_KEYSET=" + keyset}), old)
	wantsKeyAudit(t, rotated, "rotateKeys", key, "hark keys rotate", `{"before":{"keys":["`+old+`"]},"after":{"keys":["`+key+`","`+old+`"]}}`)
	eventually(t, "everything is sealed anew", func() bool { return strings.Contains(rotated.Log(), "sealed anew") })
	wantsKeyAudit(t, rotated, "sealAnew", key, "", `{"values":1}`)
}

// rest gives the key that is not not.
func rest(keys map[string]string, not string) (other string) {
	for key := range keys {
		if key != not {
			other = key
		}
	}
	return other
}

// eventually waits until something holds, which a process brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// TestRotateOfASetting shows that a keyset from the environment is printed anew.
func TestRotateOfASetting(t *testing.T) {
	t.Parallel()
	old := strings.TrimSpace(hark(t, nil, "", "keys", "new").out)
	env := []string{"HARK_ENCRYPTION_KEYSET=" + old, "HARK_DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "none.db")}
	r := hark(t, env, "", "keys", "rotate")
	r.wants(t, 0, "")
	_, key, _ := strings.Cut(old, ":")
	if strings.Count(r.out, ",") != 1 || !strings.HasSuffix(strings.TrimSpace(r.out), ","+key) {
		t.Errorf("the old key does not stand behind a new one: %d bytes", len(r.out))
	}
	if keys := listed(t, env); len(keys) != 1 {
		t.Errorf("listed %v", keys)
	}
	prepared := hark(t, env, "", "keys", "rotate", "--step=prepare")
	if prepared.wants(t, 0, ""); !strings.HasPrefix(prepared.out, old+",") {
		t.Error("the key that was prepared does not stand behind the old one")
	}
	_, added, _ := strings.Cut(strings.TrimSpace(prepared.out), ",")
	env[0] = "HARK_ENCRYPTION_KEYSET=" + strings.TrimSpace(prepared.out)
	promoted := hark(t, env, "", "keys", "rotate", "--step=promote")
	if promoted.wants(t, 0, ""); !strings.HasSuffix(strings.TrimSpace(promoted.out), ":"+added+","+key) {
		t.Error("the key that was prepared is not promoted before the old one")
	}
	env[0] = "HARK_ENCRYPTION_KEYSET="
	hark(t, env, "", "keys", "list").wants(t, 1, "hark.keys")
	hark(t, env, "", "keys", "rotate").wants(t, 1, "hark.keys")
	hark(t, env, "", "keys", "rotate", "--step=prepare").wants(t, 2, "--step")
}
