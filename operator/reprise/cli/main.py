"""The `reprise` command. Each subcommand lives in a module of its own and is imported when it is called."""

import importlib
import sys

import click

from reprise import __version__
from reprise.domain import errors

# name -> (module, attribute, one line for `reprise --help`)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("reprise.cli.up", "up", "Make a cluster with everything in it, or finish a half-made one."),
    "down": ("reprise.cli.up", "down", "Remove everything that `up` made, and nothing else."),
    "status": ("reprise.cli.up", "status", "Say what runs and what is missing."),
    "run": ("reprise.cli.run", "run", "Apply a BenchmarkRun and follow it to its score."),
    "report": ("reprise.cli.run", "report", "Show a run: timeline, alerts, truth beside submission, drift."),
    "attach": ("reprise.cli.attach", "attach", "Get a kubeconfig for a waiting attempt."),
    "mcp": ("reprise.cli.mcp", "mcp", "Give an attempt's tools to an MCP client that speaks stdio."),
    "scenarios": ("reprise.cli.scenarios", "scenarios", "List, show and validate scenarios."),
    "prove": ("reprise.cli.prove", "prove", "Prove scenarios on the live cluster, one after another."),
    "catalogue": ("reprise.cli.catalogue", "catalogue", "Print the catalogue from the results of a proof."),
    "attempts": (
        "reprise.cli.attempts",
        "attempts",
        "Show what agents did and why they were wrong; verify and export it.",
    ),
    "score": ("reprise.cli.score", "score", "Score a submission against a truth file."),
    "import": (
        "reprise.cli.import_itbench",
        "import_",
        "Import answers that were written for other benchmarks.",
    ),
    "replay": ("reprise.cli.replay", "replay", "Serve a recorded incident to agents, without a cluster."),
    "snapshot": ("reprise.cli.snapshot", "snapshot", "Verify, store, export and compare recorded snapshots."),
    "operator": (
        "reprise.cli.operator",
        "operator",
        "Run the operator in the foreground (development, and its image).",
    ),
    "gateway": (
        "reprise.cli.gateway",
        "gateway",
        "Run the gateway in the foreground (development, and its image).",
    ),
}


class LazyGroup(click.Group):
    """Imports a subcommand's module only when it runs, so that `--help` and small commands start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong row in the table above
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reprise")
def cli() -> None:
    """Replay incidents on a live cluster and measure the agents that diagnose them."""


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 the asked thing failed or is wrong, 2 usage, 130 interrupted."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except errors.RepriseError as exc:
        click.echo(f"reprise: {exc}", err=True)
        sys.exit(1)
