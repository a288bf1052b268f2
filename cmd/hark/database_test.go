package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	keyset := "HARK_ENCRYPTION_KEYSET=" + strings.TrimSpace(hark(t, nil, "", "keys", "new").out)
	for name, url := range map[string]string{
		"sqlite":   "sqlite://" + filepath.Join(t.TempDir(), "hark.db"),
		"postgres": testkit.Postgres(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string{keyset, "HARK_DATABASE_URL=" + url}
			if name == "postgres" {
				// Nobody migrates a database in production by starting a node.
				hark(t, env, "", "serve", "--addr=127.0.0.1:0").wants(t, 1, "hark migrate")
				hark(t, env, "", "token", "create", "--name=early").wants(t, 1, "hark migrate")
			}
			for range 2 {
				hark(t, env, "", "migrate").wants(t, 0, "")
			}
			hark(t, env, "", "token", "create", "--name=ci").wants(t, 0, "")
		})
	}
}

func TestUnreachableDatabase(t *testing.T) {
	t.Parallel()
	keyset := strings.TrimSpace(hark(t, nil, "", "keys", "new").out)
	for name, url := range map[string]string{
		"nobody listens": "postgres://hark:planted@127.0.0.1:1/hark",
		"no folder":      "sqlite://" + filepath.Join(t.TempDir(), "missing", "hark.db"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := hark(t, []string{"HARK_ENCRYPTION_KEYSET=" + keyset, "HARK_DATABASE_URL=" + url}, "", "migrate")
			r.wants(t, 1, "hark: ")
			if strings.Contains(r.err, "planted") {
				t.Errorf("the password is shown: %s", r.err)
			}
		})
	}
}

func TestTokenCreate(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	create := func(args ...string) ran {
		return hark(t, n.Env(), "", append([]string{"token", "create"}, args...)...)
	}
	type viewer struct {
		Viewer struct {
			Identity    struct{ Name string }
			Permissions []string
		}
	}
	for name, tt := range map[string]struct {
		args        []string
		permissions bool
	}{
		"admin":        {[]string{"--role=admin", "--ttl=24h"}, true},
		"without role": {nil, false},
	} {
		r := create(append(tt.args, "--name="+name)...)
		r.wants(t, 0, "")
		token := strings.TrimSuffix(r.out, "\n")
		if token == "" || strings.ContainsAny(token, " \n") || strings.Contains(r.err, token) {
			t.Fatalf("stdout %q, stderr %q; the token stands alone on stdout", r.out, r.err)
		}
		c := testkit.Client{URL: n.URL(), Token: token}
		v := testkit.MustCall[viewer](t, c, `{ viewer { identity { name } permissions } }`, nil).Viewer
		if v.Identity.Name != name || len(v.Permissions) > 0 != tt.permissions {
			t.Errorf("%s: %+v", name, v)
		}
	}
	create("--name=x", "--role=cook").wants(t, 1, "cook")
	create("--name="+strings.Repeat("x", 1000)).wants(t, 1, "255")
	type identities struct{ Identities struct{ TotalCount int } }
	if n := testkit.MustCall[identities](t, n.Admin(), `{ identities { totalCount } }`, nil).Identities.TotalCount; n != 3 {
		t.Errorf("%d identities, want the admin and two: a refused one must not stay", n)
	}
}
