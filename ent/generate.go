// Package ent is generated from ent/schema: the entities, and the client that keeps them.
package ent

//go:generate go tool ent generate --target . --feature sql/lock,sql/modifier,sql/execquery,sql/upsert,sql/versioned-migration ./schema
