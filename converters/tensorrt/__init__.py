"""The canonical INT8 file for NVIDIA GPUs: cast to FP16, checked, built into a plan, and the plan looked into."""
