"""Uploading files into the artefact store."""
