"""Benchmark of pandas: time and memory of reading a CSV file with each engine, and of grouping its rows.

The benchmark writes the file from random numbers, words and dates. The file is then in the page cache, so this measures
parsing, not the disk. Each task runs in its own process, because the system reports peak memory per process.
"""

from __future__ import annotations

import importlib.util
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.child import run_program
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import exact_interval, median_interval
from jupyter_gpuperf.messages import Message

ENGINES: Final = ("c", "pyarrow", "python")
PYTHON_ENGINE_ROWS: Final = 20_000
"""Maximum number of rows for the Python engine, which is about fifty times slower than the others."""
ROW_BYTES: Final = 70
WORDS: Final = 500

CHILD_PROGRAM: Final = """
import pandas as pd
path, what, rows, seconds = request
def memory(name):
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))
    except (OSError, StopIteration):
        return None
def read(engine):
    return pd.read_csv(path, engine=engine, **({} if engine == "pyarrow" else {"nrows": rows}))
def group(frame):
    return frame.groupby("word").agg({"a": "mean", "b": ["min", "max"], "count": "sum"})
frame = read("c") if what == "group" else None
work = (lambda: group(frame)) if what == "group" else (lambda: read(what))
before = memory("VmRSS:")
kept = work()
peak = memory("VmHWM:")
peak = None if before is None else max(0, peak - before)
answer(seconds=timed(work, seconds), pandas=pd.__version__, peak_bytes=peak)
"""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure time and peak memory of each task; see the module docstring."""
    rows = parameters["rows"]
    resources.check_available_memory(12 * ROW_BYTES * rows, hint="Choose fewer rows.")
    engines = [each for each in ENGINES if each != "pyarrow" or importlib.util.find_spec("pyarrow")]
    if "pyarrow" not in engines:
        context.warn("Skipped the pyarrow engine: not installed. Run: pip install pyarrow")
    figures: dict[str, Any] = {}
    samples: dict[str, list[float]] = {}
    version = None
    with tempfile.TemporaryDirectory(prefix="gpuperf-pandas-") as folder:
        path = Path(folder) / "table.csv"
        context.progress(0.0, "Writing the table")
        write_table(path, rows)
        plan = [*engines, "group"]
        for index, task in enumerate(plan):
            name, progress = f"read_{task}", Message("Reading with {engine}", engine=task)
            if task == "group":
                name, progress = task, Message("Grouping")
            context.progress((index + 0.5) / (len(plan) + 1), progress)
            rows_read = min(rows, PYTHON_ENGINE_ROWS) if task == "python" else rows
            answer = run_program(
                CHILD_PROGRAM,
                [str(path), task, rows_read, parameters["time_limit_seconds"] / len(plan)],
                error_code="pandas_failed",
                package="pandas",
                hint="Choose fewer rows, or reinstall pandas.",
            )
            samples[f"{name}_seconds"] = answer["seconds"]
            figures[f"{name}_seconds"] = median_interval(answer["seconds"])
            if answer["peak_bytes"] is not None and task != "python":
                figures[f"{name}_peak_bytes"] = exact_interval(float(answer["peak_bytes"]))
            version = answer["pandas"]
    if rows > PYTHON_ENGINE_ROWS:
        message = "The python engine read {few} rows, the others {rows}."
        context.warn(Message(message, few=PYTHON_ENGINE_ROWS, rows=rows))
    environment = {**describe(), "pandas": version, "page_cache": "warm"}
    return Measured(unit="seconds", figures=figures, samples=samples, environment=environment)


def write_table(path: Path, rows: int) -> None:
    """Write a CSV table of random numbers, words and dates; the same number of rows always gives the same table."""
    draw = random.Random(0)
    words = [f"word{number}" for number in range(WORDS)]
    with path.open("w") as file:
        file.write("time,word,a,b,count\n")
        for row in range(rows):
            file.write(
                f"2026-01-{1 + row % 28:02d} 12:00:{row % 60:02d},{draw.choice(words)},"
                f"{draw.random():.6f},{draw.gauss(0, 1):.6f},{draw.randrange(1000)}\n"
            )


BENCHMARK = Benchmark(
    name="pandas",
    label="pandas",
    help="read_csv with each engine, and groupby with aggregation: time and memory.",
    requires=("pandas",),
    parameters=(
        Parameter.integer("rows", 200_000, (100, 100_000_000), "Table rows; about 50 bytes each."),
        Parameter.time_limit(12.0, "Approximate total measuring time."),
    ),
    run=run,
)
