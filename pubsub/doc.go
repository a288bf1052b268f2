// Package pubsub carries committed events between the nodes of hark: in-process for one node, over Redis for several.
package pubsub
