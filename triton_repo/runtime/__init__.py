"""What runs inside Triton's Python backend: published beside each model, byte for byte, and never changed there.

It needs NumPy, onnxruntime, tokenizers and Pillow in the Python environment of Triton's stub, and `registry.spec`,
which is published with it.
"""
