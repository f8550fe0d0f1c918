"""A certificate in a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from registry.certificates import wording
from registry.certificates.document import Document
from registry.certificates.seal import Seal, State, seal
from registry.certificates.tables import Row, Table, Tone, tables
from registry.certificates.text import plain
from registry.spec.certificate import Certificate

_LAYERS = 40
_TONES = {Tone.GOOD: "green", Tone.BAD: "red", Tone.MARKED: "bold"}
_STATES = {State.INTACT: "green", State.UNSIGNED: "yellow", State.BROKEN: "bold red"}


def show(document: Document, console: Console) -> Seal:
    """Print what the signature is worth, which is also returned, and then the certificate.

    Raises NotACertificate. All text goes through `plain` into `Text`, where rich looks for no markup.
    """
    certificate = document.certificate()
    state = seal(document)
    _print_head(certificate, state, console)
    for table in tables(certificate, layers=_LAYERS, figures=False):
        _print_table(table, console)
    return state


def _print_head(certificate: Certificate, state: Seal, console: Console) -> None:
    colour = "green" if certificate.verdict == "certified" else "red"
    if state.state is not State.INTACT:
        colour = "yellow" if state.state is State.UNSIGNED else "red"
    head = Text.assemble((f" {state.headline(certificate.verdict).upper()} ", f"bold reverse {colour}"), " ")
    head.append(plain(certificate.task), style="bold")
    head.append(f" in {wording.ARITHMETIC[certificate.precision]} for {wording.ENGINE[certificate.engine]}")
    console.print(head)
    console.print(Text(plain(certificate.reason)))
    console.print(Text(plain(state.said), style=_STATES[state.state]))
    console.print()


def _print_table(table: Table, console: Console) -> None:
    console.print(Text(table.title, style="bold"))
    if table.rows:
        console.print(_drawn(table))
    if table.note:
        console.print(Text(plain(table.note), style="dim"))
    console.print()


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(box=box.SIMPLE_HEAD if table.head else None, show_header=bool(table.head), pad_edge=False)
    for name in table.head or [""] * len(table.rows[0].cells):
        drawn.add_column(Text(plain(name)), overflow="fold")  # a digest that was cut could not be compared
    for row in table.rows:
        drawn.add_row(*_cells(row), style=_TONES[row.tone] if row.tone else None)
    return drawn


def _cells(row: Row) -> list[Text]:
    return [Text(plain(cell)) for cell in row.cells]
