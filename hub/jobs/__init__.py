"""Long work: queued in PostgreSQL, done by workers, watched while it runs."""
