// Package graphqlhttp serves GraphQL over HTTP: JSON answers, and streams of server-sent events.
package graphqlhttp
