"""The configuration under which the tests publish `graphs.write_affine`."""

from registry.spec.signature import DataType, Signature, TensorSpec
from triton_repo.config import ModelConfig

AFFINE = Signature((TensorSpec("x", DataType.FP32, (4,)),), (TensorSpec("y", DataType.FP32, (4,)),))
CONFIG = ModelConfig("affine", AFFINE, 8, parameters={"threads": "1"})
