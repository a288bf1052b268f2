// Package operation executes GraphQL operations for every transport: from a request's bytes to encoded answers.
package operation
