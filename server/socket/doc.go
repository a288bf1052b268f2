// Package socket writes to connections that were taken over from net/http, whatever the speed of their readers.
package socket
