"""Whatever comes from outside gets a documented answer: no exception in the log, nothing left."""
