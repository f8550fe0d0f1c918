from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from registry.certificates.document import Document, read_document
from registry.certificates.errors import NotACertificate
from registry.certificates.page import POLICY, page
from registry.certificates.seal import State
from registry.certificates.signing import sign
from registry.certificates.terminal import show
from registry.certificates.text import plain
from registry.certificates.wording import number, percent, size
from registry.spec.certificate import Arithmetic, Certificate, Data, Hardware, Latency, Lineage, Lowering, Metric
from tests.registry.certificates.given import CERTIFICATE, certificate, digest, layer, point
from tests.registry.certificates.places import LEAVES, VALUES, Where, at

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HOSTILE = '<script>alert("1")</script>\x1b[31m[red]:smile:[/red]\x07\u202ecod\x01\x9b"\'><img src=x onerror=y>&amp;'


def everywhere(text: str) -> Certificate:
    """A certificate with `text` wherever a model or a stranger could have put it."""
    data = Data(description=text, samples=1, sha256=text)
    return certificate(
        task=text,
        reason=text,
        accuracy=[Metric(name=text, value=1, low=1, high=1, minimum=0.9, passed=True)],
        latency=[
            Latency(load=text, threads=1, float_ms=2, quantized_ms=1, ratio=0.5, ratio_low=0.4, ratio_high=0.6),
        ],
        curve=[point(text, 0.1, 0.5, figures={text: 1.0}, chosen=True)],
        layers=[layer(text, 0.1, text), layer(text, 0.2)],
        lowerings=[Lowering(target=text, status="measured", detail=text, sha256=text)],
        calibration=data,
        selection=data,
        held_out=data,
        hardware=Hardware(hardware_class=text, processor=text, cores=1),
        engine_version=text,
        lineage=Lineage(source=text, calibration=text, canonical=text, served=text),
        versions={text: text},
        files={text: text},
    )


def printed(document: Document, width: int = 120) -> str:
    out = io.StringIO()
    show(document, Console(file=out, width=width, markup=False, highlight=False, emoji=False, color_system=None))
    return out.getvalue()


class Elements(HTMLParser):
    """Every element with its attributes, as a browser finds them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[str] = []
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_page_says_what_the_certificate_says() -> None:
    said = " ".join(" ".join(Elements(page(sign(CERTIFICATE, KEY))).texts).split())
    for words in (
        "certified",
        CERTIFICATE.reason,
        "0.9964 – 0.9973",
        "≥ 0.995",
        "reported",
        "0.563 ×",
        "24.53 MB",
        "91.7 %",
        "passed, chosen",
        "back in float: second in the ranking of harm",
        "13 of 15 layers are quantized.",
        "built, not run: its builder took it; no accuracy and no time of it was measured",
        "checked, not built: no plan was made and nothing was run",
        digest("canonical"),
        digest("model.onnx"),
        "x86-avx2",
        "Unchanged since it was signed with the key 56475aa75463474c",
    ):
        assert words in said, words


def test_a_terminal_says_what_the_certificate_says() -> None:
    said = " ".join(printed(sign(CERTIFICATE, KEY), width=240).split())
    for words in (
        "CERTIFIED embedding in INT8 for ONNX Runtime",
        CERTIFICATE.reason,
        "cosine 0.9969 0.9964 – 0.9973 95 % ≥ 0.995 passed",
        "8 × 32 tokens 1 101.7 ms 57.1 ms 0.5615 ×",
        "SmoothQuant 0.8, 2 layers in float INT8 ONNX Runtime 0.62 0.56 × 0.27 × passed, chosen",
        "built, not run: its builder took it",
        f"what is served {digest('served')}",
    ):
        assert words in said, words


def test_hostile_text_makes_no_element_and_no_attribute() -> None:
    harmless, hostile = Elements(page(sign(everywhere("name"), KEY))), Elements(page(sign(everywhere(HOSTILE), KEY)))
    assert hostile.names == harmless.names
    assert hostile.attributes == harmless.attributes
    assert plain(HOSTILE) in hostile.texts
    assert not {"script", "img"} & hostile.names


def test_a_page_takes_nothing_from_elsewhere_and_runs_nothing() -> None:
    source = page(sign(CERTIFICATE, KEY))
    elements = Elements(source)
    assert not {"script", "img", "link", "iframe", "object", "a", "form", "base"} & elements.names
    assert not {"src", "href", "style", "action"} & elements.attributes
    assert not [name for name in elements.attributes if name.startswith("on")]
    addresses = {value for value in elements.values if "://" in value}
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a language, which nobody fetches
    assert "url(" not in source
    assert "@import" not in source
    assert POLICY in elements.values


def test_a_terminal_obeys_nothing_that_a_certificate_says() -> None:
    said = printed(sign(everywhere(HOSTILE), KEY), width=400)
    assert "[red]:smile:[/red]" in said
    assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_text_is_shown_without_controls(text: str) -> None:
    document = sign(everywhere(text), KEY)
    source = page(document)
    assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", source)
    assert Elements(source).names == Elements(page(sign(everywhere("name"), KEY))).names
    assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed(document))


@given(path=st.sampled_from(LEAVES), value=VALUES | st.just("9" * 4000) | st.sampled_from([0, -1, 10**15, 1e300]))
@settings(max_examples=60, deadline=None)
def test_any_document_is_shown_or_refused(path: Where, value: object) -> None:
    changed = json.loads(Document(CERTIFICATE.model_dump(mode="json"), None).json())
    holder, key = at(changed, path)
    holder[key] = value
    document = read_document(json.dumps(changed).encode())
    try:
        document.certificate()
    except NotACertificate:
        return
    assert "Not signed" in page(document)
    assert "Not signed" in printed(document)


def test_plain_text_is_one_line_and_has_an_end() -> None:
    assert plain(" a\n\tb\x1b[0m\u202e\ud800 ") == "a  b[0m"
    assert plain("ä × 日本") == "ä × 日本"
    assert len(plain("x" * 10**7)) == 2000
    assert plain("encoder.layer.11.dense", 12) == "enc…11.dense"


def test_the_same_certificate_makes_the_same_page() -> None:
    first = page(sign(CERTIFICATE, KEY))
    assert first == page(sign(CERTIFICATE, KEY))
    assert first == page(read_document(sign(CERTIFICATE, KEY).json().encode()))


def test_the_page_carries_the_document() -> None:
    document = sign(everywhere(HOSTILE), KEY)
    carried = [text for text in Elements(page(document)).texts if text.startswith('{\n  "certificate"')]
    assert [json.loads(text) for text in carried] == [json.loads(document.json())]


def test_what_was_tampered_with_is_shown_as_such() -> None:
    document = json.loads(sign(certificate(verdict="rejected"), KEY).json())
    document["certificate"]["verdict"] = "certified"
    tampered = read_document(json.dumps(document).encode())
    warning = "Do not rely on this. The certificate was changed after it was signed"
    assert warning in printed(tampered)
    assert "CLAIMS: CERTIFIED" in printed(tampered)
    assert "claims: certified" in Elements(page(tampered)).texts
    assert any(warning in text for text in Elements(page(tampered)).texts)
    assert 'class="seal broken"' in page(tampered)
    assert 'class="good"' not in page(tampered)
    state = show(tampered, Console(file=io.StringIO()))
    assert state.state is State.BROKEN


def test_what_is_unsigned_says_so() -> None:
    bare = Document(CERTIFICATE.model_dump(mode="json"), None)
    assert "Not signed: nothing shows who wrote this" in printed(bare)
    assert any("Not signed" in text for text in Elements(page(bare)).texts)


def test_a_certificate_with_nothing_in_it_is_shown() -> None:
    empty = certificate(
        verdict="rejected",
        precision=Arithmetic.FLOAT32,
        accuracy=[],
        latency=[],
        size=None,
        operators=None,
        curve=[],
        layers=[],
        lowerings=[],
        calibration=None,
        selection=None,
        held_out=None,
        files={},
        versions={},
    )
    said = printed(sign(empty, KEY))
    for words in ("REJECTED", "No figure was measured", "No latency was measured", "No candidate was measured"):
        assert words in said
    assert "svg" not in Elements(page(sign(empty, KEY))).names


def test_hundreds_of_layers_are_counted_where_they_are_not_listed() -> None:
    many = certificate(layers=[layer(f"layer{index}", index / 500, f"sensitive {index % 2}") for index in range(500)])
    said = printed(sign(many, KEY))
    assert "460 more are in float" in said
    assert said.count("sensitive ") == 40
    assert "300 more are in float" in page(sign(many, KEY))


def test_one_reason_for_all_layers_is_said_once() -> None:
    said = printed(
        sign(certificate(layers=[layer(f"layer{index}", None, "decided as one") for index in range(9)]), KEY)
    )
    assert "0 of 9 layers are quantized. All are in float: decided as one." in said
    assert "layer3" not in said


def test_without_a_signature_a_verdict_is_a_claim() -> None:
    assert "CLAIMS: CERTIFIED" in printed(Document(sign(CERTIFICATE, KEY).content, None))


@pytest.mark.parametrize(
    ("value", "beside", "said"),
    [
        (0.91996, 0.92, "0.91996"),
        (0.92, 0.92, "0.92"),
        (0.999998, None, "0.999998"),
        (1.0, None, "1"),
        (0.56712, None, "0.5671"),
        (-0.25, None, "−0.25"),
        (0.0, None, "0"),
        (1e-9, None, "1e-09"),
    ],
)
def test_rounding_does_not_turn_a_figure_into_its_bound(value: float, beside: float | None, said: str) -> None:
    assert number(value, beside) == said


def test_shares_and_sizes_are_in_words() -> None:
    assert percent(0.9996) == "99.96 %"
    assert percent(0.999996) == "99.9996 %"
    assert percent(1.0) == "100 %"
    assert size(0) == "0 bytes"
    assert size(24_534_016) == "24.53 MB"
    assert size(999) == "999 bytes"
    assert size(10**18) == "1e+06 TB"
