// Package following keeps a subscription going: for its caller as that is now, from where it was.
package following
