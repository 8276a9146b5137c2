"""`moodwire tokens make|list|revoke`: who may use the board, and for what."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.board.context import Scope
from streams.board.tokens import StoredToken, token_file
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json, require_output, utc
from streams.settings import load_settings
from streams.wall_clock import wall_clock_ms

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Make, list or revoke tokens of the board."""


@app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="Whose it is; the audit trail shows it.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", "-s", help="What it is for; may be repeated. By default read and act."),
    ] = None,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token and print it. It is kept as a hash alone: this is the only time that it can be seen.

    Scopes: read shows everything; act decides about alerts; push publishes news; admin changes watchlists,
    subscriptions and models. None of them includes another.
    """
    require_output()
    name = _checked(name)
    tokens = token_file(load_settings(namespace=namespace))
    stored, token = tokens.make(name, scope or [Scope.READ, Scope.ACT], wall_clock_ms())
    if json:
        print_json({**_row(stored), "token": token})
        return
    scopes = ", ".join(stored.scopes)
    console.print(
        f"{token}\n\n[dim]It may {scopes}, as {foreign(name)}. Its hash is in {foreign(tokens.path)}; "
        f"moodwire tokens revoke {stored.id} ends it.[/]",
        highlight=False,
        soft_wrap=True,
    )


def _checked(name: str) -> str:
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise typer.BadParameter("take a name of 1 to 100 printable characters")
    return name


@app.command("list")
def list_tokens(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    """List tokens: whose, what for, and since when. Tokens themselves are not kept."""
    tokens = token_file(load_settings(namespace=namespace))
    for stored in tokens.tokens:
        if json:
            print_json(_row(stored))
        else:
            console.print(
                f"{stored.id}  {utc(stored.made_ms)}  {','.join(stored.scopes):<19}  {foreign(stored.name)}",
                highlight=False,
                soft_wrap=True,
            )
    if not tokens.tokens and not json:
        console.print(f"No tokens in {foreign(tokens.path)}.", highlight=False, soft_wrap=True)


@app.command("revoke")
def revoke(
    which: Annotated[str, typer.Argument(metavar="ID", help="The token's id; or a name, for all of that name.")],
    namespace: NamespaceOption = None,
) -> None:
    """Revoke a token. A running board refuses it from its next request on."""
    for stored in token_file(load_settings(namespace=namespace)).revoke(which):
        console.print(f"Revoked {stored.id}, of {foreign(stored.name)}.", highlight=False, soft_wrap=True)


def _row(stored: StoredToken) -> dict[str, object]:
    return {"id": stored.id, "name": stored.name, "scopes": list(stored.scopes), "made_ms": stored.made_ms}
