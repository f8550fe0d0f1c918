"""A certificate as one HTML file: no script, nothing from elsewhere, and no byte that depends on when it is made."""

from __future__ import annotations

import base64
import hashlib
import html
import re

from registry.certificates import plots, style, wording
from registry.certificates.document import Document
from registry.certificates.markup import Markup, element, joined, text
from registry.certificates.seal import Seal, State, seal
from registry.certificates.tables import Row, Table, Tone, tables
from registry.spec.certificate import Certificate

_LAYERS = 200
_DIGEST = re.compile(r"[0-9a-f]{40,128}")
_NUMBER = re.compile(r"−?[0-9][0-9.e+–−× %kMGTBms]*")
_TONES = {Tone.GOOD: "good-row", Tone.BAD: "bad-row", Tone.MARKED: "marked-row"}
_STATES = {State.INTACT: "seal intact", State.UNSIGNED: "seal", State.BROKEN: "seal broken"}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = f"default-src 'none'; style-src {_hash(style.STYLE)} {_hash(plots.STYLE)}; base-uri 'none'; form-action 'none'"
"""The page's Content-Security-Policy, which it also carries itself: our two style sheets and nothing else."""


def page(document: Document) -> str:
    """The page. Raises NotACertificate. Every text of the certificate is escaped by `markup.text`."""
    certificate = document.certificate()
    state = seal(document)
    title = f"{certificate.task}: {state.headline(certificate.verdict)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", text(f"Certificate: {title}")),
        Markup(f"<style>{style.STYLE}</style>"),
    )
    tabled = [_table(table) for table in tables(certificate, layers=_LAYERS, figures=True)]
    body = joined([_header(certificate, state), tabled[0], _plots(certificate), *tabled[1:], _source(document)])
    return f"<!doctype html>\n{element('html', head, element('body', element('main', body)), lang='en')}\n"


def _header(certificate: Certificate, state: Seal) -> Markup:
    good = certificate.verdict == "certified" and state.state is not State.BROKEN
    served = f"{wording.ARITHMETIC[certificate.precision]} for {wording.ENGINE[certificate.engine]}"
    return element(
        "header",
        element("span", text(state.headline(certificate.verdict)), class_="verdict"),
        element("h1", text(f"{certificate.task} in {served}")),
        element("p", text(certificate.reason)),
        element("p", text(state.said), class_=_STATES[state.state]),
        _highlights(certificate),
        class_="good" if good else "",
    )


def _highlights(certificate: Certificate) -> Markup:
    """The figures that a reader looks for first."""
    facts: dict[str, str] = {}
    if certificate.accuracy:
        first = certificate.accuracy[0]
        facts[first.name] = wording.number(first.value, first.minimum, first.maximum)
    if certificate.latency:
        slowest = max(certificate.latency, key=lambda latency: latency.ratio)
        facts["time against FP32, at worst"] = wording.times(slowest.ratio)
    if certificate.size is not None and certificate.size.float_bytes:
        facts["size against FP32"] = wording.times(certificate.size.quantized_bytes / certificate.size.float_bytes)
    if certificate.operators is not None:
        facts["operators quantized"] = wording.percent(certificate.operators.quantized_share)
    facts["hardware class"] = certificate.hardware.hardware_class
    return element("dl", *(_highlight(name, value) for name, value in facts.items()))


def _highlight(name: str, value: str) -> Markup:
    return element("div", element("dt", text(name)), element("dd", text(value)))


def _plots(certificate: Certificate) -> Markup:
    """Only those with something in them: that nothing was measured is said by the tables."""
    drawn = []
    if certificate.curve:
        drawn.append(_figure("Accuracy and latency of the candidates", plots.accuracy_latency(certificate.curve)))
    if certificate.layers:
        drawn.append(_figure("Sensitivity of the layers", plots.layer_sensitivity(certificate.layers)))
    return element("div", *drawn, class_="plots") if drawn else Markup("")


def _figure(title: str, svg: str) -> Markup:
    return element("section", element("h2", text(title)), Markup(svg))


def _table(table: Table) -> Markup:
    parts = [element("h2", text(table.title))]
    if table.rows:
        head = element("tr", *(element("th", text(name), scope="col") for name in table.head))
        body = element("tbody", *(_row(row, table.head) for row in table.rows))
        rows = [element("thead", head), body] if table.head else [body]
        drawn = element("table", *rows, class_="" if table.head else "named")
        parts.append(element("div", drawn, class_="scroll", tabindex="0"))  # so that keys can scroll it
    if table.note:
        parts.append(element("p", text(table.note), class_="note"))
    return element("section", *parts)


def _row(row: Row, head: tuple[str, ...]) -> Markup:
    first, *others = row.cells
    labels = head[1:] or ("",) * len(others)
    cells = [_cell(cell, label) for cell, label in zip(others, labels, strict=True)]
    return element("tr", element("th", text(first), scope="row"), *cells, class_=_TONES[row.tone] if row.tone else "")


def _cell(cell: str, label: str) -> Markup:
    """A cell that carries its column's name: a narrow screen shows each row as a list."""
    said = element("code", text(cell)) if _DIGEST.fullmatch(cell) else element("span", text(cell))
    labelled = {"data_label": label} if label else {}
    return element("td", said, class_="num" if _NUMBER.fullmatch(cell) else "", **labelled)


def _source(document: Document) -> Markup:
    """The document itself: the page proves nothing, this does."""
    how = "A page proves nothing. Save this text as certificate.json and run:"
    command = "conch certificate verify certificate.json --key PUBLIC.pem"
    json = Markup(html.escape(document.json()))  # ASCII without controls but the ends of lines, and those are meant
    return element(
        "section",
        element("h2", text("The document")),
        element("p", text(how)),
        element("p", element("code", text(command))),
        element("details", element("summary", text("Show the document")), element("pre", json)),
    )
