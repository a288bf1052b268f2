// Package cloudevents takes events in as CloudEvents 1.0 over HTTP: binary, structured and batched.
package cloudevents
