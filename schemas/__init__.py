"""What data looks like: record schemas, the frames that travel between steps, the settings of a run."""
