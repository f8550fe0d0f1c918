"""`conch certificate`: show a certificate, verify it offline, print the key to verify with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.extras import fail

if TYPE_CHECKING:
    from registry.certificates.document import Document
    from registry.certificates.seal import Seal

certificate = typer.Typer(help="Certificates: what was measured, and who says so.", no_args_is_help=True)

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A certificate's JSON; - reads standard input.", dir_okay=False, allow_dash=True
    ),
]


@certificate.command()
def show(
    file: FileArgument,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the document as it is.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a page with plots to this file.", dir_okay=False)
    ] = None,
) -> None:
    """Show a certificate; exit code 1 where its signature does not fit."""
    if as_json and html is not None:
        raise typer.BadParameter("give --json or --html, not both")
    with _told():
        _warn(_shown(_read(file), as_json, html))


@certificate.command()
def verify(
    file: FileArgument,
    key: Annotated[
        list[Path] | None, typer.Option(metavar="PUBLIC.pem", help="A public key you trust; may be repeated.")
    ] = None,
) -> None:
    """Verify a certificate without a network; exit code 0 where its signature fits.

    Without --key this proves only that nobody changed the certificate since somebody signed it, not who signed.
    """
    with _told():
        from registry.certificates.keys import load_public
        from registry.certificates.signing import verify as check

        document = _read(file)
        verified = check(document, [load_public(path) for path in key] if key else None)
    what = f"{verified.certificate.verdict}, {_plain(verified.certificate.task)}"
    if verified.trusted:
        typer.echo(f"verified: signed with the trusted key {verified.key_id}, and unchanged since ({what})")
        return
    typer.echo(f"intact, signer not verified: signed with the key {verified.key_id}, and unchanged since ({what})")
    typer.echo(
        "conch: the key was taken from the certificate itself, so anybody may have signed it; "
        "give the signer's public key with --key to know who did",
        err=True,
    )


@certificate.command("key")
def print_key(
    key: Annotated[Path, typer.Option(metavar="PATH", help="The signing key.")] = Path("data/signing-key.pem"),
) -> None:
    """Print the public key of a signing key, for those who verify."""
    with _told():
        from registry.certificates.keys import load, public_pem

        typer.echo(public_pem(load(key)), nl=False)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what is wrong with a document or a key into one line."""
    from registry.certificates.errors import CertificateError

    try:
        yield
    except CertificateError as error:
        fail(_plain(error.message), error.remedy)


def _plain(value: str) -> str:
    from registry.certificates.text import plain

    return plain(value)


def _read(file: Path) -> Document:
    from registry.certificates.document import LARGEST, read_document

    data = b""
    try:
        with sys.stdin.buffer if file == Path("-") else file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as error:
        fail(f"{_plain(str(file))} cannot be read ({error.strerror}).", "Check its path.")
    return read_document(data)


def _shown(document: Document, as_json: bool, html: Path | None) -> Seal:
    from registry.certificates.seal import seal

    if as_json:
        typer.echo(document.json(), nl=False)
        return seal(document)
    if html is not None:
        _write(document, html)
        return seal(document)
    from rich.console import Console

    from registry.certificates.terminal import show as show_in

    return show_in(document, Console(markup=False, highlight=False, emoji=False))


def _write(document: Document, out: Path) -> None:
    from registry.certificates.page import page

    try:
        out.write_text(page(document), encoding="utf-8")
    except OSError as error:
        fail(f"{_plain(str(out))} cannot be written ({error.strerror}).", "Choose another file.")
    typer.echo(f"wrote {_plain(str(out))}")


def _warn(state: Seal) -> None:
    """What a reader of the JSON or of the page alone could miss."""
    from registry.certificates.seal import State

    if state.state is State.BROKEN:
        fail(_plain(state.said), "Get the certificate again from whoever signed it.")
    if state.state is State.UNSIGNED:
        typer.echo("conch: the certificate is not signed", err=True)
