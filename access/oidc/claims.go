package oidc

import (
	"encoding/json"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hark-events/hark"
)

// Limits of claims.
const (
	maxSubject = hark.MaxName // characters
	maxRoles   = 100
)

// Claims are what hark reads of a token.
type Claims struct {
	Subject   string   // of the claim that names the identity
	Roles     []string // sorted, each once
	ExpiresAt hark.Time
}

// claims are those of the token's text.
type claims struct {
	jwt.RegisteredClaims
	all object
}

type object map[string]json.RawMessage

// UnmarshalJSON reads the registered claims, and keeps all.
func (c *claims) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &c.RegisteredClaims); err != nil {
		return err
	}
	return json.Unmarshal(b, &c.all)
}

// find gives the claim at a path: a name, or names with dots between them that
// lead into objects. Names may have dots themselves, as URLs and Keycloak's
// clients do: whatever is there is found, the shortest first name first.
func (o object) find(path string) json.RawMessage {
	if value, ok := o[path]; ok {
		return value
	}
	for i := range len(path) {
		var inner object
		if path[i] != '.' || json.Unmarshal(o[path[:i]], &inner) != nil {
			continue
		}
		if value := inner.find(path[i+1:]); value != nil {
			return value
		}
	}
	return nil
}

// text gives a claim that is a text.
func (c *claims) text(path string) (s string, ok bool) {
	raw := c.all.find(path)
	return s, strings.HasPrefix(string(raw), `"`) && json.Unmarshal(raw, &s) == nil
}

// texts gives a claim that is a list of texts, or one alone; none where there is
// no such claim.
func (c *claims) texts(path string) (list []string, ok bool) {
	if one, ok := c.text(path); ok {
		if one == "" {
			return nil, true
		}
		return []string{one}, true
	}
	raw := c.all.find(path)
	return list, raw == nil || json.Unmarshal(raw, &list) == nil
}
