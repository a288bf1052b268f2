// Package promises holds the tests of what hark promises as a whole, on real processes that are killed, stopped and cut off.
package promises
