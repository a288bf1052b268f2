// Package oidc verifies JWTs of an OpenID Connect issuer by the keys that it publishes.
package oidc
