"""The worker: takes jobs, converts, certifies and publishes."""
