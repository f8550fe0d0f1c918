"""Inspection of what an owner hands in: parsed and measured here, never executed."""
