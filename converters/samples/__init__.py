"""Samples to calibrate with and to judge on, for owners who bring none."""
