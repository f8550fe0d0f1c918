import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.spec.signature import DataType, Signature, TensorSpec

TENSORS = st.builds(
    TensorSpec, st.text(), st.sampled_from(DataType), st.lists(st.integers(-1, 9), max_size=4).map(tuple)
)
MANY = st.lists(TENSORS, max_size=3).map(tuple)


@given(st.builds(Signature, MANY, MANY))
def test_json_loses_nothing(signature: Signature) -> None:
    assert Signature.from_json(signature.to_json()) == signature


def test_the_json_is_that_of_the_open_inference_protocol() -> None:
    spec = TensorSpec("x", DataType.FP32, (-1, 4))
    assert spec.to_json() == {"name": "x", "datatype": "FP32", "shape": [-1, 4]}


@pytest.mark.parametrize("datatype", list(DataType))
def test_every_datatype_has_its_numpy_dtype(datatype: DataType) -> None:
    if datatype is DataType.BYTES:
        assert datatype.numpy == np.object_
    else:
        bits = "".join(filter(str.isdigit, datatype)) or "8"
        assert datatype.numpy.itemsize * 8 == int(bits)


def test_an_unknown_datatype_is_an_error() -> None:
    with pytest.raises(ValueError, match="FP12"):
        TensorSpec.from_json({"name": "x", "datatype": "FP12", "shape": []})
