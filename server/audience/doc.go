// Package audience counts the streams that are open, bounds them, and sends them home when hark stops.
package audience
