"""The steps of a conversion, one module each; they run in the child only."""
