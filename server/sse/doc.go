// Package sse writes server-sent events to readers of any speed.
package sse
