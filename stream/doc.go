// Package stream gives every reader a project's events in order, each exactly once: the newest from memory, older ones and what got lost on the way from the database.
package stream
