// Package limit bounds how many requests an identity and an address may make, on this node or over all.
package limit
