package oidc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hark-events/hark/access/oidc"
)

// TestClaims: an identity and its roles are read where the operator says.
func TestClaims(t *testing.T) {
	t.Parallel()
	k, p := newKeys(t), newProvider(t)
	p.publish("ec", k.ec.Public())
	type object = map[string]any
	token := sign(t, jwt.SigningMethodES256, "ec", k.ec, good(p.URL, jwt.MapClaims{
		"azp": "shop", "count": 7, "empty": "", "roles": nil,
		"realm_access":                   object{"roles": []string{"publisher", "viewer"}, "deep": object{"er": "admin"}},
		"resource_access":                object{"hark.example.com": object{"roles": []string{"subscriber"}}},
		"https://hark.example.com/roles": "own", "a.b": "whole", "a": object{"b": "inner"},
	}))
	for name, tt := range map[string]struct{ identity, roles, want string }{
		"the defaults":           {"", "", "ci []"},
		"another claim":          {"azp", "", "shop []"},
		"in an object":           {"azp", "realm_access.roles", "shop [publisher viewer]"},
		"deeper":                 {"realm_access.deep.er", "realm_access.deep.er", "admin [admin]"},
		"a name with dots":       {"", "resource_access.hark.example.com.roles", "ci [subscriber]"},
		"a name that is a URL":   {"", "https://hark.example.com/roles", "ci [own]"},
		"the whole name first":   {"a.b", "", "whole []"},
		"roles that are nowhere": {"", "realm_access.groups", "ci []"},
		"an identity nowhere":    {"realm_access.name", "", "no claim realm_access.name"},
		"an identity as number":  {"count", "", "no claim count"},
		"an empty identity":      {"empty", "", "no claim empty"},
		"an identity as object":  {"realm_access", "", "no claim realm_access"},
		"roles as object":        {"", "realm_access", "claim realm_access is neither"},
		"roles as number":        {"", "count", "claim count is neither"},
		"dots alone":             {"", "...", "ci []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := oidc.New(oidc.Config{URL: p.URL, Audience: audience, IdentityClaim: tt.identity, RolesClaim: tt.roles}, p.Client())
			c, err := i.Verify(t.Context(), token)
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprint(c.Subject, " ", c.Roles)
			}
			if !strings.Contains(got, tt.want) {
				t.Error(got)
			}
		})
	}
}
