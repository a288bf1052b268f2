// Package wire is the one table from errors to what callers see of them, in GraphQL and in HTTP.
package wire
