"""Certificates as documents: signed, verified offline, and shown to people in a terminal and on a page."""
