"""How a command ends: every way out of the program with its message and exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from evalharness.core.text import log_safe
from evalharness.errors import EvalHarnessError, ExitCode, StorageError

_BROKEN_PIPE = 141


def guarded(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a command; user errors become one clear message and their exit code, bugs keep their traceback."""
    try:
        result = command.main(args=None if arguments is None else list(arguments), standalone_mode=False)
        sys.stdout.flush()
    except EvalHarnessError as error:
        tell_error(error)
        return int(error.exit_code)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        _tell_click(error)
        return int(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        _drop_stdout()
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_stdout()
        tell_error(StorageError("there is no space left where the output goes", fix="Free some space."))
        return int(StorageError.exit_code)
    return int(result) if isinstance(result, int) else int(ExitCode.OK)


def _drop_stdout() -> None:
    """Send the rest of the output nowhere, so that nothing is raised again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell_error(error: EvalHarnessError) -> None:
    """Print what is wrong, each problem on its line, and where to read more."""
    head = click.style("error: ", fg="red", bold=True)
    lines = [log_safe(str(problem)) for problem in error.problems]
    click.echo(head + lines[0], err=True)
    for line in lines[1:]:
        click.echo(f"       {line}", err=True)
    click.echo(click.style(f"       (more: docs/errors.md#{error.slug})", dim=True), err=True)


def _tell_click(error: click.ClickException) -> None:
    usage = error.ctx.get_usage() if isinstance(error, click.UsageError) and error.ctx is not None else ""
    if usage:
        click.echo(usage, err=True)
    click.echo(click.style("error: ", fg="red", bold=True) + log_safe(error.format_message()), err=True)
