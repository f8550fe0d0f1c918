"""Decoders for onnxruntime-genai: from GGUF or a Hugging Face directory to weights in few bits, and their measures."""
