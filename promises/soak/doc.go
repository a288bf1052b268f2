// Package soak holds one long test: hark under load for minutes, with subscribers that fail in every way, and restarts.
package soak
