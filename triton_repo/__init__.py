"""Everything Triton: model configurations, the repository, the control API, the embedded server and its runtime.

This file is copied beside every published model (see `publish`), so it imports nothing.
"""
