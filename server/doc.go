// Package server is hark's HTTP side: routes, middleware, limits and the graceful end of connections.
package server
