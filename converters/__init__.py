"""A directory of source files in; what serves, its canonical INT8 graph and a certificate out. No database, no web."""
