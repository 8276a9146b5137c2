"""`moodwire config …`: the settings file, and what is in effect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from alerts.errors import DeliveryError
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption, WatchlistsOption
from streams.cli.output import console, errors, foreign, print_json
from streams.errors import SettingsError
from streams.observe.logs import shown
from streams.settings import Settings
from streams.settings.documents import commented_file
from streams.settings.file import FILE_NAME, searched, user_file
from streams.settings.loading import Loaded, WrongSettings, named_setting, read_settings
from streams.settings.places import place_of, variable_of

_WIDEST = max(len(place_of(field)) for field in Settings.model_fields.values())

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command(help="Write a commented settings file with every setting at its default. An existing file is kept.")
def init(
    file: Annotated[Path | None, typer.Argument(help="File to write; by default moodwire.yaml in this folder.")] = None,
    user: Annotated[
        bool, typer.Option("--user", help="Write it to your settings folder, which is read from every folder.")
    ] = False,
) -> None:
    path = (user_file() if user else file or Path(FILE_NAME)).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as opened:
            opened.write(commented_file())
    except FileExistsError as error:
        raise SettingsError(f"{path} exists already and is kept: name another file, or remove it first") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}): name another file") from error
    console.print(f"wrote {foreign(path)}; `moodwire config check` reads it", highlight=False, soft_wrap=True)
    if path not in searched():
        usual = ", ".join(map(str, searched()))
        console.print(
            f"name it with --config or MOODWIRE_CONFIG: without them only these are read: {usual}",
            highlight=False,
            soft_wrap=True,
        )


@app.command(help="Show every setting in effect and where its value comes from. Secrets are masked.")
def show(
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    watchlists: WatchlistsOption = None,
    json: JsonOption = False,
) -> None:
    loaded = read_settings(namespace=namespace, profile=profile, watchlists=watchlists)
    if json:
        print_json({"file": loaded.file and str(loaded.file), "settings": _described(loaded)})
        return
    console.print(f"settings file: {foreign(loaded.file or 'none')}", highlight=False, soft_wrap=True)
    for place, setting in _described(loaded).items():
        value = "" if setting["value"] is None else str(setting["value"])
        line = f"{place:<{_WIDEST}} {foreign(value)}  [dim]{foreign(setting['where'] or setting['source'])}[/]"
        console.print(line, highlight=False, soft_wrap=True)


@app.command(help="Read the settings and print every mistake; exit code 1 if there is one.")
def check(json: JsonOption = False) -> None:
    try:
        loaded = read_settings()
        _try_webhook(loaded)
    except WrongSettings as wrong:
        problems = wrong.problems
    except SettingsError as error:
        problems = (str(error),)
    else:
        where = (
            f"{loaded.file} and the environment are"
            if loaded.file
            else "No settings file was found; the environment is"
        )
        if json:
            print_json({"file": loaded.file and str(loaded.file), "problems": []})
        else:
            console.print(
                f"{foreign(where)} right; `moodwire doctor` tries what they name", highlight=False, soft_wrap=True
            )
        return
    if json:
        print_json({"problems": problems})
    for problem in () if json else problems:
        errors.print(f"[bold red]wrong[/] {foreign(shown(problem))}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def _try_webhook(loaded: Loaded) -> None:
    """Raises WrongSettings for a webhook that cannot be made: its address and its secret are checked by the channel."""
    from alerts.delivery import WebhookChannel  # loads an HTTP library: too slow for every reading of the settings

    settings = loaded.settings
    if settings.webhook_url is None:
        return
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    try:
        WebhookChannel(settings.webhook_url.get_secret_value(), secret)
    except DeliveryError as error:
        name = "webhook_secret" if "secret" in str(error) else "webhook_url"
        raise WrongSettings((f"{named_setting(name, loaded.origins)}: {error}",)) from error


def _described(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """Every setting by its place in the file: its value, its variable and where the value comes from."""
    described = {}
    for name, field in Settings.model_fields.items():
        origin = loaded.origins[name]
        described[place_of(field)] = {
            "value": _value(loaded.settings, name),
            "source": origin.source.value,
            "where": origin.where,
            "variable": variable_of(name),
        }
    return described


def _value(settings: Settings, name: str) -> Any:
    """The value in effect, fit to be shown; what an unset setting comes to where others decide it."""
    derived = {"broker_url": settings.broker, "archive_url": settings.archive, "models_dir": settings.models}
    value = derived.get(name, getattr(settings, name))
    if isinstance(value, SecretStr):
        return "**********"
    return shown(str(value)) if isinstance(value, str | Path) else value
