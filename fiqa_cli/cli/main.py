"""The `fiqa` command: its subcommands and its exit codes."""

import atexit
import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fiqa_cli import __version__
from fiqa_cli.cli import (
    best,
    doctor,
    embed,
    evaluate,
    filter,
    merge,
    models,
    report,
    samples,
    score,
    threshold,
    train,
    undo,
)
from fiqa_cli.cli.console import complain, note
from fiqa_cli.cli.settings import known_options, read_settings
from fiqa_cli.cli.signals import Interruption, heed
from fiqa_cli.errors import FiqaError

DONE, USAGE, INTERRUPTED = 0, 2, 130


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interruption(error) from error
        except BrokenPipeError:
            # The reader has seen enough (`| head`). Left to typer, this would end with code 1.
            raise typer.Exit(DONE) from None


app = typer.Typer(
    name="fiqa",
    cls=_Commands,
    help="Face image quality assessment in batches: how well will each face serve a recogniser?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("score")(score.score)
app.command("embed")(embed.embed)
app.command("filter")(filter.filter_)
app.command("merge")(merge.merge)
app.command("undo")(undo.undo)
app.command("threshold")(threshold.threshold)
app.command("report")(report.report)
app.command("best")(best.best)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(train.app, name="train")
app.add_typer(models.app, name="models")
app.command("samples")(samples.samples)
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"fiqa {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand != "doctor":  # which tells what is wrong with them
        context.default_map = read_settings(Path.cwd(), known_options(context.command))


def main() -> None:
    """Run the command line and exit with its code; every error is one line on stderr."""
    heed()
    # Importing torch allocates so much that looking for garbage meanwhile takes 0.1 s, and the
    # last look at the end 0.2 s.
    gc.set_threshold(50_000, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except Interruption as end:
        complain(f"{end}; what was finished is kept")
        _pass_on(end)
        code = end.code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:
        code = DONE
    except FiqaError as error:
        complain(str(error))
        _pass_on(error)
        code = USAGE
    except Exception as error:
        if os.environ.get("FIQA_DEBUG"):
            raise
        complain(_line(error))
        code = USAGE
    try:
        sys.stdout.flush()
    except OSError:
        # Python would complain of the unwritten rest once more at exit, with a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code or DONE)


def _pass_on(error: Exception) -> None:
    for remedy in getattr(error, "__notes__", ()):
        note(remedy)


def _line(error: Exception) -> str:
    if hasattr(error, "format_message"):  # a usage error, found while parsing the command line
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "fiqa"
        return f"{error.format_message()} (see '{command} --help')"
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename else ""
        return f"{about}{error.strerror.lower()}; what was written before is kept"
    return (
        f"unexpected {type(error).__name__}: {error} "
        "(please report this; FIQA_DEBUG=1 shows where it happened)"
    )
