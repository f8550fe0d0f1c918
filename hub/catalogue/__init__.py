"""Models, their versions, and where a name points."""
