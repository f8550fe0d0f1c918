"""The data plane: every protocol is a thin translation onto one call path (`plane`)."""
