"""The one way in: guard, scrub, spool, and the drainer that carries the spool to the sinks."""
