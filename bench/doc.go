// Command bench measures hark from outside: it builds it, starts it as a process of its own, drives load through its doors, and sets each figure beside the limit of the machine, measured in the same run.
package main
