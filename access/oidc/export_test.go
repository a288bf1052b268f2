package oidc

import (
	"net/http"
	"time"
)

// NewAt is New with a clock for the age of keys.
func NewAt(url, audience string, client *http.Client, now func() time.Time) *Issuer {
	i := New(Config{URL: url, Audience: audience}, client)
	i.keys.now = now
	return i
}
