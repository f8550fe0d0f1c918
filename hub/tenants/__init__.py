"""Making and listing tenants and their keys."""
