"""The catalogue: the words everyone uses, the tables, and the artefact store."""
