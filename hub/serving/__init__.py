"""The Triton servers behind the hub: which are up, what they have loaded, and keeping it so."""
