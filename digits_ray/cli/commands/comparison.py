"""`digits-ray compare`."""

import click


@click.command()
@click.argument("run_a")
@click.argument("run_b")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def compare(run_a: str, run_b: str, as_json: bool) -> None:
    """Compare two runs' ensembles on the rows that both scored.

    RUN_A and RUN_B are run directories: paths, s3:// or gs://. McNemar's test compares the rows that both held out.
    """
    import json

    from digits_ray.cli.terminal import comparison_screen, console
    from digits_ray.runs import compare as compare_runs

    comparison = compare_runs(run_a, run_b)
    if as_json:
        click.echo(json.dumps(comparison.to_json(), indent=2, ensure_ascii=False))
    else:
        console().print(comparison_screen(comparison))
