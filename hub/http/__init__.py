"""What every HTTP route shares: the context of a request, bodies, and errors."""
