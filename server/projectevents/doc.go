// Package projectevents serves a project's events as plain server-sent events.
package projectevents
