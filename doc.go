// Package hark is the vocabulary of hark: events, subscriptions, deliveries, viewers and errors, as every other package knows them.
package hark
