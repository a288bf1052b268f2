// Package e2e uses hark as people do: the commands of the README, Node clients and a browser. Run it with make e2e.
package e2e
