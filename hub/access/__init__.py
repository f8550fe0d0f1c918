"""The gate: whose key it is, what it may do, and how often it may call."""
