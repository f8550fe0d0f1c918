"""The words everyone uses: tasks, signatures, certificates and names.

This package is also copied beside every published model and runs inside Triton, so its modules import nothing but
the standard library and NumPy when they are imported (`certificate` excepted, which stays outside Triton).
"""
