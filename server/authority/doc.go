// Package authority keeps who calls: the viewer of a request, and of a stream for as long as it lasts.
package authority
